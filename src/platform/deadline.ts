// A call that is not answered in time is given up: it must not hold up anything else.

import { ProvisionError, problem } from '../problems/problem.ts'
import type { Clock } from './ports.ts'

/** Runs the task; after `ms` its signal is aborted and CALL_TIMED_OUT is thrown, whether the task listens or not. */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  what: string,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const call = new AbortController()
  const timer = new AbortController()
  const timeout = clock.sleep(ms, timer.signal).then(
    () => {
      const message = `${what} was not answered within ${ms / 1000} s`
      const error = new ProvisionError(problem('CALL_TIMED_OUT', message, { details: { what, ms } }))
      call.abort(error)
      throw error
    },
    // The timer was stopped because the task is done: nobody waits for this any more.
    () => new Promise<never>(() => {}),
  )
  try {
    return await Promise.race([task(call.signal), timeout])
  } finally {
    timer.abort()
  }
}
