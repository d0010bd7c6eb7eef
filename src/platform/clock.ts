// The machine's clock, made steady: what is measured by it must not be undone when somebody sets it.
import { setTimeout as wait } from 'node:timers/promises'
import type { Clock } from './ports.ts'

/** More than this behind the time of day, and it is caught up with: the machine slept, or its clock was set forward. */
const catchUpAfter = 1000

/**
 * The time of day when it starts, going on with `ticks` from then: a clock that is set back does not take it along, one that is
 * set forward does. Both are in milliseconds; whole milliseconds since the epoch come out.
 */
export function steadyNow(wall: () => number, ticks: () => number): () => number {
  let ahead = wall() - ticks()
  return () => {
    const behind = wall() - (ticks() + ahead)
    if (behind > catchUpAfter) ahead += behind
    return Math.floor(ticks() + ahead)
  }
}

export const systemClock: Clock = {
  now: steadyNow(Date.now, () => performance.now()),
  async sleep(ms, signal) {
    try {
      await wait(ms, undefined, { signal })
    } catch (error) {
      throw signal?.aborted ? signal.reason : error
    }
  },
}
