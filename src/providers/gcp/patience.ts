// Calls that may be sent again as they are, because they ask or carry a request id: repeated while that helps.
import type { Clock } from '../../platform/ports.ts'
import { gceErrorIn } from './errors.ts'
import { gceFailure } from './gce-failure.ts'

const attempts = 5
const firstPauseMs = 1000

/** Longer at each attempt, or as long as the server asks for; quotas of requests refill by the minute. */
export async function patiently<T>(ask: () => Promise<T>, clock: Clock, signal?: AbortSignal): Promise<T> {
  for (let attempt = 1; ; attempt++)
    try {
      return await ask()
    } catch (error) {
      signal?.throwIfAborted()
      if (attempt === attempts || !passes(error)) throw error
      await clock.sleep(pauseMs(error, attempt), signal)
    }
}

/** Whether the same call may well succeed a moment later. */
export function passes(error: unknown): boolean {
  const { class: kind } = gceFailure(error, 'ask')
  return kind === 'throttle' || kind === 'transient'
}

export function pauseMs(error: unknown, attempt: number): number {
  return Math.max(gceErrorIn(error)?.retryAfterMs ?? 0, firstPauseMs * 2 ** (attempt - 1))
}
