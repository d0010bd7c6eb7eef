// The composition: plans what the configuration names, opens demand, and starts a loop for each pool.

import { demandTypes, type MasterConfig } from '../config/index.ts'
import type { DemandSource } from '../demand/index.ts'
import type { ClusterLocation, FleetEvent, OrphanStatus } from '../fleet/index.ts'
import { anyOf, controlHandler, type FleetRow, type ProcessView } from '../http/index.ts'
import { type Clock, type Logger, tellProblems, wallTime } from '../platform/index.ts'
import { ProvisionError } from '../problems/index.ts'
import type { AnyProvider } from '../providers/index.ts'
import { openStateStore, type StateStore } from '../state/index.ts'
import { openCertificate } from './certificate.ts'
import { type Configuration, createConfiguration, type Reloaded } from './configuration.ts'
import { learnClusterId, type OpenedDemand, openDemand } from './demand.ts'
import { type Endpoints, openEndpoints } from './endpoints.ts'
import { fleetRows, joinedAgents, otherAgents } from './fleet-rows.ts'
import { ensureIdentity, type Identity } from './identity.ts'
import { createJobAdvice } from './job-advice.ts'
import { createOrders, type Orders } from './orders.ts'
import { createOrphans, type Orphans, openClusterMemory } from './orphans.ts'
import { dialledHosts, openPlans, type PoolPlans, usePlansForLaunches } from './plans.ts'
import { createRunningPools, type PoolsStatus, type RunningPools } from './pools.ts'
import { isProvided } from './prepare.ts'
import { snapshotFileOf } from './snapshot-file.ts'
import { openTelemetry, type Telemetry } from './telemetry.ts'

export interface ProvisionerOptions {
  config: MasterConfig
  /** Every kind of provider there is: those the configuration was read with. */
  providers: readonly AnyProvider[]
  /** Replaces the `demand` of the configuration. Its creator closes it. */
  demand?: DemandSource
  version: string
  env: Readonly<Record<string, string | undefined>>
  /** How a local VM starts its agent; default: with this program. */
  localAgent?: string[]
  clock: Clock
  logger: Logger
  /** Called for the events of the pools. Errors that it throws are logged; nothing stops. */
  onEvent?: (event: FleetEvent) => void
  /** Something that `rows` shows has changed. */
  onChange?: () => void
  /** Another process has taken over the state: this one must stop. */
  onLockLost?: () => void
}

export interface Provisioner extends Orders {
  /** Throws a ProvisionError when it cannot start, or no pool can; nothing is left running then. Once only. */
  start(): Promise<void>
  /** Decides nothing more; terminates local VMs and leaves cloud VMs running. May be called twice. */
  stop(): Promise<void>
  status(): PoolsStatus
  /** Orphans, as of the last search; none before the start. */
  orphans(): OrphanStatus
  /** Whether the file, when it was last read, was a usable configuration: no orphan is terminated while it is not. */
  configurationRead(isUsable: boolean): void
  /**
   * Applies another configuration as far as possible without a restart; each change says how it is applied. A
   * configuration that cannot launch VMs changes nothing. Not before the start.
   */
  reload(config: MasterConfig): Promise<Reloaded>
  /** One row for each VM, with its agent. */
  rows(): FleetRow[]
  /** Where the built-in master listens; undefined with another source of demand, and before the start. */
  readonly master: { address: string; port: number } | undefined
  /** Where `listen` is; undefined when it is not configured, and before the start. */
  readonly listener: { address: string; port: number } | undefined
}

