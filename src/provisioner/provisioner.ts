// The whole of it, put together: what the configuration names is prepared, demand is opened, and each pool gets its loop.

import type { MasterConfig } from '../config/master-config.ts'
import { demandTypes } from '../config/schema.ts'
import type { DemandSource } from '../demand/source.ts'
import type { FleetEvent } from '../fleet/run.ts'
import { controlHandler, createOrders, type Orders } from '../http/fleet-endpoints.ts'
import { type AgentView, agentViews, type FleetRow, fleetRows } from '../http/fleet-views.ts'
import { anyOf } from '../http/router.ts'
import type { Info } from '../http/status-endpoints.ts'
import type { TlsMaterial } from '../pki/credentials.ts'
import { contentsFingerprint } from '../platform/files.ts'
import { limit } from '../platform/limit.ts'
import { tellProblems } from '../platform/log.ts'
import type { Clock, Logger } from '../platform/ports.ts'
import { isError, ProvisionError } from '../problems/problem.ts'
import type { AnyProvider } from '../providers/definition.ts'
import { dialledHosts, learnClusterId, type OpenedDemand, openDemand } from './demand.ts'
import { type Doors, openDoors } from './endpoints.ts'
import { createRunningPools, type PoolsStatus } from './pools.ts'
import { isProvided, loadMasterMaterial } from './prepare.ts'
import { type PreparedPools, preparePools } from './prepared-pools.ts'
import { type Reloaded, reload } from './reload.ts'
import { ensureIdentity, holdLock, type Identity } from './state.ts'
import { openTelemetry, type Telemetry, tellEvent } from './telemetry.ts'
import { certificateFiles, watchCertificate } from './watch-certificate.ts'

export interface ProvisionerOptions {
  config: MasterConfig
  /** Every kind of provider there is: those the configuration was read with. */
  providers: readonly AnyProvider[]
  /** In place of what `demand` in the configuration names. Whoever made it closes it. */
  demand?: DemandSource
  version: string
  env: Readonly<Record<string, string | undefined>>
  /** How a local VM starts its agent. */
  localAgent: string[]
  clock: Clock
  logger: Logger
  /** What happens to the pools. A listener that throws is reported, and ends nothing. */
  onEvent?: (event: FleetEvent) => void
  /** Something that `rows` shows has changed. */
  onChange?: () => void
  /** Another process has taken the state folder over: this one must stop. */
  onLockLost?: () => void
}

export interface Provisioner extends Orders {
  /** Throws a ProvisionError when it cannot start, or no pool can; nothing is left running then. Once only. */
  start(): Promise<void>
  /** Decides nothing more; ends local VMs and leaves cloud VMs running. May be called twice. */
  stop(): Promise<void>
  status(): PoolsStatus
  /**
   * Takes another configuration over as far as that can be without a restart; each change says how. A configuration by
   * which VMs could not be made changes nothing. Not before the start.
   */
  reload(config: MasterConfig): Promise<Reloaded>
  /** One row for each VM, with its agent. */
  rows(): FleetRow[]
  /** Where the built-in master listens; undefined with another source of demand, and before the start. */
  readonly master: { address: string; port: number } | undefined
  /** Where `listen` is; undefined when it is not configured, and before the start. */
  readonly listener: { address: string; port: number } | undefined
}

