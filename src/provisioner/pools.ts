// The pools of one provisioner, each with its own loop: a failure in one does not affect the others.

import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { ProvidedPool } from '../agent-setup/index.ts'
import type { DemandSource } from '../demand/index.ts'
import {
  type Admission,
  type ClusterLocation,
  createPoolFleet,
  type FleetEvent,
  keyOf,
  type OwnWriters,
  type PoolFleet,
  type PoolSettings,
  type PoolStatus,
  withAdopted,
} from '../fleet/index.ts'
import { fixedPeriods, type Instance } from '../planner/index.ts'
import {
  bootMark,
  type Clock,
  fileNameOf,
  type Logger,
  limit,
  type Metrics,
  tellProblems,
} from '../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../problems/index.ts'
import { type AnyProvider, definitionOf, type Ownership, type Provider } from '../providers/index.ts'
import type { JournalOptions, OpenedJournal, StateStore } from '../state/index.ts'
import { meteredDemand, meteredProvider } from './metered.ts'
import type { PoolPlans } from './plans.ts'
import { createPoolRetries, startProblems } from './pool-retries.ts'
import { type PreflightGate, preflightGate } from './preflight-gate.ts'
import type { ReadyPlan } from './prepare.ts'
import { createSharedClusters, type SharedClusters } from './shared-clusters.ts'

/** A pool that could not be started yet, and why; the start is retried while the others run. */
export interface FailedPool {
  pool: string
  problems: Problem[]
}

export interface PoolsStatus {
  /** In the order of the configuration. */
  pools: PoolStatus[]
  failed: FailedPool[]
}

export interface RunningPools {
  /** All at once. Throws the first failure when no pool could be started, each for a known reason. */
  start(options: StartPools): Promise<void>
  /** Stops every pool, even if stopping another fails. */
  stop(): Promise<void>
  /** Throws POOL_UNKNOWN, or POOL_NOT_RUNNING with the reason why it did not start. */
  get(pool: string): RunningPool
  all(): RunningPool[]
  status(): PoolsStatus
  /** Whether the agent with this id belongs to an instance of the pool that can run; `later` while that is not known. */
  mayJoin(pool: string, id: string): Admission
  /** Where the instances of a pool are; undefined for a pool that does not run. */
  locationOf(pool: string): ClusterLocation | undefined
  /** The certificate has changed, and the plans with it. */
  certificateChanged(): void
  /** The limits of the pool have changed. */
  reconfigure(pool: string): void
  /** Restarts the loop of the pool, or retries its start; its VMs keep running. */
  restart(pool: string): Promise<void>
  /** Restarts all that run: their journals are not what they wrote. */
  reopen(): void
}

export interface StartPools {
  /** Every kind of provider there is. */
  providers: readonly AnyProvider[]
  plans: PoolPlans
  /** See `Identity` and `PoolDeps`. */
  provisionerId: string
  ownWriters: OwnWriters
  /** Further writers whose instances of the pool a person has adopted. */
  adoptedOf?: (pool: string) => ReadonlySet<string>
  stateDir: string
  store: Pick<StateStore, 'openJournal'>
  demand: DemandSource
  env: Readonly<Record<string, string | undefined>>
  onEvent: (event: FleetEvent) => void
  /** Called before anything is launched there. */
  onLocation: (place: ClusterLocation) => void
  /** The store has nothing of an earlier run. */
  isFirstStart: boolean
  /** A listing of the pool was complete, and the pool's loop has applied it. */
  onListed?: (pool: string) => void
  clock: Clock
  logger: Logger
  metrics: Metrics
}

