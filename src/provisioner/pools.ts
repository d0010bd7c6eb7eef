// The pools of one provisioner, each with its own loop: what goes wrong in one is its own affair.

import type { ProvidedPool } from '../agent-setup/pool-trust.ts'
import type { MasterConfig } from '../config/master-config.ts'
import type { DemandSource } from '../demand/source.ts'
import type { FleetEvent } from '../fleet/events.ts'
import type { PoolStatus } from '../fleet/status.ts'
import type { Clock, Logger, Metrics } from '../platform/ports.ts'
import { type Problem, ProvisionError, problem } from '../problems/problem.ts'
import { poolSettings } from './pool-settings.ts'
import type { PreparedPools } from './prepared-pools.ts'
import { type RunningPool, runPool } from './run-pool.ts'

/** A pool that could not be started, and why; the others run. */
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
  /** All at once. Throws the first failure when no pool could be started. */
  start(options: StartPools): Promise<void>
  /** Stops every pool, whatever happens to the others. */
  stop(): Promise<void>
  /** Throws POOL_UNKNOWN, or POOL_NOT_RUNNING with what kept it from starting. */
  get(pool: string): RunningPool
  all(): RunningPool[]
  status(): PoolsStatus
  /** Whether the agent of this id is one of a VM of the pool. */
  mayJoin(pool: string, id: string): boolean
  /** The certificate has changed. */
  renewed(): void
  /** The limits of the pool have changed. */
  reconfigure(pool: string): void
  /** Lets the loop of the pool begin anew, or tries once more to start it; its VMs run on. */
  restart(pool: string): Promise<void>
}

export interface StartPools {
  config: MasterConfig
  pools: PreparedPools
  demand: DemandSource
  env: Readonly<Record<string, string | undefined>>
  onEvent: (event: FleetEvent) => void
  clock: Clock
  logger: Logger
  metrics: Metrics
}

export function createRunningPools(provided: ProvidedPool[], { logger }: { logger: Logger }): RunningPools {
  const names = provided.map((pool) => pool.pool_name)
  const running = new Map<string, RunningPool>()
  const failed = new Map<string, unknown>()
  const restarts = new Set<Promise<void>>()
  let started: StartPools | undefined
  let isStopping = false
  const all = () => names.flatMap((name) => running.get(name) ?? [])

  async function startOne(name: string, { pools, config, ...rest }: StartPools): Promise<void> {
    try {
      const pool = await runPool({
        ...rest,
        prepared: () => pools.get(name),
        owner: pools.ownerOf(name),
        stateDir: config.state_dir,
      })
      running.set(name, pool)
      failed.delete(name)
    } catch (error) {
      failed.set(name, error)
      logger.error('a pool cannot be run', { pool: name, error })
    }
  }

  async function beginAnew(name: string): Promise<void> {
    const before = running.get(name)
    running.delete(name)
    await before?.stop().catch((error: unknown) => notStopped(name, error))
    if (!isStopping) await startOne(name, started!)
  }

  function notStopped(pool: string, error: unknown): void {
    logger.error('a pool could not be stopped', { pool, error })
  }

  return {
    all,
    async start(options) {
      started = options
      await Promise.all(names.map((name) => startOne(name, options)))
      if (running.size === 0 && failed.size > 0) throw [...failed.values()][0]
    },
    async stop() {
      isStopping = true
      // A pool that begins anew is not among those that run, and would do so once it has begun.
      await Promise.all(restarts)
      await Promise.all(
        [...running].map(([pool, { stop }]) => stop().catch((error: unknown) => notStopped(pool, error))),
      )
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
      failed: [...failed].map(([pool, error]) => ({ pool, problems: problemsOf(error) })),
    }),
    /** An agent that outlived a restart of ours may knock before the first listing; then nobody can call it foreign. */
    mayJoin(name, id) {
      const pool = running.get(name)
      return !pool?.hasListed() || pool.fleet.knows(id)
    },
    renewed() {
      for (const pool of running.values()) pool.renewed()
    },
    reconfigure(name) {
      const pool = running.get(name)
      pool?.fleet.reconfigure(poolSettings(started!.pools.get(name).pool))
      // Some limits are part of the user data.
      pool?.renewed()
    },
    async restart(name) {
      if (isStopping) return
      const restart = beginAnew(name)
      restarts.add(restart)
      await restart.finally(() => restarts.delete(restart))
    },
  }
}

function unknown(name: string, names: string[]): Problem {
  return problem('POOL_UNKNOWN', `no pool ${name} is run here; there are: ${names.join(', ')}`)
}

function notRunning(name: string, error: unknown): Problem {
  const [first] = problemsOf(error)
  return problem(
    'POOL_NOT_RUNNING',
    `pool ${name} does not run: ${first?.message ?? 'it is not started yet'}`,
  )
}

function problemsOf(error: unknown): Problem[] {
  if (error === undefined) return []
  if (error instanceof ProvisionError) return error.problems
  return [problem('INTERNAL', error instanceof Error ? error.message : String(error), { cause: error })]
}
