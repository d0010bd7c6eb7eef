// What may stand in the fields of a trace, and what it means.
import { formatDuration, parseDuration } from '../platform/duration.ts'

const year = 366 * 24 * 3_600_000
const mostSlots = 100_000
const longestName = 200

/** A value, or what is wrong with the text, in words that go on from `submit "x" `. */
export type Value<T> = { value: T } | { wrong: string }

export interface Moment {
  /** Milliseconds: since the epoch for a date, else since whatever the trace counts from. */
  ms: number
  isDate: boolean
}

const number = /^\d+(?:\.\d+)?$/
const isoDate = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(Z|[+-]\d\d:?\d\d)?$/i

/** Seconds, a duration, or an ISO 8601 date; without an offset a date is in UTC. */
export function readMoment(text: string): Value<Moment> {
  const date = isoDate.exec(text)
  if (date) return readDate(text, date)
  const span = readSpan(text)
  if (span === undefined)
    return { wrong: 'is no time: write seconds, a duration such as 1h30m, or 2026-11-23T09:00:00Z' }
  // Seconds since the epoch are seconds, too.
  if (span < 0 || span > 10_000 * year) return { wrong: 'is out of range' }
  return { value: { ms: span, isDate: false } }
}

function readDate(text: string, [, year = '', month, day, , , , zone]: RegExpExecArray): Value<Moment> {
  const ms = Date.parse(text.replace(' ', 'T').toUpperCase() + (zone === undefined ? 'Z' : ''))
  // Date.parse takes 30 February for 2 March.
  const real = new Date(`${year}-${month}-${day}T00:00:00Z`)
  const exists = !Number.isNaN(ms) && real.getUTCDate() === Number(day)
  return exists ? { value: { ms, isDate: true } } : { wrong: 'is no date of the calendar' }
}

/** Milliseconds, from 0 to 366 days. */
export function readLength(text: string): Value<number> {
  const span = readSpan(text)
  if (span === undefined) return { wrong: 'is no duration: write seconds, or such as 90s or 1h30m' }
  if (span < 0) return { wrong: 'is negative' }
  return span > year ? { wrong: `is longer than ${formatDuration(year)}` } : { value: span }
}

/** Milliseconds of seconds or of a Go duration; undefined when the text is neither. */
function readSpan(text: string): number | undefined {
  const ms = number.test(text) ? Number(text) * 1000 : parseDuration(text)
  return ms === undefined ? undefined : Math.round(ms)
}

/** A whole number from 0 to 100,000. */
export function readSlots(text: string): Value<number> {
  if (!/^\d+$/.test(text)) return { wrong: 'is no whole number of slots' }
  return Number(text) > mostSlots ? { wrong: 'is more than 100,000 slots' } : { value: Number(text) }
}

/** What names a job or a piece of work: one line, not too long to be shown. */
export function readName(text: string): Value<string> {
  if (text.length > longestName) return { wrong: `has more than ${longestName} characters` }
  return /\p{Cc}/u.test(text) ? { wrong: 'holds control characters' } : { value: text }
}
