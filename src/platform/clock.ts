// A monotonic clock: neither a person nor NTP changes what is measured by it.
import { setTimeout as wait } from 'node:timers/promises'
import { uptimeMs } from './boot.ts'
import type { Clock } from './ports.ts'

/** Milliseconds. More than this behind the uptime, and it is caught up with: the machine was suspended. */
const catchUpAfter = 1000
/** Milliseconds. A suspend need not be noticed sooner. */
const uptimeFor = 1000

export interface SteadySources {
  /** The time of day. Read once. */
  wall: () => number
  /** Monotonic; stands still while the machine is suspended on some systems. */
  ticks: () => number
  /** Since the start of the machine, counting suspend; undefined where it cannot be known. */
  uptime: () => number | undefined
}

/** The time of day at the first read, then advanced by the ticks. All in milliseconds; returns integers since the epoch. */
export function steadyNow({ wall, ticks, uptime }: SteadySources): () => number {
  let begun: { wall: number; ticks: number; uptime: number | undefined } | undefined
  let suspended = 0
  let askAt = 0
  return () => {
    const at = ticks()
    // Not before: a program that is started from a snapshot of its memory has been loaded long ago.
    begun ??= { wall: wall(), ticks: at, uptime: uptime() }
    const passed = at - begun.ticks
    if (begun.uptime !== undefined && passed >= askAt) {
      askAt = passed + uptimeFor
      const behind = (uptime() ?? begun.uptime) - begun.uptime - passed - suspended
      if (behind > catchUpAfter) suspended += behind
    }
    return Math.floor(begun.wall + passed + suspended)
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

/** The time of day, for output to people and for dates from outside, such as those of certificates and files. */
export function wallTime(clock: Clock): number {
  return clock.wall?.() ?? clock.now()
}
