// Opening a journal in a database: whose it is, of which kind, and what of it can be read.
import { type JournalRecord, together } from '../../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../../problems/index.ts'
import {
  describeOwner,
  isSameOwner,
  type JournalName,
  type JournalOptions,
  type JournalOwner,
  type OpenedJournal,
} from '../store.ts'
import type { Database, Query } from './database.ts'
import { type FoundLineage, keptLineages, type LineageWatch } from './lineage-watch.ts'
import {
  assertHeld,
  createPostgresJournal,
  type JournalRow,
  type JournalTable,
  placeOfJournal,
  recordsIn,
  stamp,
} from './postgres-journal.ts'
import { type Proof, type Right, rightLost } from './right.ts'

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

// The two statements, each for all that are opened at the same moment: a host that takes over many pools from a slow database
// would otherwise be at it for longer than a lease lasts.

interface FoundJournal {
  /** undefined: there is none. */
  id?: string
  kind: string | null
  /** As JSON. */
  owner: string | null
  lineage: FoundLineage
}

interface Opening {
  key: string
  kind: string
  owner: string | null
  found: FoundJournal
  proof: Proof
}

interface BegunJournal {
  id: string
  /** As in `JournalRow`. */
  first: number
  next: number
  records: JournalRecord[]
  /** Numbers of rows that are no records. */
  damaged: number[]
  /** As `keptLineages` returns them. */
  losses: number
  isLost: boolean
}

interface Openings {
  find(key: string): Promise<FoundJournal>
  /** Makes the journal where there is none, keeps its lineage, and reads it. undefined: the right is lost, and nothing was done. */
  begin(opening: Opening): Promise<BegunJournal | undefined>
}

/** Journals read in one statement. */
const mostAtOnce = 25

interface BegunRow {
  n: number
  id: string | null
  first: number
  losses: number
  lost: boolean
  number: number | null
  record: string
}

function openings({
  database,
  schema,
  lineage,
}: {
  database: Database
  /** Quoted. */
  schema: string
  lineage: Pick<LineageWatch, 'columns' | 'found'>
}): Openings {
  async function findAll(keys: readonly string[]): Promise<FoundJournal[]> {
    const { rows } = await database.query(
      `SELECT j.id::text AS id, j.kind, j.owner, ${lineage.columns()}
       FROM unnest($1::text[]) WITH ORDINALITY AS asked (name, n) LEFT JOIN ${schema}.journals j ON j.name = asked.name
         LEFT JOIN ${schema}.journal_lineages l ON l.journal = j.id ORDER BY asked.n`,
      [keys],
    )
    return (rows as unknown as { id: string | null; kind: string | null; owner: string | null }[]).map(
      ({ id, kind, owner, ...row }) => ({
        kind,
        owner,
        lineage: lineage.found(row),
        ...(id !== null && { id }),
      }),
    )
  }

  async function beginAll(asked: readonly Opening[]): Promise<(BegunJournal | undefined)[]> {
    // The rights stay as they are until the end, so the records are all there are.
    const { rows } = await database.query(
      `WITH asked AS (SELECT * FROM unnest($1::text[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::bigint[],
           $8::text[], $9::bigint[], $10::int[]) WITH ORDINALITY
         AS a (lease, epoch, nonce, name, kind, owner, id, system, timeline, seen, n)),
       held AS (SELECT a.* FROM ${schema}.leases l JOIN asked a ON a.lease = l.name AND a.epoch = l.epoch AND a.nonce = l.nonce
         ORDER BY l.name FOR KEY SHARE OF l),
       made AS (INSERT INTO ${schema}.journals (name, kind, owner) SELECT name, kind, owner FROM held WHERE id IS NULL ORDER BY name
         ON CONFLICT DO NOTHING RETURNING id, name),
       found AS (SELECT h.n, j.id, j.first_number AS first, h.system, h.timeline, h.seen
           FROM held h JOIN ${schema}.journals j ON j.id = h.id AND j.name = h.name
         UNION ALL SELECT h.n, made.id, 0, h.system, h.timeline, h.seen FROM held h JOIN made ON made.name = h.name),
       kept AS (${keptLineages(schema)})
       SELECT f.n::int AS n, f.id::text AS id, f.first::float8 AS first, k.losses, k.lost, r.number::float8 AS number, r.record
       FROM found f JOIN kept k ON k.journal = f.id
         LEFT JOIN ${schema}.journal_records r ON r.journal = f.id AND r.number >= f.first ORDER BY f.n, r.number`,
      [
        asked.map(({ proof: [lease] }) => lease),
        asked.map(({ proof: [, epoch] }) => epoch),
        asked.map(({ proof: [, , nonce] }) => nonce),
        asked.map(({ key }) => key),
        asked.map(({ kind }) => kind),
        asked.map(({ owner }) => owner),
        asked.map(({ found }) => found.id ?? null),
        asked.map(({ found }) => found.lineage.now.system ?? null),
        asked.map(({ found }) => found.lineage.now.timeline?.toString() ?? null),
        asked.map(({ found }) => (found.lineage.sign ? 1 : 0)),
      ],
    )
    const byOpening = Map.groupBy(rows as unknown as BegunRow[], ({ n }) => n)
    return asked.map((_, n) => begunOf(byOpening.get(n + 1) ?? []))
  }

  return {
    find: together({ run: findAll }),
    begin: together({
      run: beginAll,
      largest: mostAtOnce,
      isSame: (one, other) => one.key !== other.key,
    }),
  }
}

function begunOf(rows: readonly BegunRow[]): BegunJournal | undefined {
  const [one] = rows
  if (!one || one.id === null) return undefined
  const { id, first, losses, lost } = one
  const stored = rows.flatMap(({ number, record }) => (number === null ? [] : [{ number, record }]))
  const newest = stored.at(-1)?.number ?? 0
  return { id, first, losses, isLost: lost, next: Math.max(first, newest) + 1, ...recordsIn(stored) }
}
