// Leases in SQL. The rows decide, by the clock of the database; who is late finds another epoch in its row.
import { randomUUID } from 'node:crypto'
import { hasExited, together } from '../../platform/index.ts'
import { ProvisionError } from '../../problems/index.ts'
import type { Candidate, Epoch, Lease, LeaseStore, LeaseView } from '../leases/port.ts'
import type { Database } from './database.ts'
import type { Faults } from './failures.ts'
import type { Beat, LineageWatch } from './lineage-watch.ts'
import { isShared, markIn } from './occupants.ts'
import { aloneRow, leaseIn, numbersOf, proofOf, rowOf } from './right.ts'

/** Milliseconds after the end of leases and announcements: many pools come and go, and each start is another provisioner. */
const keptFor = 600_000

export interface LeaseTable {
  database: Database
  /** Quoted. */
  schema: string
  faults: Faults
  /** Checked in the statement of each renewal, so on the same server; while that fails, the renewal counts as failed. */
  lineage?: Pick<LineageWatch, 'checkWith'>
}

interface Row {
  kind: 'lease' | 'candidate' | 'beat'
  name: string | null
  epoch: number
  nonce: string
  id: string
  about: string | null
  left: number
}

/** A take as it waits for others: those that are asked for at the same moment are one statement. */
interface Take {
  pool: string
  nonce: string
  holder: string
  ttl: number
}

export function leaseTable({ database, schema, faults, lineage }: LeaseTable): LeaseStore {
  const leases = `${schema}.leases`
  const until = (parameter: string) => `clock_timestamp() + ${parameter}::float8 * interval '1 millisecond'`
  const left = (expiry: string) => `(extract(epoch FROM ${expiry} - clock_timestamp()) * 1000)::float8`

  /** Only where the row is missing or over, or still has a nonce of `over`. Returns the epochs by their pools. */
  async function attempt(takes: readonly Take[], over: readonly string[]): Promise<Map<string, Epoch>> {
    const { holder, ttl } = takes[0]!
    const nonces = new Map(takes.map(({ pool, nonce }) => [rowOf(pool), nonce]))
    // The number is asked for again once the row is locked, so that it is larger than the one there. Rows are locked by name.
    const { rows } = await database.query(
      `INSERT INTO ${leases} AS l (name, epoch, nonce, holder, expires_at)
       SELECT a.name, nextval('${numbersOf(schema)}'), a.nonce, $3::text, ${until('$4')}
       FROM unnest($1::text[], $2::uuid[]) AS a (name, nonce) WHERE ${isShared(schema)} ORDER BY a.name
       ON CONFLICT (name) DO UPDATE SET epoch = nextval('${numbersOf(schema)}'), nonce = excluded.nonce, holder = excluded.holder, before = l.nonce,
         taken_at = clock_timestamp(), renewed_at = clock_timestamp(), expires_at = ${until('$4')}
       WHERE l.expires_at <= clock_timestamp() OR l.nonce = ANY ($5::uuid[])
       RETURNING name, epoch::float8 AS number, before::text AS before`,
      [[...nonces.keys()], [...nonces.values()], holder, ttl, over],
      { ahead: true },
    )
    return new Map(
      (rows as { name: string; number: number; before: string | null }[]).map(({ name, number, before }) => [
        leaseIn(name),
        { number, nonce: nonces.get(name)!, ...(before !== null && { before }) },
      ]),
    )
  }

  /** Nonces of leases whose holder was a process of this machine and has exited. */
  async function abandoned(pools: readonly string[]): Promise<{ pool: string; nonce: string }[]> {
    const { rows } = await database.query(
      `SELECT l.name, l.nonce::text, p.about FROM ${leases} l JOIN ${schema}.provisioners p ON p.id = l.holder WHERE l.name = ANY ($1::text[])`,
      [pools.map(rowOf)],
      { ahead: true },
    )
    return (rows as { name: string; nonce: string; about: string }[])
      .filter(({ about }) => isGone(about))
      .map(({ name, nonce }) => ({ pool: leaseIn(name), nonce }))
  }

  /** Of one holder, for one time, each pool once. */
  async function takeAll(takes: readonly Take[]): Promise<Map<string, Epoch>> {
    const taken = await attempt(takes, [])
    const refused = takes.filter(({ pool }) => !taken.has(pool))
    if (refused.length === 0) return taken
    const over = new Map(
      (await abandoned(refused.map(({ pool }) => pool))).map((one) => [one.pool, one.nonce]),
    )
    const again = refused.filter(({ pool }) => over.has(pool))
    if (again.length === 0) return taken
    return new Map([...taken, ...(await attempt(again, [...over.values()]))])
  }

  const takeOne = together<Take, Epoch | undefined>({
    isSame: (one, other) => one.holder === other.holder && one.ttl === other.ttl && one.pool !== other.pool,
    async run(group) {
      const taken = await takeAll(group)
      return group.map(({ pool }) => taken.get(pool))
    },
  })

  /** Others may do the same at this moment. */
  async function prune(): Promise<void> {
    for (const [table, key] of [
      ['leases', 'name'],
      ['provisioners', 'id'],
    ])
      await database.query(
        `DELETE FROM ${schema}.${table} WHERE ${key} IN (SELECT ${key} FROM ${schema}.${table}
         WHERE expires_at < clock_timestamp() - interval '${keptFor} milliseconds' FOR UPDATE SKIP LOCKED)`,
      )
  }

  async function renewed(
    self: Candidate,
    held: ReadonlyMap<string, Epoch>,
    ttl: number,
    beat?: Beat,
  ): Promise<Row[]> {
    const asked = [...held].map(([pool, epoch]) => proofOf(pool, epoch))
    // A statement does not see its own changes, hence `renewed` and `announced`. Rows are locked by name, as takes do.
    const { rows } = await database.urgent(
      `WITH asked AS (SELECT * FROM unnest($4::text[], $5::bigint[], $6::uuid[]) AS a (name, epoch, nonce)),
       locked AS (SELECT l.name FROM ${leases} l JOIN asked a ON l.name = a.name AND l.epoch = a.epoch AND l.nonce = a.nonce
         WHERE l.holder = $1 AND l.expires_at > clock_timestamp() ORDER BY l.name FOR NO KEY UPDATE OF l),
       renewed AS (UPDATE ${leases} l SET renewed_at = clock_timestamp(), expires_at = ${until('$3')}
         FROM locked WHERE l.name = locked.name AND l.expires_at > clock_timestamp() RETURNING l.name, l.expires_at),
       announced AS (INSERT INTO ${schema}.provisioners (id, about, expires_at)
         SELECT $1::text, $2::text, ${until('$3')} WHERE ${isShared(schema)}
         ON CONFLICT (id) DO UPDATE SET about = excluded.about, expires_at = excluded.expires_at
         RETURNING id, about, expires_at)${beat ? `, beat AS (${beat.sql(7)})` : ''}
       SELECT 'lease' AS kind, l.name, l.epoch::float8 AS epoch, l.nonce::text AS nonce, l.holder AS id, NULL AS about,
         CASE WHEN r.name IS NULL AND a.name IS NOT NULL THEN 0 ELSE ${left('coalesce(r.expires_at, l.expires_at)')} END AS left
       FROM ${leases} l LEFT JOIN renewed r ON r.name = l.name
         LEFT JOIN asked a ON a.name = l.name AND a.epoch = l.epoch AND a.nonce = l.nonce
       WHERE l.name <> '${aloneRow}'
       UNION ALL SELECT 'candidate', NULL, 0, NULL, id, about, ${left('expires_at')} FROM ${schema}.provisioners WHERE id <> $1
       UNION ALL SELECT 'candidate', NULL, 0, NULL, id, about, ${left('expires_at')} FROM announced
       ${beat ? "UNION ALL SELECT 'beat', NULL, 0, NULL, '', row_to_json(beat)::text, 0 FROM beat" : ''}`,
      [
        self.id,
        JSON.stringify(self),
        ttl,
        asked.map(([name]) => name),
        asked.map(([, number]) => number),
        asked.map(([, , nonce]) => nonce),
        ...(beat?.values ?? []),
      ],
    )
    return rows as unknown as Row[]
  }

  /** The view is worth nothing where the database may have lost commits before. */
  async function renewedAndChecked(...args: [Candidate, ReadonlyMap<string, Epoch>, number]): Promise<Row[]> {
    if (!lineage) return renewed(...args)
    let rows: Row[] = []
    await lineage.checkWith(async (beat) => {
      rows = await renewed(...args, beat)
      const found = rows.find(({ kind }) => kind === 'beat')
      return found && (JSON.parse(found.about!) as Record<string, unknown>)
    })
    return rows
  }

  return {
    async renew(self, held, ttl) {
      const rows = await noted(renewedAndChecked(self, held, ttl), faults)
      if (rows.some(({ left }) => left < -keptFor)) void prune().catch(() => {})
      return viewOf(rows)
    },
    take: (pool, holder, ttl) => takeOne({ pool, nonce: randomUUID(), holder, ttl }),
    async release(pool, epoch) {
      // As a take does, it waits for what is being written.
      await database.query(
        `DELETE FROM ${leases} WHERE name = $1 AND epoch = $2 AND nonce = $3`,
        proofOf(pool, epoch),
      )
    },
    async leave(id) {
      await database.query(`DELETE FROM ${schema}.provisioners WHERE id = $1`, [id])
    },
  }
}

