// A logger that keeps its lines, as `level message {fields}`; of an error its message.
import type { LogFields, Logger } from '../../src/platform/ports.ts'

export interface CapturingLogger extends Logger {
  lines: string[]
}

export function capturingLogger(): CapturingLogger {
  const lines: string[] = []
  const at = (level: string) => (message: string, fields?: LogFields) => {
    lines.push([level, message, ...(fields ? [JSON.stringify(fields, messageOf)] : [])].join(' '))
  }
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

function messageOf(_: string, value: unknown): unknown {
  return value instanceof Error ? value.message : value
}
