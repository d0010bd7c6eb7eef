// What happens to the pools, in the log. Where the same happens to many pools at once, such as the failure of a listing
// that they share, the first few have a line each, and all others one line together.

import type { FleetEvent } from '../fleet/index.ts'
import { type Clock, type LogFields, type Logger, shortIds } from '../platform/index.ts'

/** Milliseconds in which pools that report the same are collected in one line. */
const togetherWithin = 2_000
/** So many have a line each before. */
const oneByOne = 3

export interface EventLog {
  add(event: FleetEvent): void
  /** Logs what was collected. */
  close(): void
}

export function createEventLog({ logger, clock }: { logger: Logger; clock: Clock }): EventLog {
  const collected = new Map<string, { pools: Set<string>; log: (pools: ReadonlySet<string>) => void }>()
  const closing = new AbortController()

  function flush(key: string): void {
    const group = collected.get(key)
    collected.delete(key)
    group?.log(group.pools)
  }

  function logOnce(level: 'info' | 'warn' | 'error', message: string, pool: string, fields: LogFields): void {
    const key = JSON.stringify([level, message, fields])
    const { pools } = collected.get(key) ?? collect(key)
    // The same pool again: it is an event of its own.
    const isFurther = !pools.has(pool) && pools.size >= oneByOne
    pools.add(pool)
    if (!isFurther) logger[level](message, { pool, ...fields })

    function collect(of: string) {
      const group = { pools: new Set<string>(), log }
      collected.set(of, group)
      clock.sleep(togetherWithin, closing.signal).then(
        () => flush(of),
        () => {},
      )
      return group
    }

    function log(all: ReadonlySet<string>): void {
      const further = [...all].slice(oneByOne)
      if (further.length > 0)
        logger[level](message, { pools: shortIds(further), count: further.length, ...fields })
    }
  }

  return {
    add(event) {
      const { pool } = event
      if (event.kind === 'problem') {
        const { code, message, remedy, severity } = event.problem
        logOnce(severity === 'error' ? 'error' : 'warn', message, pool, { code, remedy })
        return
      }
      if (event.kind === 'blocked') {
        if (event.reasons.length === 0) logOnce('info', 'no longer blocked', pool, {})
        for (const { code, numbers } of event.reasons)
          logOnce('info', 'blocked', pool, { code, ...readable(numbers) })
        return
      }
      const ids = shortIds(event.ids)
      if (event.kind === 'decided') {
        const { code, numbers } = event.reason
        logger.info(`decided to ${event.move}`, { pool, ids, count: event.count, code, ...readable(numbers) })
      } else if (event.kind === 'launched') {
        const { length: count } = event.ids
        const missing = event.missing || undefined
        if (count === 0) logger.info('launch refused', { pool, missing })
        else logger.info('launched', { pool, ids, count, missing })
      } else {
        // The master has already logged it, by agent.
        logger.debug(event.kind, { pool, ids, count: event.ids.length })
      }
    },
    close() {
      closing.abort(new Error('the log is closed'))
      for (const key of [...collected.keys()]) flush(key)
    },
  }
}

/** Times are RFC 3339 here, because people read them. */
function readable(numbers: Readonly<Record<string, number>>): Record<string, number | string> {
  return Object.fromEntries(
    Object.entries(numbers).map(([name, value]) => [
      name,
      /(?:At|Since|until)$/i.test(name) && Number.isFinite(value) ? new Date(value).toISOString() : value,
    ]),
  )
}