export function createRunningPools(
  provided: ProvidedPool[],
  { clock, logger }: { clock: Clock; logger: Logger },
): RunningPools {
  const names = provided.map((pool) => pool.pool_name)
  const running = new Map<string, RunningPool>()
  const failed = new Map<string, unknown>()
  const restarts = new Set<Promise<void>>()
  let clusters: SharedClusters | undefined
  let started: StartPools | undefined
  let isStopping = false
  const retries = createPoolRetries((name) => void restart(name), clock)
  const oneByOne = new Map(names.map((name) => [name, limit(1)]))
  const all = () => names.flatMap((name) => running.get(name) ?? [])

  async function startOne(name: string, { plans, ...rest }: StartPools): Promise<void> {
    try {
      const ownWriters = withAdopted(rest.ownWriters, rest.adoptedOf?.(name))
      const owner = plans.ownerOf(name)
      clusters ??= createSharedClusters({ ...rest, clusterId: owner.clusterId, random: Math.random })
      const plan = () => plans.get(name)
      const pool = await runPool({ ...rest, ownWriters, plan, owner, clusters })
      running.set(name, pool)
      failed.delete(name)
      retries.succeeded(name)
    } catch (error) {
      report(name, error)
      failed.set(name, error)
      retries.failed(name)
    }
  }

  /** Each reason is logged once, however often the start is retried. */
  function report(name: string, error: unknown): void {
    const messages = (of: unknown) => startProblems(name, of).map(({ message }) => message)
    const [now, before] = [messages(error), messages(failed.get(name))].map((list) => list.join('\n'))
    if (now !== before)
      logger.error('a pool could not be started', {
        pool: name,
        code: startProblems(name, error)[0]?.code,
        error,
      })
  }

  async function beginAnew(name: string): Promise<void> {
    retries.cancel(name)
    const before = running.get(name)
    running.delete(name)
    await before?.stop().catch((error: unknown) => notStopped(name, error))
    if (!isStopping) await startOne(name, started!)
  }

  async function restart(name: string): Promise<void> {
    if (isStopping) return
    const oneAtATime = oneByOne.get(name)!
    const begun = oneAtATime(() => beginAnew(name))
    restarts.add(begun)
    await begun.finally(() => restarts.delete(begun))
  }

  function notStopped(pool: string, error: unknown): void {
    logger.error('a pool could not be stopped', { pool, error })
  }

  return {
    all,
    async start(options) {
      started = options
      await Promise.all(names.map((name) => startOne(name, options)))
      // An unexpected error may be gone at the next try; a known problem of the pools is not.
      const errors = [...failed.values()]
      if (running.size > 0 || !errors[0] || !errors.every((error) => error instanceof ProvisionError)) return
      retries.stop()
      throw errors[0]
    },
    async stop() {
      isStopping = true
      retries.stop()
      // A pool that restarts is not among the running ones, but would run once its restart is done.
      await Promise.all(restarts)
      await Promise.all(
        [...running].map(([pool, { stop }]) => stop().catch((error: unknown) => notStopped(pool, error))),
      )
      await clusters?.close()
    },
    get(name) {
      const pool = running.get(name)
      if (pool) return pool
      throw new ProvisionError(
        names.includes(name) ? notRunning(name, failed.get(name)) : unknown(name, names),
      )
    },
    status: () => ({
      pools: all().map(({ fleet }) => fleet.status()),
      failed: [...failed].map(([pool, error]) => ({ pool, problems: startProblems(pool, error) })),
    }),
    mayJoin: (name, id) => running.get(name)?.fleet.admission(id) ?? 'later',
    locationOf: (name) => running.get(name)?.location,
    certificateChanged() {
      for (const pool of running.values()) pool.userDataChanged()
    },
    reconfigure(name) {
      const pool = running.get(name)
      pool?.fleet.reconfigure(poolSettings(started!.plans.get(name).pool, started!.providers))
      // Some limits are part of the user data.
      pool?.userDataChanged()
    },
    restart,
    reopen: () => all().forEach(({ fleet }) => void restart(fleet.pool)),
  }
}

function unknown(name: string, names: string[]): Problem {
  return problem('POOL_UNKNOWN', `there is no pool ${name}; the pools are: ${names.join(', ')}`)
}

function notRunning(name: string, error: unknown): Problem {
  const [first] = startProblems(name, error)
  return problem(
    'POOL_NOT_RUNNING',
    `pool ${name} is not running: ${first?.message ?? 'it is not started yet'}`,
  )
}

// One running pool: its provider, its preflight, its fleet loop and its journal. Nothing here affects another pool.

export interface RunPoolOptions {
  /** The current plan: a renewed certificate and a changed configuration change it. */
  plan: () => ReadyPlan
  owner: Ownership
  provisionerId: string
  ownWriters: OwnWriters
  stateDir: string
  store: Pick<StateStore, 'openJournal'>
  env: Readonly<Record<string, string | undefined>>
  providers: readonly AnyProvider[]
  /** What this pool shares with the others. */
  clusters: SharedClusters
  demand: DemandSource
  onEvent: (event: FleetEvent) => void
  onLocation: (place: ClusterLocation) => void
  isFirstStart: boolean
  onListed?: (pool: string) => void
  clock: Clock
  logger: Logger
  metrics: Metrics
}

