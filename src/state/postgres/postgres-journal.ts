// A journal in a table: a row for each record, with its number. A rewrite replaces the rows in one statement.
import { setImmediate } from 'node:timers/promises'
import type { JournalRecord } from '../../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../../problems/index.ts'
import type { StoredJournal } from '../store.ts'
import { jsonPieces } from '../stored-json.ts'
import type { Database, Query } from './database.ts'
import type { JournalLineage } from './lineage-watch.ts'
import { heldRow, type Right, rightLost } from './right.ts'
import type { Append, Rewrite } from './writes.ts'

export interface JournalTable {
  database: Database
  /** Quoted. */
  schema: string
  /** Of the store, for messages. */
  name: string
  append: Append
  rewrite: Rewrite
}

export interface JournalRow {
  id: string
  /** In the table: `master`, or `pool/NAME`. */
  key: string
  /** Of the first record that counts; those before were replaced. */
  first: number
  /** The next one that was never used. */
  next: number
  /** As JSON. */
  owner: string | null
}

interface Waiting {
  json: string
  resolve: () => void
  reject: (error: unknown) => void
}

export function placeOfJournal(key: string, store: string): string {
  return `journal ${key} in ${store}`
}

export function createPostgresJournal(
  table: JournalTable,
  row: JournalRow,
  right: Right,
  lineage: JournalLineage,
): StoredJournal {
  const { name } = table
  let { next } = row
  let waiting: Waiting[] | undefined
  let working: Promise<void> = Promise.resolve()
  /** After a failed append it is unknown what was written: only a rewrite makes that certain again. */
  let broken: Problem | undefined
  let closed = false
  let appended = 0

  /** Steps run one after the other; a failed step does not stop the next. */
  function then<T>(step: () => Promise<T>): Promise<T> {
    const done = working.then(step)
    working = done.then(
      () => {},
      () => {},
    )
    return done
  }

  function assertOpen(): void {
    if (closed) throw new Error(`${placeOfJournal(row.key, name)} is closed`)
  }

  /** All records of the batch, in one statement with those of other journals. */
  async function flush(batch: readonly Waiting[]): Promise<void> {
    if (waiting === batch) waiting = undefined
    const first = next
    try {
      broken ??= lineage.doubt()
      if (broken) throw new ProvisionError(broken)
      // Also when it fails: what was sent may still be written, under these numbers.
      next += batch.length
      await table.append({ right, journal: row.id, first, lines: batch.map(({ json }) => json) })
      appended += batch.length
      for (const { resolve } of batch) resolve()
    } catch (error) {
      broken ??= problemIn(error, name)
      for (const { reject } of batch) reject(error)
    }
  }

  async function replace(records: readonly JournalRecord[]): Promise<void> {
    const lines = await linesOf(records)
    const first = next
    next += Math.max(1, records.length)
    const rewritten = lineage.rewriting()
    await table.rewrite({ right, journal: row.id, first, lines, count: records.length, owner: row.owner })
    broken = undefined
    appended = 0
    await rewritten()
  }

  return {
    place: placeOfJournal(row.key, name),
    onDoubt: lineage.onDoubt,
    append: (record) =>
      new Promise((resolve, reject) => {
        assertOpen()
        const json = JSON.stringify(record)
        if (!waiting) {
          const batch: Waiting[] = []
          waiting = batch
          void then(() => flush(batch))
        }
        waiting.push({ json, resolve, reject })
      }),
    async read() {
      await working
      return (await readRecords(table, row.id)).records
    },
    rewrite(records) {
      waiting = undefined
      return then(async () => {
        assertOpen()
        await replace(records).catch((error: unknown) => {
          broken = problemIn(error, name)
          throw error
        })
      })
    },
    setAside() {
      waiting = undefined
      return then(async () => {
        assertOpen()
        const aside = await setAside(table, row, right)
        row = aside.row
        next = row.next
        broken = undefined
        appended = 0
        return placeOfJournal(aside.key, name)
      })
    },
    get appended() {
      return appended
    },
    fault: () => broken ?? lineage.doubt() ?? right.fault(),
    async close() {
      const before = working
      closed = true
      lineage.close()
      await before
    },
  }
}

function problemIn(error: unknown, name: string): Problem {
  if (error instanceof ProvisionError && error.problems[0]) return error.problems[0]
  return problem('STATE_UNREACHABLE', `${name}: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  })
}

/** Bytes of JSON after which other work runs: about a millisecond. */
const stretch = 131_072

/** The JSON of each record in a line: JSON has no line ends of its own. */
async function linesOf(records: readonly JournalRecord[]): Promise<string> {
  const pieces: string[] = []
  let sincePause = 0
  for (const [n, record] of records.entries()) {
    if (n > 0) pieces.push('\n')
    for (const piece of jsonPieces(record)) {
      pieces.push(piece)
      sincePause += piece.length
      if (sincePause < stretch) continue
      sincePause = 0
      await setImmediate()
    }
  }
  return pieces.join('')
}

interface ReadRecords {
  records: JournalRecord[]
  /** Numbers of rows that are no records. */
  damaged: number[]
}

async function readRecords({ database, schema }: JournalTable, id: string): Promise<ReadRecords> {
  const { rows } = await database.query(
    `SELECT r.number::float8 AS number, r.record FROM ${schema}.journal_records r JOIN ${schema}.journals j ON j.id = r.journal
     WHERE j.id = $1 AND r.number >= j.first_number ORDER BY r.number`,
    [id],
  )
  return recordsIn(rows as { number: number; record: string }[])
}

/** Of rows in the order of their numbers. */
export function recordsIn(rows: readonly { number: number; record: string }[]): ReadRecords {
  const found: ReadRecords = { records: [], damaged: [] }
  for (const { number, record } of rows) {
    const parsed = recordOf(record)
    if (parsed) found.records.push(parsed)
    else found.damaged.push(number)
  }
  return found
}

function recordOf(text: string): JournalRecord | undefined {
  try {
    const record = JSON.parse(text)
    return typeof record === 'object' && record !== null ? record : undefined
  } catch {
    return undefined
  }
}

/** For a transaction: the right stays until its end. Throws STATE_RIGHT_LOST. */
export async function assertHeld(query: Query, schema: string, right: Right): Promise<void> {
  const { count } = await query(heldRow(schema), right.proof())
  if (count === 0) throw rightLost(right.to)
}

/** Gives the journal another name, and its own to an empty one of the same kind. */
async function setAside(
  { database, schema }: JournalTable,
  row: JournalRow,
  right: Right,
): Promise<{ row: JournalRow; key: string }> {
  return database.transaction(async (query) => {
    await assertHeld(query, schema, right)
    const { rows } = await query(
      `UPDATE ${schema}.journals SET in_use = false, name = name || '.foreign-' || ${stamp} WHERE id = $1 RETURNING name, kind`,
      [row.id],
    )
    const { name: key, kind } = rows[0] as { name: string; kind: string }
    const made = await query(
      `INSERT INTO ${schema}.journals (name, kind, owner) VALUES ($1, $2, $3) RETURNING id::text`,
      [row.key, kind, row.owner],
    )
    const id = String(made.rows[0]?.['id'])
    return { row: { ...row, id, first: 1, next: 1 }, key }
  })
}

/** As in the names of files that were set aside. */
export const stamp = `to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24MISS.US"Z"')`
