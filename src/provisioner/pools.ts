// The pools of one provisioner, each with its own loop: a failure in one does not affect the others.

import type { ProvidedPool } from '../agent-setup/index.ts'
import type { DemandSource } from '../demand/index.ts'
import {
  type Admission,
  type ClusterLocation,
  type FleetEvent,
  type OwnWriters,
  type PoolStatus,
  withAdopted,
} from '../fleet/index.ts'
import type { LaunchedInstance } from '../join/index.ts'
import { type Clock, type Logger, limit, type Metrics } from '../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../problems/index.ts'
import type { AnyProvider } from '../providers/index.ts'
import type { StateStore } from '../state/index.ts'
import type { PoolPlans } from './plans.ts'
import { createPoolRetries, startProblems } from './pool-retries.ts'
import type { JoinProbe } from './preflight-gate.ts'
import { poolSettings, type RunningPool, runPool } from './running-pool.ts'
import { createSharedClusters, type SharedClusters } from './shared-clusters.ts'
import type { Term } from './term.ts'

/** A pool that could not be started yet, and why; the start is retried while the others run. */
export interface FailedPool {
  pool: string
  problems: Problem[]
}

export interface PoolsStatus {
  /** In the order of the configuration. */
  pools: PoolStatus[]
  failed: FailedPool[]
  /** Pools that this process does not lead. */
  elsewhere: string[]
}

export interface RunningPools {
  /** What pools are started with, before any is. */
  prepare(options: StartPools): void
  /** All at once, under one term. Throws the first failure when no pool could be started, each for a known reason. */
  start(term: Term): Promise<void>
  /** Starts a pool, and keeps trying. Never rejects. */
  lead(pool: string, term: Term): Promise<void>
  /** Stops a pool: its agents are left as a restart finds them. */
  leave(pool: string): Promise<void>
  /** Somebody else leads the pool: it is stopped without a call to the cloud or the master. */
  abandon(pool: string): Promise<void>
  /** Stops every pool, even if stopping another fails. */
  stop(): Promise<void>
  /** Throws POOL_UNKNOWN, or POOL_NOT_RUNNING with the reason why it did not start. */
  get(pool: string): RunningPool
  all(): RunningPool[]
  status(): PoolsStatus
  /** Pools that this process does not lead. */
  elsewhere(): string[]
  /** Pools that this process leads, and whose start is neither done nor has failed. */
  starting(): string[]
  /** It is led here, and its instances are known. */
  isRunning(pool: string): boolean
  /** Whether the agent with this id belongs to an instance of the pool that can run; `later` while that is not known. */
  mayJoin(pool: string, id: string): Admission
  /** The instance with this id of a pool that runs here, as far as the proof of what it is needs it. */
  launched(id: string): LaunchedInstance | undefined
  /** When the newest complete listing of the pool began, if there is no instance with this id; undefined while there may be. */
  unlistedAt(pool: string, id: string, knownAt: number): number | undefined
  /** Where the instances of a pool are; undefined for a pool that does not run. */
  locationOf(pool: string): ClusterLocation | undefined
  /** The certificate has changed, and the plans with it. */
  certificateChanged(): void
  /** The limits of the pool have changed. */
  reconfigure(pool: string): void
  /** Restarts the loop of the pool, or retries its start; its VMs keep running. */
  restart(pool: string): Promise<void>
  /** The store answers again: tries at once to start the pool, if that has failed, or to repair its journal. */
  retry(pool: string): void
  /** Restarts all that run or are being started: their journals are not what they wrote. */
  reopen(): void
}

export interface StartPools {
  /** Every kind of provider there is. */
  providers: readonly AnyProvider[]
  plans: PoolPlans
  /** See `Identity` and `PoolDeps`. */
  provisionerId: string
  ownWriters: OwnWriters
  /** Reads what other provisioners that share the state have noted; before each pool starts. */
  refresh?: () => Promise<void>
  /** Further writers whose instances of the pool a person has adopted. */
  adoptedOf?: (pool: string) => ReadonlySet<string>
  stateDir: string
  store: Pick<StateStore, 'openJournal'>
  /** Where a pool requires join proofs. */
  joins?: JoinProbe | undefined
  demand: DemandSource
  env: Readonly<Record<string, string | undefined>>
  onEvent: (event: FleetEvent) => void
  /** Resolves when it is stored; nothing is launched there before. */
  onLocation: (place: ClusterLocation) => Promise<void>
  /** The store has nothing of an earlier run. Asked for each pool without a journal. */
  isFirstStart: () => Promise<boolean>
  /** A listing of the pool was complete, and the pool's loop has applied it. */
  onListed?: (pool: string) => void
  clock: Clock
  logger: Logger
  metrics: Metrics
}

export interface RunningPoolsOptions {
  clock: Clock
  logger: Logger
  /** This process has the right to lead the pool, and may not have begun yet. */
  isOurs?: (pool: string) => boolean
}

