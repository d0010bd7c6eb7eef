// Decisions in a table of bounded size: so many of the newest, and none older than a month.
import { type JournalRecord, redact } from '../../platform/index.ts'
import type { DecisionLog, DecisionQuery } from '../store.ts'
import type { Database } from './database.ts'

/** Rows; some 10 MB. */
const most = 50_000
const oldest = '30 days'
/** Added rows after which old ones are removed. */
const pruneEvery = 500
/** Records that wait while the database is gone; older ones are lost. */
const mostWaiting = 10_000
/** In one statement. */
const batchSize = 1_000

export interface DecisionTable {
  database: Database
  /** Quoted. */
  schema: string
}

export function openDecisionTable(
  { database, schema }: DecisionTable,
  { onFault }: { onFault: (error: unknown) => void },
): DecisionLog {
  let waiting: JournalRecord[] = []
  let working: Promise<void> | undefined
  // The first write of a start removes what became too old since the last.
  let sincePrune = pruneEvery
  /** The last write failed: what waits is kept for the next one. */
  let isFailing = false

  async function write(): Promise<void> {
    await null
    while (waiting.length > 0) {
      const batch = waiting.slice(0, batchSize)
      try {
        await insert(batch)
        waiting = waiting.slice(batch.length)
        isFailing = false
        sincePrune += batch.length
        if (sincePrune >= pruneEvery) await prune()
      } catch (error) {
        if (!isFailing) onFault(error)
        isFailing = true
        break
      }
    }
    working = undefined
  }

  async function insert(batch: readonly JournalRecord[]): Promise<void> {
    const kept = batch.map((record) => redact(record) as JournalRecord)
    await database.query(
      `INSERT INTO ${schema}.decisions (at, pool, record)
       SELECT at, pool, record FROM unnest($1::float8[], $2::text[], $3::text[]) AS r (at, pool, record)`,
      [
        kept.map(({ at }) => at),
        kept.map(({ pool }) => (typeof pool === 'string' ? pool : null)),
        kept.map((record) => JSON.stringify(record)),
      ],
    )
  }

  async function prune(): Promise<void> {
    sincePrune = 0
    await database.query(
      `DELETE FROM ${schema}.decisions WHERE written_at < clock_timestamp() - interval '${oldest}'
       OR id <= (SELECT id FROM ${schema}.decisions ORDER BY id DESC OFFSET ${most} LIMIT 1)`,
    )
  }

  return {
    add(record) {
      // A batch in progress is at the beginning.
      if (waiting.length >= mostWaiting) waiting.splice(batchSize, 1)
      waiting.push(record)
      working ??= write()
    },
    async close() {
      await working
      if (waiting.length > 0) await write()
    },
  }
}

/** Oldest first. */
export async function queryDecisions(
  { database, schema }: DecisionTable,
  { pool, since = 0, limit }: DecisionQuery,
): Promise<JournalRecord[]> {
  const { rows } = await database.query(
    `SELECT record FROM ${schema}.decisions WHERE ($1::text IS NULL OR pool = $1::text) AND at >= $2::float8
     ORDER BY id DESC LIMIT $3::bigint`,
    [pool ?? null, since, limit === undefined || !Number.isFinite(limit) ? null : Math.ceil(limit)],
  )
  return rows.map(({ record }) => JSON.parse(String(record)) as JournalRecord).reverse()
}
