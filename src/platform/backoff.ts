// Backoff: the delay after the nth failure in a row, and a call that is retried with these delays.
import { notSentIn } from './may-act.ts'
import type { Clock } from './ports.ts'

/** How delays grow. The caller chooses all numbers. */
export interface Growth {
  /** Milliseconds after the first failure. */
  first: number
  /** The longest delay in milliseconds, without jitter. */
  most: number
  /** Each delay is this many times the previous one; default 2. */
  factor?: number
}

const noJitter = () => 0

/**
 * Delay in milliseconds after the nth failure in a row. With `random` (from 0 up to 1), up to a quarter is added as
 * jitter, so that many callers do not retry together. Jitter never shortens a delay.
 */
export function delayAfter(
  failures: number,
  { first, most, factor = 2 }: Growth,
  random: () => number = noJitter,
): number {
  const grown = Math.min(most, first * factor ** (failures - 1))
  return Math.round(grown * (1 + random() / 4))
}

export interface RetryOptions {
  /** Number of calls, including the first one. */
  tries: number
  pauses: Growth
  /** Whether the same call may succeed a moment later. */
  isRetryable: (error: unknown) => boolean
  /** Shortest delay in milliseconds that the failed call requires. */
  requestedPause?: (error: unknown) => number | undefined
  clock: Clock
  signal?: AbortSignal | undefined
}

/**
 * Repeats the call while it fails with a transient error, unless this process may not act any more. Rejects with the error of
 * the last try, or with the reason of `signal` once that is aborted.
 */
export async function retry<T>(call: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { tries, pauses, isRetryable, requestedPause, clock, signal } = options
  for (let failures = 1; ; failures++)
    try {
      return await call()
    } catch (error) {
      signal?.throwIfAborted()
      if (failures >= tries || notSentIn(error) || !isRetryable(error)) throw error
      await clock.sleep(Math.max(delayAfter(failures, pauses), requestedPause?.(error) ?? 0), signal)
    }
}
