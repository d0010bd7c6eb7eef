// The Logger port on a stream: JSON lines for machines, short lines for people.
import type { Clock, LogFields, Logger } from './ports.ts'
import { redact } from './redact.ts'

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
          new Date(clock.now()).toISOString(),
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
