// A pool that could not be started is started again, each time after a longer wait; no failure is final.
import { type Clock, delayAfter, type Growth } from '../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../problems/index.ts'

const waits: Growth = { first: 5_000, most: 300_000 }

export interface PoolRetries {
  /** `again` is called for the pool after a wait, the longer the more often it has failed in a row. */
  failed(pool: string): void
  /** It runs, or a person has ordered its start: the wait is cancelled. */
  cancel(pool: string): void
  /** It runs: its next failure counts as the first. */
  succeeded(pool: string): void
  stop(): void
}

export function createPoolRetries(again: (pool: string) => void, clock: Clock): PoolRetries {
  const failures = new Map<string, number>()
  const waiting = new Map<string, AbortController>()
  let isStopped = false

  function cancel(pool: string): void {
    waiting.get(pool)?.abort()
    waiting.delete(pool)
  }

  return {
    cancel,
    failed(pool) {
      cancel(pool)
      if (isStopped) return
      const count = (failures.get(pool) ?? 0) + 1
      failures.set(pool, count)
      const wait = new AbortController()
      waiting.set(pool, wait)
      clock.sleep(delayAfter(count, waits, Math.random), wait.signal).then(
        () => again(pool),
        () => {},
      )
    },
    succeeded(pool) {
      cancel(pool)
      failures.delete(pool)
    },
    stop() {
      isStopped = true
      for (const pool of [...waiting.keys()]) cancel(pool)
    },
  }
}

/** Why a pool could not be started. None of these ends the program. */
export function startProblems(pool: string, error: unknown): Problem[] {
  if (error === undefined) return []
  if (error instanceof ProvisionError) return error.problems
  const why = error instanceof Error ? error.message : String(error)
  return [
    problem('POOL_START_FAILED', `pool ${pool} could not be started: ${why}; the start is retried`, {
      cause: error,
    }),
  ]
}
