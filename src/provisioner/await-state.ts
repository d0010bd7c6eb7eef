// A start before its database: hosts and services come up in any order, so the daemon waits for it, as other services do.
import { type Clock, delayAfter, type Growth, type Logger } from '../platform/index.ts'
import { type Problem, type ProblemCode, ProvisionError } from '../problems/index.ts'

/** Milliseconds between two attempts. */
const pauses: Growth = { first: 500, most: 4_000 }

/** These pass by themselves: the server is down, starts, has no connection left, or is a standby that will be promoted. */
const passing: readonly ProblemCode[] = ['STATE_UNREACHABLE', 'STATE_READ_ONLY']

export interface AwaitStateOptions {
  clock: Clock
  logger: Logger
  random: () => number
  /** Ends the wait: the problem is thrown then. Undefined: there is no wait. */
  signal: AbortSignal | undefined
}

/**
 * Repeats `hold` while the state cannot be reached, and logs each new reason. Throws every other problem at once: a wrong
 * password or a missing database does not pass by itself.
 */
export async function onceThere<T>(hold: () => Promise<T>, options: AwaitStateOptions): Promise<T> {
  const { clock, logger, random, signal } = options
  const begun = clock.now()
  let logged: string | undefined
  for (let failures = 1; ; failures++)
    try {
      const held = await hold()
      if (logged !== undefined)
        logger.info('the state can be used; the start continues', {
          waited: `${Math.round((clock.now() - begun) / 1000)}s`,
        })
      return held
    } catch (error) {
      const found = passingFault(error)
      if (!found || !signal || signal.aborted) throw error
      if (found.message !== logged) {
        const { code, message: why, remedy } = found
        logger.warn('waiting for the state: nothing is started until it can be used', { code, why, remedy })
        logged = found.message
      }
      await clock.sleep(delayAfter(failures, pauses, random), signal).catch(() => {})
      if (signal.aborted) throw error
    }
}

/** Why the state cannot be used now, if that passes by itself. */
export function passingFault(error: unknown): Problem | undefined {
  if (!(error instanceof ProvisionError)) return undefined
  return error.problems.find(({ code }) => passing.includes(code))
}
