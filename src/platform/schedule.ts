// Recurring windows of time: cron expressions that begin them, and how long each lasts.
import { Cron } from 'croner'

export interface TimeWindow {
  /** Five fields, as in crontab, or a nickname such as `@daily`. */
  cron: string
  /** Milliseconds. */
  duration: number
  /** An IANA name; default UTC. */
  timeZone?: string | undefined
}

export interface Schedule {
  /** Whether a window is open at `now`, in milliseconds since the epoch. */
  isOpen(now: number): boolean
  /** When a window opens next after `now`; undefined: never. */
  opensAt(now: number): number | undefined
}

/** Throws for an expression or a time zone that `windowFault` reports. */
export function createSchedule(windows: readonly TimeWindow[]): Schedule {
  const each = windows.map((window) => ({ cron: cronOf(window), duration: window.duration }))
  const next = (cron: Cron, after: number) => cron.nextRun(new Date(after))?.getTime()
  return {
    isOpen: (now) => each.some(({ cron, duration }) => (next(cron, now - duration) ?? Infinity) <= now),
    opensAt(now) {
      const times = each.flatMap(({ cron }) => next(cron, now) ?? [])
      return times.length > 0 ? Math.min(...times) : undefined
    },
  }
}

function cronOf({ cron, timeZone = 'UTC' }: Pick<TimeWindow, 'cron' | 'timeZone'>): Cron {
  return new Cron(cron, { timezone: timeZone, mode: '5-part', paused: true })
}

/** What is wrong with a window: the field, and how it completes "must be …"; undefined: nothing. */
export function windowFault({
  cron,
  timeZone,
}: Pick<TimeWindow, 'cron' | 'timeZone'>): { field: 'cron' | 'timeZone'; why: string } | undefined {
  if (timeZone !== undefined && !isTimeZone(timeZone))
    return { field: 'timeZone', why: 'not a known time zone' }
  try {
    const isEver = cronOf({ cron }).nextRun(new Date(0)) !== null
    return isEver ? undefined : { field: 'cron', why: 'a time that never comes' }
  } catch (error) {
    return { field: 'cron', why: (error as Error).message.replace(/^CronPattern: /, '') }
  }
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) !== undefined
  } catch {
    return false
  }
}