/** Puts a provisioner together; nothing is opened before `start`. */
export function composeProvisioner(given: ProvisionerOptions): Provisioner {
  const options = { ...given, config: configOf(given) }
  const { config, clock, logger, onChange = () => {} } = options
  const running = createRunningPools(config.resource_pools.filter(isProvided), options)
  const undo: (() => void | Promise<void>)[] = []
  let demand: OpenedDemand | undefined
  let pools: PreparedPools | undefined
  let doors: Doors | undefined
  let identity: Identity | undefined
  let telemetry: Telemetry | undefined
  let material: TlsMaterial | undefined
  const startedAt = clock.now()
  let starting: Promise<void> | undefined
  let stopped: Promise<void> | undefined
  let inForce = config
  const oneByOne = limit(1)

  function onEvent(event: FleetEvent): void {
    tellEvent(logger, event)
    if (event.kind === 'ended') demand?.forget?.(event.ids, 'its instance is gone')
    telemetry?.onEvent(event)
    options.onEvent?.(event)
    onChange()
  }

  async function open(): Promise<void> {
    undo.push(holdLock(config.state_dir, clock, logger, () => options.onLockLost?.()))
    const since = contentsFingerprint(certificateFiles(config))
    const loaded = loadMasterMaterial(config, { now: clock.now() })
    if (loaded.problems.some(isError)) throw new ProvisionError(loaded.problems)
    material = loaded.material
    identity = ensureIdentity(config, given.demand ? undefined : await learnClusterId(options))
    const hosts = await dialledHosts(options)
    const prepared = await preparePools({ ...options, identity, material, hosts, now: clock.now })
    if (!prepared.pools) throw new ProvisionError([...loaded.problems, ...prepared.problems])
    tellProblems(logger, [...loaded.problems, ...prepared.problems])
    pools = prepared.pools
    telemetry = openTelemetry({ ...options, status: running.status, certificateEnds: () => endOf(material) })
    undo.push(telemetry.close)
    const questions = anyOf([control, ...telemetry.handlers])
    const { mayJoin } = running
    const opened = await openDemand({ ...options, identity, material, mayJoin, control: questions })
    demand = opened
    undo.push(() => opened.close())
    doors = await openDoors({
      ...options,
      control: questions,
      info: infoOf(identity, options),
      further: opened.handlers ?? [],
    })
    undo.push(doors.close)
    undo.push(
      watchCertificate({
        config,
        serve: opened.renew,
        pools,
        current: () => material,
        clock,
        logger,
        since,
        onRenewed(renewed) {
          material = renewed
          running.renewed()
        },
      }),
    )
    undo.push(() => end(opened))
    await running.start({ ...options, pools, demand: opened.source, onEvent, metrics: telemetry.metrics })
    undo.push(opened.onAgent?.(onChange) ?? (() => {}))
  }

  function about() {
    return {
      version: options.version,
      clusterId: identity?.clusterId,
      writerId: identity?.writerId,
      demand: demand?.source.kind,
      startedAt,
      now: clock.now(),
    }
  }

  /** The processes of local VMs end with their pools; the next start must not wait for their agents. */
  async function end(opened: OpenedDemand): Promise<void> {
    const local = rows().filter((row) => row.local)
    await running.stop()
    opened.forget?.(
      local.map(({ instance }) => instance),
      'the provisioner stopped',
    )
  }

  async function takeOver(after: MasterConfig): Promise<Reloaded> {
    if (!pools) throw new TypeError('a provisioner reloads only after it has started')
    const reloaded = await reload({ ...options, before: inForce, after, pools, running })
    inForce = reloaded.config
    return reloaded
  }

  /** What is half opened could not be closed. */
  async function stop(): Promise<void> {
    await starting?.catch(() => {})
    await close()
  }

  async function close(): Promise<void> {
    for (const step of undo.splice(0).reverse()) await step()
  }

  function rows(): FleetRow[] {
    const known: AgentView[] | undefined = demand?.agents?.()
    return running
      .status()
      .pools.flatMap((status) => fleetRows(status, known ?? agentViews(status), pools!.get(status.pool)))
  }

  const provisioner: Provisioner = {
    async start() {
      if (stopped) throw new TypeError('a provisioner that was stopped is not started again')
      starting = open()
      try {
        await starting
      } catch (error) {
        await close()
        throw error
      }
    },
    stop: () => (stopped ??= stop()),
    status: running.status,
    reload: (after) => oneByOne(() => takeOver(after)),
    rows,
    get master() {
      return demand?.listener
    },
    get listener() {
      return doors?.listener
    },
    ...createOrders(running),
  }
  const control = controlHandler({ provisioner, config, about })
  return provisioner
}

/** The first of the chain to end. */
function endOf(material: TlsMaterial | undefined): number | undefined {
  return material && Math.min(...material.path.certificates.map(({ x509 }) => x509.validToDate.getTime()))
}

function infoOf({ clusterId }: Identity, { config, version }: ProvisionerOptions): Info {
  return { version, cluster_id: clusterId, cluster_name: config.cluster_name }
}

/** A source that is given says by itself what kind it is, whatever the file says; of a kind that no file names, it is as one that is pushed. */
function configOf({ config, demand }: ProvisionerOptions): MasterConfig {
  if (!demand) return config
  const type = demandTypes.find((known) => known === demand.kind) ?? 'push'
  return { ...config, demand: { ...config.demand, type } }
}
