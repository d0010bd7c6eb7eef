// Opening a journal in a database: whose it is, of which kind, and what of it can be read.
import { type Problem, ProvisionError, problem } from '../../problems/index.ts'
import {
  describeOwner,
  isSameOwner,
  type JournalName,
  type JournalOptions,
  type JournalOwner,
  type OpenedJournal,
} from '../store.ts'
import type { Query } from './database.ts'
import type { LineageWatch } from './lineage-watch.ts'
import {
  assertHeld,
  createPostgresJournal,
  type JournalRow,
  type JournalTable,
  placeOfJournal,
  readRecords,
  stamp,
} from './postgres-journal.ts'
import type { Right } from './right.ts'

/** In the table. */
export function keyOf(name: JournalName): string {
  return name === 'master' ? 'master' : `pool/${name.pool}`
}

/** The inverse of `keyOf`. */
export function nameOf(key: string): JournalName {
  return key === 'master' ? key : { pool: key.slice('pool/'.length) }
}

interface Found {
  id: string
  kind: string
  owner: string | null
  first: number
  newest: number
}

export async function openPostgresJournal(
  table: JournalTable & { lineage: LineageWatch },
  options: JournalOptions,
  right: Right,
): Promise<OpenedJournal> {
  const { database, name } = table
  const key = keyOf(options.name)
  const problems: Problem[] = []
  async function openRow(query: Query): Promise<{ row: JournalRow; isNew: boolean }> {
    await assertHeld(query, table.schema, right)
    const found = await find(query, table, key)
    if (!found) return { row: await create(query, table, key, options), isNew: true }
    if (found.kind !== options.kind) {
      const aside = await rename(query, table, found.id, 'foreign')
      problems.push(ofOtherKind(table, key, options.kind, aside))
      return { row: await create(query, table, key, options), isNew: false }
    }
    const owner = ownerIn(found.owner)
    if (options.owner && owner && !isSameOwner(options.owner, owner))
      throw foreign(table, key, owner, options.owner)
    const next = Math.max(found.first, found.newest) + 1
    // An owner of earlier records stays until they are rewritten.
    const kept = options.owner ? JSON.stringify(options.owner) : found.owner
    return { row: { id: found.id, key, first: found.first, next, owner: kept }, isNew: false }
  }

  const { row, isNew, lineage } = await database.transaction(async (query) => {
    const opened = await openRow(query)
    return { ...opened, lineage: await table.lineage.opened(query, opened.row.id, key) }
  })
  if (lineage.problem) problems.push(lineage.problem)
  const { records, damaged } = await readRecords(table, row.id)
  if (damaged.length > 0) {
    const aside = await keepDamaged(table, row, damaged, right)
    problems.push(
      problem(
        'JOURNAL_SET_ASIDE',
        `${damaged.length} of ${records.length + damaged.length} records in ${placeOfJournal(key, name)} could not be read; the others are used; the original is ${placeOfJournal(aside, name)}`,
      ),
    )
  }
  return { journal: createPostgresJournal(table, row, right, lineage.lineage), records, problems, isNew }
}

async function find(query: Query, { schema }: JournalTable, key: string): Promise<Found | undefined> {
  const { rows } = await query(
    `SELECT j.id::text, j.kind, j.owner, j.first_number::float8 AS first,
       coalesce((SELECT max(number) FROM ${schema}.journal_records WHERE journal = j.id), 0)::float8 AS newest
     FROM ${schema}.journals j WHERE j.name = $1`,
    [key],
  )
  return rows[0] as Found | undefined
}

async function create(
  query: Query,
  { schema }: JournalTable,
  key: string,
  { kind, owner }: JournalOptions,
): Promise<JournalRow> {
  const text = owner ? JSON.stringify(owner) : null
  const { rows } = await query(
    `INSERT INTO ${schema}.journals (name, kind, owner) VALUES ($1, $2, $3) RETURNING id::text`,
    [key, kind, text],
  )
  return { id: String(rows[0]?.['id']), key, first: 0, next: 1, owner: text }
}

/** Returns the key it has then. */
async function rename(query: Query, { schema }: JournalTable, id: string, why: string): Promise<string> {
  const { rows } = await query(
    `UPDATE ${schema}.journals SET in_use = false, name = name || '.${why}-' || ${stamp} WHERE id = $1::bigint RETURNING name`,
    [id],
  )
  return String(rows[0]?.['name'])
}

/** Copies the journal, then removes the rows that are no records; returns the key of the copy. */
function keepDamaged(
  { database, schema }: JournalTable,
  row: JournalRow,
  damaged: number[],
  right: Right,
): Promise<string> {
  return database.transaction(async (query) => {
    await assertHeld(query, schema, right)
    const { rows } = await query(
      `INSERT INTO ${schema}.journals (name, in_use, kind, owner, first_number)
       SELECT name || '.damaged-' || ${stamp}, false, kind, owner, first_number FROM ${schema}.journals WHERE id = $1::bigint
       RETURNING id::text, name`,
      [row.id],
    )
    const { id, name } = rows[0] as { id: string; name: string }
    await query(
      `INSERT INTO ${schema}.journal_records (journal, number, epoch, nonce, written_at, record)
       SELECT $2::bigint, number, epoch, nonce, written_at, record FROM ${schema}.journal_records WHERE journal = $1::bigint`,
      [row.id, id],
    )
    await query(
      `DELETE FROM ${schema}.journal_records WHERE journal = $1::bigint AND number = ANY ($2::bigint[])`,
      [row.id, damaged],
    )
    return name
  })
}

export function ownerIn(text: string | null): JournalOwner | undefined {
  return text === null ? undefined : (JSON.parse(text) as JournalOwner)
}

function ofOtherKind({ name }: JournalTable, key: string, kind: string, aside: string): Problem {
  const what = `${placeOfJournal(key, name)} is not a journal of this program's kind (${kind}); a new one was started`
  return problem('JOURNAL_SET_ASIDE', `${what}; the original is ${placeOfJournal(aside, name)}`)
}

function foreign(
  { name, schema }: JournalTable,
  key: string,
  found: JournalOwner,
  self: JournalOwner,
): ProvisionError {
  const place = placeOfJournal(key, name)
  const rename = `UPDATE ${schema}.journals SET in_use = false, name = name || '.foreign' WHERE name = '${key.replaceAll("'", "''")}'`
  return new ProvisionError(
    problem('STATE_FOREIGN', `${place} belongs to ${describeOwner(found)}; this is ${describeOwner(self)}`, {
      remedy: `Restore \`cluster_id\` in the configuration and writer-id in ${schema}.identity, or give the journal another name: ${rename}`,
      details: { place, found, expected: self },
    }),
  )
}
