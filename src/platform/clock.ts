// The machine's clock, made steady: neither a person who sets it nor NTP moves what is measured by it.
import { setTimeout as wait } from 'node:timers/promises'
import { uptimeMs } from './boot.ts'
import type { Clock } from './ports.ts'

/** Milliseconds. More than this behind the uptime, and it is caught up with: the machine was suspended. */
const catchUpAfter = 1000
/** Milliseconds. A suspend need not be noticed sooner. */
const uptimeFor = 1000

export interface SteadySources {
  /** The time of day. Asked once. */
  wall: () => number
  /** Monotonic; stands still while the machine is suspended on some systems. */
  ticks: () => number
  /** Since the start of the machine, counting suspend; undefined where it cannot be known. */
  uptime: () => number | undefined
}

/** The time of day when it is first asked, going on with the ticks from then. All in milliseconds; whole ones since the epoch come out. */
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

/** The time of day, for what is shown to people and for what the world dates, such as certificates and files. */
export function wallTime(clock: Clock): number {
  return clock.wall?.() ?? clock.now()
}