export function createRunningPools(
  provided: ProvidedPool[],
  { clock, logger, isOurs = () => false }: RunningPoolsOptions,
): RunningPools {
  const names = provided.map((pool) => pool.pool_name)
  const running = new Map<string, RunningPool>()
  const failed = new Map<string, unknown>()
  const terms = new Map<string, Term>()
  const restarts = new Set<Promise<void>>()
  let clusters: SharedClusters | undefined
  let started: StartPools | undefined
  let isStopping = false
  const retries = createPoolRetries((name) => void restart(name), clock)
  const oneByOne = new Map(names.map((name) => [name, limit(1)]))
  const all = () => names.flatMap((name) => running.get(name) ?? [])
  const elsewhere = () => names.filter((name) => !terms.has(name))
  const isLed = (name: string) => terms.has(name) || isOurs(name)

  async function startOne(name: string, term: Term): Promise<void> {
    const { plans, refresh, ...rest } = started!
    try {
      const ownWriters = async () => {
        await refresh?.()
        return withAdopted(rest.ownWriters, rest.adoptedOf?.(name))
      }
      const owner = plans.ownerOf(name)
      clusters ??= createSharedClusters({ ...rest, clusterId: owner.clusterId, random: Math.random })
      const plan = () => plans.get(name)
      const pool = await runPool({ ...rest, ownWriters, plan, owner, clusters, term })
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
    await end(name)
    const term = terms.get(name)
    if (term && !isStopping) await startOne(name, term)
  }

  async function end(name: string): Promise<void> {
    const before = running.get(name)
    running.delete(name)
    await before?.stop().catch((error: unknown) => notStopped(name, error))
  }

  async function restart(name: string): Promise<void> {
    if (isStopping) return
    await inTurn(name, () => beginAnew(name))
  }

  async function inTurn(name: string, work: () => Promise<void>): Promise<void> {
    const oneAtATime = oneByOne.get(name)!
    const begun = oneAtATime(work)
    restarts.add(begun)
    await begun.finally(() => restarts.delete(begun))
  }

  function forget(name: string): void {
    terms.delete(name)
    failed.delete(name)
    retries.succeeded(name)
  }

  function notStopped(pool: string, error: unknown): void {
    logger.error('a pool could not be stopped', { pool, error })
  }

  return {
    all,
    prepare(options) {
      started = options
    },
    async start(term) {
      for (const name of names) terms.set(name, term)
      await Promise.all(names.map((name) => inTurn(name, () => startOne(name, term))))
      // An unexpected error may be gone at the next try; a known problem of the pools is not.
      const errors = [...failed.values()]
      if (running.size > 0 || !errors[0] || !errors.every((error) => error instanceof ProvisionError)) return
      for (const name of names) retries.cancel(name)
      throw errors[0]
    },
    lead: (name, term) =>
      inTurn(name, async () => {
        terms.set(name, term)
        if (!isStopping) await startOne(name, term)
      }),
    leave: (name) =>
      inTurn(name, async () => {
        await end(name)
        forget(name)
      }),
    async abandon(name) {
      // At once, whatever the pool is waiting for.
      running.get(name)?.fleet.abandon()
      await inTurn(name, async () => {
        await end(name)
        forget(name)
      })
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
        names.includes(name) ? notRunning(name, failed.get(name), isLed(name)) : unknown(name, names),
      )
    },
    status: () => ({
      pools: all().map(({ fleet }) => fleet.status()),
      failed: [...failed].map(([pool, error]) => ({ pool, problems: startProblems(pool, error) })),
      elsewhere: elsewhere(),
    }),
    elsewhere,
    starting: () =>
      isStopping ? [] : names.filter((name) => isLed(name) && !running.has(name) && !failed.has(name)),
    isRunning: (name) => running.has(name),
    mayJoin: (name, id) => running.get(name)?.fleet.admission(id) ?? 'later',
    launched(id) {
      for (const { fleet } of running.values()) {
        const instance = fleet.instance(id)
        if (!instance) continue
        const { zone, launchedAt, addresses = [] } = instance
        const isAlive = fleet.admission(id) === 'yes'
        return { id, pool: fleet.pool, ...(zone && { zone }), addresses, launchedAt, isAlive }
      }
      return undefined
    },
    unlistedAt: (name, id, knownAt) => running.get(name)?.fleet.unlistedAt(id, knownAt),
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
    retry(name) {
      if (failed.has(name)) void restart(name)
      else running.get(name)?.fleet.repair()
    },
    // Also one that is being started, perhaps from what was read before.
    reopen: () => names.filter((name) => terms.has(name)).forEach((name) => void restart(name)),
  }
}

function unknown(name: string, names: string[]): Problem {
  return problem('POOL_UNKNOWN', `there is no pool ${name}; the pools are: ${names.join(', ')}`)
}

function notRunning(name: string, error: unknown, isLed: boolean): Problem {
  const say = (why: string, remedy?: string) =>
    problem('POOL_NOT_RUNNING', `pool ${name} is not running here: ${why}`, { remedy })
  const [first] = startProblems(name, error)
  if (first) return say(first.message)
  if (isLed) return say('it is being started', 'Repeat the order in 10 s; `provision status` shows the pool.')
  return say(
    'another provisioner leads it, or none',
    'See `provision status`: it names the leader of each pool.',
  )
}
