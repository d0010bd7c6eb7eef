// The composition: plans what the configuration names, opens demand, and starts a loop for each pool.

import { demandTypes, type MasterConfig } from '../config/index.ts'
import type { DemandSource } from '../demand/index.ts'
import type { FleetEvent, OrphanStatus } from '../fleet/index.ts'
import {
  anyOf,
  controlHandler,
  type FleetControl,
  type FleetRow,
  type ProcessView,
  sharedOrders,
} from '../http/index.ts'
import { type Clock, type Logger, tellProblems, wallTime } from '../platform/index.ts'
import { ProvisionError } from '../problems/index.ts'
import type { AnyProvider } from '../providers/index.ts'
import { openStateStore } from '../state/index.ts'
import { candidateOf } from './candidate.ts'
import { openCertificate } from './certificate.ts'
import { openClusterMemory } from './cluster-memory.ts'
import { type Configuration, createConfiguration, type Reloaded } from './configuration.ts'
import { learnClusterId } from './demand.ts'
import { nothingElsewhere } from './elsewhere.ts'
import { type Endpoints, openEndpoints } from './endpoints.ts'
import { fleetRows, joinedAgents, otherAgents } from './fleet-rows.ts'
import { ensureIdentity } from './identity.ts'
import { createJobAdvice } from './job-advice.ts'
import { requiresProofs } from './join-probe.ts'
import { openJoins } from './joins.ts'
import { createLeading, type Leading } from './leading.ts'
import { notHere, notYet } from './master-listener.ts'
import { createOrders, type Orders } from './orders.ts'
import { dialledHosts, openPlans, type PoolPlans, usePlansForLaunches } from './plans.ts'
import { createRunningPools, type PoolsStatus, type RunningPools } from './pools.ts'
import { isProvided } from './prepare.ts'
import { createSharing, type Sharing } from './sharing.ts'
import { snapshotFileOf } from './snapshot-file.ts'
import { openTelemetry } from './telemetry.ts'
import { createWork, everything, sharedUnits, type Work } from './work.ts'

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
  /** Takes the right to the state by `hold`, which may be repeated while it fails. Left out: once. */
  holdState?: <T>(hold: () => Promise<T>) => Promise<T>
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
  /** One row for each VM, of all pools or of one, with its agent. */
  rows(pool?: string): FleetRow[]
  /** Where the built-in master listens; undefined with another source of demand, and before the start. */
  readonly master: { address: string; port: number } | undefined
  /** Where `listen` is; undefined when it is not configured, and before the start. */
  readonly listener: { address: string; port: number } | undefined
}

/** Creates a provisioner; nothing is opened before `start`. */
export function composeProvisioner(given: ProvisionerOptions): Provisioner {
  const options = { ...given, config: configOf(given) }
  const running = createRunningPools(options.config.resource_pools.filter(isProvided), {
    ...options,
    isOurs: (pool) => opened?.leading.leaderOf(opened.work.unitOf(pool))?.self === true,
  })
  const undo: Undo[] = []
  const startedAt = options.clock.now()
  let opened: Opened | undefined
  let starting: Promise<void> | undefined
  let stopped: Promise<void> | undefined

  const orders = createOrders({ ...options, running, orphans: () => opened?.work.orphans() })

  async function openAndRun(): Promise<void> {
    opened = await open(options, { provisioner, orders, running, startedAt, undo })
    await opened.leading.start()
    opened.sharing.start()
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
    orphans: () => opened?.work.orphans()?.status() ?? { orphans: [], problems: [] },
    configurationRead: (isUsable) => opened?.configuration.read(isUsable),
    async reload(after) {
      if (!opened) throw new TypeError('a provisioner can reload only after it has started')
      const { configuration, plans } = opened
      return configuration.reload(after, { plans, running })
    },
    rows: (pool) => (opened ? rowsOf(running.status(), opened, pool) : []),
    get master() {
      return opened?.work.listener()
    },
    get listener() {
      return opened?.endpoints.listener
    },
    ...sharedOrders(orders, () => opened?.sharing.elsewhere ?? nothingElsewhere),
    clear: orders.clear,
  }
  return provisioner
}

type Undo = () => void | Promise<void>

/** What is open from the start to the stop. */
interface Opened {
  configuration: Configuration
  plans: PoolPlans
  endpoints: Endpoints
  work: Work
  leading: Leading
  sharing: Sharing
}

interface Opening {
  provisioner: Provisioner
  orders: ReturnType<typeof createOrders>
  running: RunningPools
  /** Milliseconds since the epoch. */
  startedAt: number
  /** Gets a closer for each thing that was opened, also when opening the next one fails. */
  undo: Undo[]
}

