// The Logger port on a stream: JSON lines for programs, short lines for a terminal.

import { type Problem, placeOf } from '../problems/index.ts'
import { wallTime } from './clock.ts'
import type { Clock, LogFields, Logger } from './ports.ts'
import { printable } from './printable.ts'
import { isMaskedField } from './secret-names.ts'
import { maskSecrets, secretMask } from './secret-shapes.ts'

export type LogFormat = 'json' | 'text'
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

const rank: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 }

export interface LogOptions {
  format: LogFormat
  level: LogLevel
  clock: Clock
  write: (line: string) => void
}

export function createLogger({ format, level, clock, write }: LogOptions): Logger {
  const render = format === 'json' ? jsonLine : textLine
  const line = (own: LogLevel, time: string, message: string, fields: LogFields): string => {
    for (const limits of lineLimits) {
      const short = render(own, time, shortened(message, limits), shortened(fields, limits))
      if (Buffer.byteLength(short) <= longestLine) return short
    }
    return render(own, time, message.slice(0, lineLimits[0]!.characters), {})
  }
  const log =
    (own: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      if (rank[own] < rank[level]) return
      const time = new Date(wallTime(clock)).toISOString()
      write(line(own, time, redact(message) as string, redact(fields) as LogFields))
    }
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }
}

// A line that lists ten thousand instances helps nobody, and log shippers cut it or drop it.

/** Bytes of a line. */
const longestLine = 8192

interface Limits {
  characters: number
  items: number
}

/** Tried in turn, until the line is short enough. */
const lineLimits: Limits[] = [
  { characters: 4000, items: 20 },
  { characters: 500, items: 10 },
  { characters: 100, items: 3 },
]

/** A copy in which long strings and lists are cut, and say how much is left out. */
function shortened<T>(value: T, limits: Limits): T
function shortened(value: unknown, limits: Limits): unknown {
  const { characters, items } = limits
  if (typeof value === 'string')
    return value.length <= characters
      ? value
      : `${value.slice(0, characters)}… (${value.length - characters} more characters)`
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const first = value.slice(0, items).map((item) => shortened(item, limits))
    return value.length <= items ? first : [...first, `… (${value.length - items} more)`]
  }
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, shortened(item, limits)]))
}

function jsonLine(level: LogLevel, time: string, message: string, fields: LogFields): string {
  // Fields with these names must not replace them.
  const own = { time, level, message }
  return `${printable(JSON.stringify({ ...own, ...fields, ...own }))}\n`
}

function textLine(level: LogLevel, time: string, message: string, fields: LogFields): string {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined && !isEmptyList(value))
  const words = known.map(([name, value]) => `${name}=${plain(value)}`)
  const line = [time.slice(11, 19), level === 'info' ? '' : level, message, ...words]
    .filter(Boolean)
    .join(' ')
  return `${printable(line)}\n`
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}

function plain(value: unknown): string {
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return plain(value.join(','))
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return /^[\w.:/@+-]+$/.test(text) ? text : JSON.stringify(text)
}

// Masks secrets in the log: values of fields with such names, and what looks like a secret in any text.

/** A copy with secrets masked; errors become their message and code. Cycles and depth beyond 8 become a note. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return maskSecrets(value)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null) return value
  if (depth > 8) return '(too deep)'
  if (value instanceof Error) return redact({ error: value.message, code: codeOf(value) }, depth + 1)
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      isMaskedField(name) && item !== '' && item != null ? secretMask : redact(item, depth + 1),
    ]),
  )
}

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

// Problems of a running process go to its log.

export function tellProblems(logger: Logger, problems: Problem[]): void {
  for (const { code, severity, message, where, remedy } of problems) {
    const { setting } = where ?? {}
    ;(severity === 'error' ? logger.error : logger.warn)(message, {
      code,
      where: where && placeOf(where),
      ...(setting && { setting: setting.path ? `${setting.path} in ${placeOf(setting)}` : placeOf(setting) }),
      remedy,
    })
  }
}

// Groups events that others can cause, so that they do not fill the log.

/** Number of ids in one line; the total is logged beside them. */
const mostIds = 20

/** `a,b,c`, at most 20 of them; undefined when there are none. */
export function shortIds(ids: readonly string[]): string | undefined {
  if (ids.length === 0) return undefined
  const left = ids.length - mostIds
  return ids.slice(0, mostIds).join(',') + (left > 0 ? ` and ${left} more` : '')
}

export interface GroupedLogOptions {
  clock: Clock
  log: (message: string, fields: LogFields) => void
  /** Milliseconds in which events of one key give one line; default a minute. */
  every?: number
  /** Events of one key that are reported one by one before the rest of the period is counted; default 1. */
  freeOf?: number
  /** Number of distinct keys; all further keys count as one. */
  mostKeys?: number
}

/**
 * Logs the first `freeOf` events of a key at once. Further events in the period are counted; the first event after the
 * period logs them together, in one line with `count`.
 */
export function groupedLog({ clock, log, every = 60_000, freeOf = 1, mostKeys = 1000 }: GroupedLogOptions) {
  const groups = new Map<string, { until: number; free: number; count: number; last: () => void }>()

  function reportEnded(now: number): void {
    for (const [key, group] of groups) {
      // Groups are in the order in which their periods end.
      if (group.until > now) break
      groups.delete(key)
      if (group.count > 0) group.last()
    }
  }

  return (given: string, message: string, fields: LogFields): void => {
    const now = clock.now()
    reportEnded(now)
    const key = groups.has(given) || groups.size < mostKeys ? given : 'others'
    const group = groups.get(key)
    if (!group) {
      groups.set(key, { until: now + every, free: freeOf - 1, count: 0, last: () => {} })
      log(message, fields)
      return
    }
    if (group.free > 0) {
      group.free--
      log(message, fields)
      return
    }
    group.count++
    group.last = () => log(message, { ...fields, count: group.count })
  }
}
