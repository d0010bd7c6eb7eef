// What happened to pools, a line each; the events are as the log of decisions keeps them.
import { clockTime } from './clock-time.ts'

export interface LoggedEvent {
  at: number
  kind: string
  [field: string]: unknown
}

/** Fields that a newer provisioner adds are let through; those that are missing leave a gap. */
export function eventLine(event: LoggedEvent, poolWidth = 0): string {
  const pool = String(event['pool'] ?? '').padEnd(poolWidth)
  return `${day(event.at)} ${clockTime(event.at)}  ${pool}  ${words(event)}`.trimEnd()
}

function day(at: number): string {
  return new Date(at).toISOString().slice(0, 10)
}

function words(event: LoggedEvent): string {
  const ids = textsOf(event['ids']).join(', ')
  switch (event.kind) {
    case 'decided':
      return `decided to ${event['move']} ${ids || countOf(event['count'])}: ${reasonWords(event['reason'])}`
    case 'held': {
      const reasons = Array.isArray(event['reasons']) ? event['reasons'].map(reasonWords) : []
      return reasons.length > 0 ? `holds back: ${reasons.join('; ')}` : 'holds nothing back any more'
    }
    case 'launched': {
      const missing = Number(event['missing'] ?? 0)
      return `launched ${ids || 'nothing'}${missing > 0 ? `; ${missing} not given` : ''}`
    }
    case 'problem': {
      const { code, message } = (event['problem'] ?? {}) as { code?: string; message?: string }
      return `${code} ${message}`
    }
    default:
      return `${event.kind} ${ids}`
  }
}

function reasonWords(reason: unknown): string {
  const { code, numbers = {} } = (reason ?? {}) as { code?: string; numbers?: Record<string, number> }
  const told = Object.entries(numbers).map(([name, value]) => {
    return `${name} ${name === 'retryAt' ? clockTime(value) : value}`
  })
  return told.length > 0 ? `${code} (${told.join(', ')})` : String(code)
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}

function countOf(count: unknown): string {
  return `${count} VM${count === 1 ? '' : 's'}`
}