async function noted<T>(answer: Promise<T>, faults: Faults): Promise<T> {
  try {
    const result = await answer
    faults.note(undefined)
    return result
  } catch (error) {
    if (error instanceof ProvisionError) faults.note(error.problems[0])
    throw error
  }
}

function viewOf(rows: readonly Row[]): LeaseView {
  const view: LeaseView = { candidates: [], leases: [] }
  const gone = new Set<string>()
  for (const { kind, id, about, left } of rows) {
    if (kind !== 'candidate' || about === null) continue
    if (isGone(about)) gone.add(id)
    const candidate = candidateIn(about)
    if (candidate) view.candidates.push({ ...candidate, left: gone.has(id) ? 0 : left })
  }
  for (const { name, epoch: number, nonce, id, left } of rows)
    if (name !== null)
      view.leases.push({
        pool: leaseIn(name),
        epoch: { number, nonce },
        holder: id,
        left: gone.has(id) ? 0 : left,
      } satisfies Lease)
  return view
}

function isGone(about: string): boolean {
  const mark = markIn(about)
  return mark !== undefined && hasExited(mark)
}

/** As this program wrote it, or another version of it. */
function candidateIn(about: string): Candidate | undefined {
  try {
    const found: Candidate = JSON.parse(about)
    return typeof found?.id === 'string' && Array.isArray(found.pools) ? found : undefined
  } catch {
    return undefined
  }
}
