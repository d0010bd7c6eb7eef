// Whether the master answers, and how soon one that does not is asked again.
import type { Clock, Logger } from '../../platform/ports.ts'
import { type Problem, ProvisionError, problem } from '../../problems/problem.ts'

export interface Outage {
  /** Why the master cannot be used; undefined while it answers. */
  problem(): Problem | undefined
  /** Milliseconds until it may be asked again; 0 while it answers. */
  wait(): number
  /** Runs the task, unless it is too early: then the last failure is thrown again, and nobody is asked. */
  attempt<T>(task: () => Promise<T>): Promise<T>
}

export interface OutageOptions {
  clock: Clock
  /** From 0 up to 1. */
  random: () => number
  logger: Logger
  /** What fails once it is aborted says nothing about the master. */
  signal: AbortSignal
}

const growth = { first: 1_000, most: 30_000 }

export function watchOutage({ clock, random, logger, signal }: OutageOptions): Outage {
  let failures = 0
  let since = 0
  let retryAt = 0
  let last: ProvisionError | undefined

  function failed(error: ProvisionError): void {
    const grown = Math.min(growth.most, growth.first * 2 ** Math.min(failures, 10))
    if (failures++ === 0) since = clock.now()
    retryAt = clock.now() + Math.round(grown * (1 + random() / 4))
    if (last?.message !== error.message)
      logger.warn('the Determined master cannot be used; nothing is launched or ended meanwhile', {
        code: error.code,
        why: error.problems[0]?.message,
      })
    last = error
  }

  return {
    problem: () => last?.problems[0],
    wait: () => (last ? Math.max(0, retryAt - clock.now()) : 0),
    async attempt(task) {
      if (last && clock.now() < retryAt) throw last
      try {
        const answer = await task()
        if (last)
          logger.info('the Determined master answers again', { seconds: (clock.now() - since) / 1000 })
        last = undefined
        failures = 0
        return answer
      } catch (error) {
        if (signal.aborted) throw error
        const known = error instanceof ProvisionError ? error : unknown(error)
        failed(known)
        throw known
      }
    },
  }
}

function unknown(cause: unknown): ProvisionError {
  const message = `the Determined master could not be read: ${cause instanceof Error ? cause.message : String(cause)}`
  return new ProvisionError(problem('INTERNAL', message, { cause }))
}
