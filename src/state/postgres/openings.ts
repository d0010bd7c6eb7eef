// The two statements in which journals are opened, each for all that are opened at the same moment: a host that takes over many
// pools from a slow database would otherwise be at it for longer than a lease lasts.
import type { JournalRecord } from '../../platform/index.ts'
import type { Database } from './database.ts'
import { type FoundLineage, keptLineages, type LineageWatch } from './lineage-watch.ts'
import { recordsIn } from './postgres-journal.ts'
import type { Proof } from './right.ts'
import { together } from './together.ts'

export interface FoundJournal {
  /** undefined: there is none. */
  id?: string
  kind: string | null
  /** As JSON. */
  owner: string | null
  lineage: FoundLineage
}

export interface Opening {
  key: string
  kind: string
  owner: string | null
  found: FoundJournal
  proof: Proof
}

export interface BegunJournal {
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

export interface Openings {
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

export function openings({
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