export interface RunningPool {
  readonly fleet: PoolFleet
  readonly location: ClusterLocation
  instances(): Instance[]
  /** Dials the master again before anything more is launched. */
  userDataChanged(): void
  /** Ends the loop, then what runs only on this machine. */
  stop(): Promise<void>
}

const journalKind = 'fleet 1'

/** Throws a ProvisionError when the provider or the journal cannot be opened. */
export async function runPool(options: RunPoolOptions): Promise<RunningPool> {
  const { plan, owner, provisionerId, stateDir, store, logger } = options
  const { pool } = plan()
  const name = fileNameOf(pool.pool_name)
  const meter = { ...options, pool: pool.pool_name }
  const opening = await openProvider(options, join(stateDir, pool.provider.type, name))
  const provider = meteredProvider(opening, meter)
  const shared = options.clusters.viewOf(provider)
  const location = { provider: provider.kind, location: provider.location ?? {} }
  options.onLocation(location)
  const opened = await openedOrClosed(provider, store, {
    name: { pool: pool.pool_name },
    kind: journalKind,
    owner: { cluster: owner.clusterId, pool: owner.pool, writer: provisionerId },
  })
  tellProblems(logger, opened.problems)
  const gate = preflightGate(options)
  const fleet = createPoolFleet(
    {
      ...options,
      pool: pool.pool_name,
      owner,
      provider,
      ...(shared ? { shared } : {}),
      demand: meteredDemand(options.demand, meter),
      journal: opened.journal,
      journalDamaged: opened.problems.length > 0,
      isFirstStart: options.isFirstStart,
      locationKey: keyOf(location),
      bootMark,
      random: Math.random,
      newId: randomUUID,
      launchInputs: gate.launchInputs,
      onListed: () => options.onListed?.(pool.pool_name),
    },
    poolSettings(pool, options.providers),
  )
  const running: RunningPool = {
    fleet,
    location,
    instances: () => fleet.status().instances,
    userDataChanged: () => void gate.ask().catch(() => {}),
    async stop() {
      gate.stop()
      await fleet.stop()
      await provider.close()
      await opened.journal.close()
    },
  }
  try {
    await begin(gate, fleet)
  } catch (error) {
    await running.stop().catch(() => {})
    throw error
  }
  return running
}

/** The journal of the pool; if it cannot be opened, the provider is closed. */
async function openedOrClosed(
  provider: Provider,
  store: Pick<StateStore, 'openJournal'>,
  options: JournalOptions,
): Promise<OpenedJournal> {
  try {
    return await store.openJournal(options)
  } catch (error) {
    await provider.close().catch(() => {})
    throw error
  }
}

/** The preflight should be answered before the first turn of the loop; otherwise the loop waits for its next turn. */
async function begin(gate: PreflightGate, fleet: PoolFleet): Promise<void> {
  await gate.ask()
  await fleet.start()
}

async function openProvider(options: RunPoolOptions, folder: string): Promise<Provider> {
  const { pool, setup } = options.plan()
  const { open } = definitionOf(options.providers, pool.provider)
  return open({ ...options, config: pool.provider, master: setup.master, stateDir: folder })
}

// The settings of a pool: the configuration in the form of the planner.

export function poolSettings(pool: ProvidedPool, providers: readonly AnyProvider[]): PoolSettings {
  const { provider } = pool
  const definition = definitionOf(providers, provider)
  return {
    policy: {
      ...fixedPeriods,
      minInstances: provider.min_instances,
      maxInstances: provider.max_instances,
      maxIdle: provider.max_idle_agent_period,
      bootTimeout: provider.boot_timeout,
      reconnectWait: pool.agent_reconnect_wait,
      placementGrace: provider.placement_grace,
      maxAuxPerAgent: pool.max_aux_containers_per_agent,
      separateGangs: definition.separatesGangs?.(provider) === true ? true : undefined,
      launchRate: definition.onThisMachine ? undefined : provider.launch_rate,
    },
    // In the order they are tried: this keeps an on-demand fallback behind spot.
    offerings: definition.offerings(provider).map((offering, preference) => ({ ...offering, preference })),
    launchError: { timeout: provider.launch_error_timeout, retries: provider.launch_error_retries },
    visibility: definition.visibilityMs,
    ...(definition.largestLaunch === undefined ? {} : { largestLaunch: definition.largestLaunch }),
  }
}
