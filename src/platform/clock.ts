// A monotonic clock: setting the time, by a person or NTP, does not change measured durations.
import { setTimeout as wait } from 'node:timers/promises'
import { uptimeMs } from './boot.ts'
import type { Clock } from './ports.ts'

/** Milliseconds. A larger lag behind the uptime means that the machine was suspended; it is added to the time. */
const catchUpAfter = 1000
/** Milliseconds between two reads of the uptime. */
const uptimeFor = 1000

export interface SteadySources {
  /** The time of day. Read once. */
  wall: () => number
  /** Monotonic; on some systems it stops while the machine is suspended. */
  ticks: () => number
  /** Time since the boot of the machine, including suspend; undefined if it is not available. */
  uptime: () => number | undefined
}

/** The time of day at the first read, then advanced by the ticks. All in milliseconds; returns integers since the epoch. */
export function steadyNow({ wall, ticks, uptime }: SteadySources): () => number {
  let start: { wall: number; ticks: number; uptime: number | undefined } | undefined
  let suspended = 0
  let readUptimeAt = 0
  return () => {
    const at = ticks()
    // Not at load time: a program started from a memory snapshot was loaded long ago.
    start ??= { wall: wall(), ticks: at, uptime: uptime() }
    const passed = at - start.ticks
    if (start.uptime !== undefined && passed >= readUptimeAt) {
      readUptimeAt = passed + uptimeFor
      const behind = (uptime() ?? start.uptime) - start.uptime - passed - suspended
      if (behind > catchUpAfter) suspended += behind
    }
    return Math.floor(start.wall + passed + suspended)
  }
}

export const systemClock: Clock = {
  now: steadyNow({ wall: Date.now, ticks: () => performance.now(), uptime: uptimeMs }),
  wall: Date.now,
  async sleep(ms, signal) {
    try {
      await wait(ms, undefined, { signal })
    } catch (error) {
      throw signal?.aborted ? signal.reason : error
    }
  },
}

/** The time of day, for output and for comparisons with dates of certificates and files. */
export function wallTime(clock: Clock): number {
  return clock.wall?.() ?? clock.now()
}
