// The Logger port on a stream: JSON lines for machines, short lines for people.

import { type Problem, placeOf } from '../problems/index.ts'
import { wallTime } from './clock.ts'
import type { Clock, LogFields, Logger } from './ports.ts'

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
  const log =
    (own: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      if (rank[own] < rank[level]) return
      write(
        render(
          own,
          new Date(wallTime(clock)).toISOString(),
          redact(message) as string,
          redact(fields) as LogFields,
        ),
      )
    }
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }
}

function jsonLine(level: LogLevel, time: string, message: string, fields: LogFields): string {
  return `${JSON.stringify({ time, level, message, ...fields })}\n`
}

function textLine(level: LogLevel, time: string, message: string, fields: LogFields): string {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined && !isEmptyList(value))
  const words = known.map(([name, value]) => `${name}=${plain(value)}`)
  return [time.slice(11, 19), level === 'info' ? '' : level, message, ...words]
    .filter(Boolean)
    .join(' ')
    .concat('\n')
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}

function plain(value: unknown): string {
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return plain(value.join(','))
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return /^[\w.:/@+-]+$/.test(text) ? text : JSON.stringify(text)
}

// What must never reach a log: values of secret-looking fields, private keys, tokens.

const secretField = /password|secret|token|authorization|private[-_]?key|credential/i
const secretText: RegExp[] = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /\bBearer\s+[\w.~+/=-]{8,}/gi,
  /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{4,}/g,
  /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g,
]
const mask = '********'

/** A copy with secrets masked; errors become their message and code. Cycles and depth beyond 8 become a note. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string')
    return secretText.reduce((text, pattern) => text.replace(pattern, mask), value)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null) return value
  if (depth > 8) return '(too deep)'
  if (value instanceof Error) return redact({ error: value.message, code: codeOf(value) }, depth + 1)
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      secretField.test(name) && item !== '' && item != null ? mask : redact(item, depth + 1),
    ]),
  )
}

function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

// Problems of a running process go to its log.

export function tellProblems(logger: Logger, problems: Problem[]): void {
  for (const { code, severity, message, where, remedy } of problems)
    (severity === 'error' ? logger.error : logger.warn)(message, {
      code,
      where: where && placeOf(where),
      remedy,
    })
}
