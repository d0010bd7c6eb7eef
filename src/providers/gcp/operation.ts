// Follows an operation to its end with `wait`, which holds its answer back until there is something to tell.
import type { Clock } from '../../platform/ports.ts'
import type { GceApi, GceOperation } from './gce-api.ts'
import { isNotFound } from './gce-failure.ts'
import { lastPart } from './instances.ts'

export interface FollowInput {
  api: GceApi
  clock: Clock
  project: string
  /** Milliseconds until it is left to itself. */
  timeoutMs: number
  signal?: AbortSignal | undefined
}

/** `wait` is best effort, and may answer at once. */
const leastMs = 1000
/** Timers do not reach as far as an operation_timeout_period may. */
const longestMs = 600_000

/** The operation when it is done, or as it was when time was up. Rejects when it cannot be asked about. */
export async function follow(operation: GceOperation, input: FollowInput): Promise<GceOperation> {
  const { clock, timeoutMs, signal } = input
  const until = clock.now() + timeoutMs
  let latest = operation
  while (latest.status !== 'DONE') {
    const asked = clock.now()
    if (asked >= until) break
    const cut = AbortSignal.timeout(Math.min(until - asked, longestMs))
    const stop = signal ? AbortSignal.any([signal, cut]) : cut
    try {
      latest = await wait(latest, input, stop)
    } catch (error) {
      signal?.throwIfAborted()
      if (cut.aborted) continue
      // Operations are kept for two weeks: what is asked about has ended.
      if (isNotFound(error)) return { ...latest, status: 'DONE' }
      throw error
    }
    if (latest.status !== 'DONE' && clock.now() - asked < leastMs) await clock.sleep(leastMs, signal)
  }
  return latest
}

function wait({ name = '', zone, region }: GceOperation, { api, project }: FollowInput, signal: AbortSignal) {
  return zone
    ? api.waitInZone({ project, zone: lastPart(zone), operation: name }, signal)
    : api.waitInRegion({ project, region: lastPart(region), operation: name }, signal)
}