/** Everything except what is led. Throws a ProvisionError. */
async function open(
  given: ProvisionerOptions,
  { provisioner, orders, running, startedAt, undo }: Opening,
): Promise<Opened> {
  const configuration = createConfiguration(given.config, given)
  // A reload may move the lines of keys that stay as they are.
  const locate: MasterConfig['locate'] = (path) => configuration.current().locate(path)
  const options = { ...given, config: { ...given.config, locate } }
  const { config, version, clock, logger, onChange = () => {} } = options
  const store = await openStateStore(config, options)
  undo.push(store.close)
  let commitsLost = false
  const hold = () =>
    store.hold({
      onLost: () => options.onLockLost?.(),
      onCommitsLost() {
        commitsLost = true
        running.reopen()
      },
    })
  const release = await (options.holdState?.(hold) ?? hold())
  undo.push(release)
  const certificate = openCertificate(options)
  const { identity: stored } = store
  const wasNew = await stored.isNew()
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
    standbyOf: () => {
      const standby = standbyOf(leading, work)
      return standby && (standby.leader?.host ?? 'nobody')
    },
  })
  undo.push(telemetry.close)
  const about = (): ProcessView => ({
    version,
    clusterId,
    writerId,
    demand: config.demand.type,
    startedAt,
    now: clock.now(),
    standby: standbyOf(leading, work),
  })
  const fleet: FleetControl = {
    ...orders,
    about,
    status: running.status,
    orphans: provisioner.orphans,
    rows: provisioner.rows,
    otherAgents: async (pool) => {
      const source = work.demand()?.source
      return source ? await otherAgents(configuration.current(), source, pool) : []
    },
    problems: () => leading.problems(),
    fault: () => leading.fault(),
    names: () => config.resource_pools.map(({ pool_name }) => pool_name),
    placeOf: (name) => ({
      provider: config.resource_pools.find(({ pool_name }) => pool_name === name)?.provider?.type ?? 'none',
      leader: leading.leaderOf(work.unitOf(name)),
    }),
    snapshotOf: snapshotFileOf,
    events: store.readDecisions,
  }
  const self = () =>
    candidateOf(configuration.current(), { writerId, version, startedAt, providers: options.providers })
  const sharing = createSharing({
    exchange: store.exchange,
    fleet,
    rowsOf: (pool) => provisioner.rows(pool),
    units: sharedUnits(
      () => work,
      () => leading,
    ),
    unitNames: () => work.units.keys(),
    self,
    others: () => leading.others(),
    configured: config.resource_pools.filter(isProvided).map(({ pool_name }) => pool_name),
    notLed: running.elsewhere,
    fault: () => leading.fault(),
    clock,
    logger,
  })
  const endpoint = controlHandler({ ...fleet, elsewhere: sharing.elsewhere })
  const memory = await openClusterMemory(store.cluster)
  const { demand: givenDemand, ...rest } = options
  const joins = requiresProofs(config)
    ? await openJoins({
        ...options,
        store: store.join,
        plans,
        running,
        elsewhere: () => sharing.elsewhere,
        metrics: telemetry.metrics,
      })
    : undefined
  if (joins) undo.push(joins.close)
  const work = createWork({
    ...rest,
    joins,
    ...(givenDemand && { given: givenDemand }),
    configuration: configuration.current,
    running,
    identity,
    store,
    certificate,
    plans,
    advice: createJobAdvice(config, { status: running.status, now: clock.now }),
    control: anyOf([endpoint, ...telemetry.handlers]),
    memory,
    poolsEver: [...(await stored.pools()), ...config.resource_pools.map(({ pool_name }) => pool_name)],
    ownWriters: identity.ownWriters,
    provisionerId: identity.provisionerId,
    refresh: memory.refresh,
    isElsewhere: (shown) => leading.others().some(({ configured }) => configured.includes(shown)),
    isFileTrusted: configuration.isTrusted,
    adoptedOf: memory.adopted,
    onLocation: memory.addLocation,
    isFirstStart: async () => !commitsLost && (wasNew || (await stored.isYoung())),
    metrics: telemetry.metrics,
    onEvent(event) {
      telemetry.onEvent(event)
      if (event.kind === 'terminated') {
        work.demand()?.forget?.(event.ids, 'its instance is gone')
        joins?.forget(event.ids)
      }
      options.onEvent?.(event)
      onChange()
    },
    onChange,
    localIds: () => provisioner.rows().flatMap(({ local, instance }) => (local ? [instance] : [])),
  })
  const leading = createLeading({
    leases: store.leases,
    self,
    units: work.units,
    clock,
    logger,
    random: Math.random,
  })
  undo.push(work.close)
  await work.open()
  const endpoints = await openEndpoints({
    ...options,
    joins,
    control: anyOf([endpoint, ...telemetry.handlers]),
    info: { version, cluster_id: clusterId, cluster_name: config.cluster_name },
    further: () => work.demand()?.handlers ?? (work.demand() ? [] : [store.leases ? notHere : notYet]),
    local: () => work.demand()?.local ?? [],
  })
  undo.push(endpoints.close)

  const onPlanned = running.certificateChanged
  certificate.subscribe((renewed) => void usePlansForLaunches(renewed, { plans, onPlanned, logger }))
  undo.push(certificate.watch())

  undo.push(leading.stop)
  // Before: what was taken is carried out by whoever still leads.
  undo.push(sharing.stop)
  return { configuration, plans, endpoints, work, leading, sharing }
}

/** Agents as our own master knows them, if there is one; else as demand shows them. */
function rowsOf({ pools }: PoolsStatus, { plans, work }: Opened, wanted?: string): FleetRow[] {
  const known = work.demand()?.agents?.()
  return pools.flatMap((status) =>
    wanted === undefined || status.pool === wanted
      ? fleetRows(status, known ?? joinedAgents(status), plans.get(status.pool))
      : [],
  )
}

/** Who leads instead of this process, where one process does everything; undefined where it leads, or others may lead beside it. */
function standbyOf({ leaderOf }: Leading, { units }: Work): ProcessView['standby'] {
  if (!units.has(everything)) return undefined
  const leader = leaderOf(everything)
  return leader?.self ? undefined : { leader }
}

/** A given source has its own kind, which overrides the file; a kind that no file can name is treated as pushed. */
function configOf({ config, demand }: ProvisionerOptions): MasterConfig {
  if (!demand) return config
  const type = demandTypes.find((known) => known === demand.kind) ?? 'push'
  return { ...config, demand: { ...config.demand, type } }
}