/** Creates a provisioner; nothing is opened before `start`. */
export function composeProvisioner(given: ProvisionerOptions): Provisioner {
  const options = { ...given, config: configOf(given) }
  const running = createRunningPools(options.config.resource_pools.filter(isProvided), options)
  const undo: Undo[] = []
  const startedAt = options.clock.now()
  let opened: Opened | undefined
  let starting: Promise<void> | undefined
  let stopped: Promise<void> | undefined

  const orders = createOrders(running, () => opened?.orphans)

  async function openAndRun(): Promise<void> {
    opened = await open(options, { provisioner, orders, running, startedAt, undo })
    await run(options, { ...opened, provisioner, running, undo })
  }

  /** Stopping waits for the start to finish: a half-open provisioner cannot be closed. */
  async function stop(): Promise<void> {
    await starting?.catch(() => {})
    await close()
  }

  /** In the reverse order of opening. */
  async function close(): Promise<void> {
    for (const step of undo.splice(0).reverse()) await step()
  }

  const provisioner: Provisioner = {
    async start() {
      if (stopped) throw new TypeError('a stopped provisioner cannot be started again')
      starting = openAndRun()
      try {
        await starting
      } catch (error) {
        await close()
        throw error
      }
    },
    stop: () => (stopped ??= stop()),
    status: running.status,
    orphans: () => opened?.orphans.status() ?? { orphans: [], problems: [] },
    configurationRead: (isUsable) => opened?.configuration.read(isUsable),
    async reload(after) {
      if (!opened) throw new TypeError('a provisioner can reload only after it has started')
      const { configuration, plans } = opened
      return configuration.reload(after, { plans, running })
    },
    rows: () => (opened ? rowsOf(running.status(), opened) : []),
    get master() {
      return opened?.demand.listener
    },
    get listener() {
      return opened?.endpoints.listener
    },
    ...orders,
  }
  return provisioner
}

type Undo = () => void | Promise<void>

/** What is open from the start to the stop. */
interface Opened {
  store: StateStore
  identity: Identity
  configuration: Configuration
  plans: PoolPlans
  telemetry: Telemetry
  demand: OpenedDemand
  endpoints: Endpoints
  orphans: Orphans
  onLocation: (place: ClusterLocation) => void
  adoptedOf: (pool: string) => ReadonlySet<string>
  isFirstStart: boolean
}

interface Opening {
  provisioner: Provisioner
  orders: Orders
  running: RunningPools
  /** Milliseconds since the epoch. */
  startedAt: number
  /** Gets a closer for each thing that was opened, also when opening the next one fails. */
  undo: Undo[]
}

/** Everything except the loops of the pools. Throws a ProvisionError. */
async function open(
  given: ProvisionerOptions,
  { provisioner, orders, running, startedAt, undo }: Opening,
): Promise<Opened> {
  const configuration = createConfiguration(given.config, given)
  // A reload may move the lines of keys that stay as they are.
  const locate: MasterConfig['locate'] = (path) => configuration.current().locate(path)
  const options = { ...given, config: { ...given.config, locate } }
  const { config, version, clock, logger } = options
  const store = await openStateStore(config, options)
  undo.push(store.close)
  let commitsLost = false
  const release = await store.hold({
    onLost: () => options.onLockLost?.(),
    onCommitsLost() {
      commitsLost = true
      running.reopen()
    },
  })
  undo.push(release)
  const certificate = openCertificate(options)
  const { identity: stored } = store
  const isFirstStart = !commitsLost && (await stored.isNew())
  const learned = options.demand ? undefined : await learnClusterId({ ...options, store })
  const identity = await ensureIdentity({ config, stored, providers: options.providers, learned })
  const { clusterId, writerId } = identity
  const { plans, problems } = await openPlans({
    config: configuration.current,
    certificate: certificate.current,
    identity,
    hosts: await dialledHosts(options),
    now: () => wallTime(clock),
    localAgent: options.localAgent,
    providers: options.providers,
  })
  const found = [...certificate.warnings, ...problems]
  if (!plans) throw new ProvisionError(found)
  tellProblems(logger, found)

  const telemetry = openTelemetry({
    ...options,
    store,
    status: running.status,
    orphans: provisioner.orphans,
    certificate: certificate.current,
  })
  undo.push(telemetry.close)
  const about = (): ProcessView => ({
    version,
    clusterId,
    writerId,
    demand: config.demand.type,
    startedAt,
    now: clock.now(),
  })
  let opened: OpenedDemand | undefined
  const fleet = controlHandler({
    ...orders,
    about,
    status: running.status,
    orphans: provisioner.orphans,
    rows: provisioner.rows,
    otherAgents: async (pool) =>
      opened ? await otherAgents(configuration.current(), opened.source, pool) : [],
    providerOf: (name) =>
      config.resource_pools.find(({ pool_name }) => pool_name === name)?.provider?.type ?? 'none',
    snapshotOf: snapshotFileOf,
    events: store.readDecisions,
  })
  const control = anyOf([fleet, ...telemetry.handlers])
  const { mayJoin } = running
  let orphans: Orphans | undefined
  const mayReturn: Orphans['mayReturn'] = (pool, id) => orphans?.mayReturn(pool, id) ?? 'later'
  const hasOrphans = (pool: string) =>
    orphans?.status().orphans.some((orphan) => orphan.pool === pool) ?? false
  const demand = await openDemand({
    ...options,
    identity,
    store,
    certificate,
    mayJoin,
    mayReturn,
    hasOrphans,
    advice: createJobAdvice(config, { status: running.status, now: clock.now }),
    control,
  })
  opened = demand
  undo.push(demand.close)
  const memory = openClusterMemory(config.state_dir)
  orphans = createOrphans({
    ...options,
    config: configuration.current,
    memory,
    poolsEver: [...(await stored.pools()), ...config.resource_pools.map(({ pool_name }) => pool_name)],
    clusterId,
    ownWriters: identity.ownWriters,
    provisionerId: identity.provisionerId,
    locationOf: running.locationOf,
    isFileTrusted: configuration.isTrusted,
    demand: demand.source,
    onEvent(event) {
      telemetry.onEvent(event)
      if (event.kind === 'terminated') demand.forget?.(event.ids, 'its instance is gone')
      options.onEvent?.(event)
    },
  })
  const info = { version, cluster_id: clusterId, cluster_name: config.cluster_name }
  const { handlers: further = [], local = [] } = demand
  const endpoints = await openEndpoints({ ...options, control, info, further, local })
  undo.push(endpoints.close)

  const onPlanned = running.certificateChanged
  certificate.subscribe((renewed) => void usePlansForLaunches(renewed, { plans, onPlanned, logger }))
  undo.push(certificate.watch())
  const { addLocation: onLocation, adopted: adoptedOf } = memory
  return {
    ...{ store, identity, configuration, plans, telemetry, demand, endpoints: endpoints, orphans },
    ...{ onLocation, adoptedOf, isFirstStart },
  }
}

