// What happens to a pool, in the log.
import type { FleetEvent } from '../fleet/events.ts'
import type { Logger } from '../platform/ports.ts'

export function tellEvent(logger: Logger, event: FleetEvent): void {
  const { pool } = event
  if (event.kind === 'problem') {
    const { code, message, remedy, severity } = event.problem
    const log = severity === 'error' ? logger.error : logger.warn
    log(message, { pool, code, remedy })
    return
  }
  if (event.kind === 'held') {
    for (const { code, numbers } of event.reasons) logger.info('holds back', { pool, code, ...numbers })
    return
  }
  const ids = listOf(event.ids)
  if (event.kind === 'decided') {
    const { code, numbers } = event.reason
    logger.info(`decided to ${event.move}`, { pool, ids, count: event.count, code, ...numbers })
  } else if (event.kind === 'launched') {
    logger.info('launched', { pool, ids, missing: event.missing || undefined })
  } else {
    // The master has said it already, by agent.
    logger.debug(event.kind, { pool, ids })
  }
}

function listOf(ids: string[]): string | undefined {
  return ids.length ? ids.join(',') : undefined
}
