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
import { openings } from './openings.ts'
import {
  assertHeld,
  createPostgresJournal,
  type JournalRow,
  type JournalTable,
  placeOfJournal,
  stamp,
} from './postgres-journal.ts'
import { type Right, rightLost } from './right.ts'

/** In the table. */
export function keyOf(name: JournalName): string {
  return name === 'master' ? 'master' : `pool/${name.pool}`
}

/** The inverse of `keyOf`. */
export function nameOf(key: string): JournalName {
  return key === 'master' ? key : { pool: key.slice('pool/'.length) }
}

/** Opens a journal; those that are opened at the same moment share two statements. */
export type OpenJournal = (options: JournalOptions, right: Right) => Promise<OpenedJournal>

export function postgresJournals(table: JournalTable & { lineage: LineageWatch }): OpenJournal {
  const { database, schema, name } = table
  const { find, begin } = openings(table)

  /** One of another kind gets another name, and an empty one its own. Returns the name it has then. */
  function makeRoom(id: string, key: string, options: JournalOptions, right: Right): Promise<string> {
    return database.transaction(async (query) => {
      await assertHeld(query, schema, right)
      const aside = await rename(query, table, id, 'foreign')
      await create(query, table, key, options)
      return aside
    })
  }

  return async (options, right) => {
    const key = keyOf(options.name)
    const problems: Problem[] = []
    let found = await find(key)
    const isNew = found.id === undefined
    if (found.id !== undefined && found.kind !== options.kind) {
      const aside = await makeRoom(found.id, key, options, right)
      problems.push(ofOtherKind(table, key, options.kind, aside))
      found = await find(key)
    }
    const owner = ownerIn(found.owner)
    if (options.owner && owner && !isSameOwner(options.owner, owner))
      throw foreign(table, key, owner, options.owner)
    // An owner of earlier records stays until they are rewritten.
    const kept = options.owner ? JSON.stringify(options.owner) : found.owner
    const begun = await begin({ key, kind: options.kind, owner: kept, found, proof: right.proof() })
    if (!begun) throw rightLost(right.to)
    const { id, first, next, records, damaged } = begun
    const row = { id, key, first, next, owner: kept }
    const { lineage, problem: loss } = table.lineage.opened(found.lineage, { ...begun, key })
    if (loss) problems.push(loss)
    if (damaged.length > 0) {
      const aside = await keepDamaged(table, row, damaged, right)
      problems.push(
        problem(
          'JOURNAL_SET_ASIDE',
          `${damaged.length} of ${records.length + damaged.length} records in ${placeOfJournal(key, name)} could not be read; the others are used; the original is ${placeOfJournal(aside, name)}`,
        ),
      )
    }
    return { journal: createPostgresJournal(table, row, right, lineage), records, problems, isNew }
  }
}

async function create(
  query: Query,
  { schema }: JournalTable,
  key: string,
  { kind, owner }: JournalOptions,
): Promise<void> {
  await query(`INSERT INTO ${schema}.journals (name, kind, owner) VALUES ($1, $2, $3)`, [
    key,
    kind,
    owner ? JSON.stringify(owner) : null,
  ])
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