/** The loops of the pools. Throws the first failure when none can be started. */
async function run(
  options: ProvisionerOptions,
  opened: Omit<Opening, 'startedAt' | 'orders'> & Opened,
): Promise<void> {
  const { config, onChange = () => {} } = options
  const { provisioner, running, undo, plans, telemetry, demand, orphans } = opened
  function onEvent(event: FleetEvent): void {
    telemetry.onEvent(event)
    if (event.kind === 'terminated') demand.forget?.(event.ids, 'its instance is gone')
    options.onEvent?.(event)
    onChange()
  }
  /** The processes of local VMs stop with their pools; the next start must not wait for their agents. */
  async function end(): Promise<void> {
    const local = provisioner.rows().filter((row) => row.local)
    await running.stop()
    demand.forget?.(
      local.map(({ instance }) => instance),
      'the provisioner stopped',
    )
  }

  undo.push(end)
  const { state_dir: stateDir } = config
  const { metrics } = telemetry
  const { onLocation, isFirstStart, identity, store } = opened
  const { provisionerId, ownWriters } = identity
  await running.start({
    ...options,
    plans,
    provisionerId,
    ownWriters,
    adoptedOf: opened.adoptedOf,
    stateDir,
    store,
    demand: demand.source,
    onEvent,
    onLocation,
    isFirstStart,
    onListed: demand.judge,
    metrics,
  })
  orphans.start()
  undo.push(orphans.stop)
  undo.push(demand.onAgent?.(onChange) ?? (() => {}))
}

/** Agents as our own master knows them, if there is one; else as demand shows them. */
function rowsOf({ pools }: PoolsStatus, { plans, demand }: Opened): FleetRow[] {
  const known = demand.agents?.()
  return pools.flatMap((status) => fleetRows(status, known ?? joinedAgents(status), plans.get(status.pool)))
}

/** A given source has its own kind, which overrides the file; a kind that no file can name is treated as pushed. */
function configOf({ config, demand }: ProvisionerOptions): MasterConfig {
  if (!demand) return config
  const type = demandTypes.find((known) => known === demand.kind) ?? 'push'
  return { ...config, demand: { ...config.demand, type } }
}
