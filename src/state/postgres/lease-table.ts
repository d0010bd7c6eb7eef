// Leases in SQL. The rows decide, by the clock of the database; who is late finds another epoch in its row.
import { randomUUID } from 'node:crypto'
import { hasExited } from '../../platform/index.ts'
import { ProvisionError } from '../../problems/index.ts'
import type { Candidate, Epoch, Lease, LeaseStore, LeaseView } from '../leases/port.ts'
import type { Database } from './database.ts'
import type { Faults } from './failures.ts'
import { isShared, markIn } from './occupants.ts'
import { aloneRow, leaseIn, numbersOf, proofOf, rowOf } from './right.ts'

/** Milliseconds after the end of leases and announcements: many pools come and go, and each start is another provisioner. */
const keptFor = 600_000

export interface LeaseTable {
  database: Database
  /** Quoted. */
  schema: string
  faults: Faults
  /** With each renewal; while it fails, the renewal counts as failed. */
  onRenewed?: () => Promise<void>
}

interface Row {
  name: string | null
  epoch: number
  nonce: string
  id: string
  about: string | null
  left: number
}

export function leaseTable({ database, schema, faults, onRenewed = async () => {} }: LeaseTable): LeaseStore {
  const leases = `${schema}.leases`
  const until = (parameter: string) => `clock_timestamp() + ${parameter}::float8 * interval '1 millisecond'`
  const left = (expiry: string) => `(extract(epoch FROM ${expiry} - clock_timestamp()) * 1000)::float8`

  /** Only where the row is missing or over, or still has the nonce `over`. */
  async function attempt(
    pool: string,
    holder: string,
    ttl: number,
    over: string | null,
  ): Promise<Epoch | undefined> {
    const nonce = randomUUID()
    // The number is asked for again once the row is locked, so that it is larger than the one there.
    const { rows } = await database.urgent(
      `INSERT INTO ${leases} AS l (name, epoch, nonce, holder, expires_at)
       SELECT $1::text, nextval('${numbersOf(schema)}'), $2::uuid, $3::text, ${until('$4')} WHERE ${isShared(schema)}
       ON CONFLICT (name) DO UPDATE SET epoch = nextval('${numbersOf(schema)}'), nonce = excluded.nonce, holder = excluded.holder, before = l.nonce,
         taken_at = clock_timestamp(), renewed_at = clock_timestamp(), expires_at = ${until('$4')}
       WHERE l.expires_at <= clock_timestamp() OR l.nonce = $5::uuid
       RETURNING epoch::float8 AS number, before::text AS before`,
      [rowOf(pool), nonce, holder, ttl, over],
    )
    const [row] = rows as { number: number; before: string | null }[]
    return row && { number: row.number, nonce, ...(row.before !== null && { before: row.before }) }
  }

  /** The nonce of a lease whose holder was a process of this machine and has exited. */
  async function abandoned(pool: string): Promise<string | undefined> {
    const { rows } = await database.query(
      `SELECT l.nonce::text, p.about FROM ${leases} l JOIN ${schema}.provisioners p ON p.id = l.holder WHERE l.name = $1`,
      [rowOf(pool)],
    )
    const [row] = rows as { nonce: string; about: string }[]
    return row && isGone(row.about) ? row.nonce : undefined
  }

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

  return {
    async renew(self, held, ttl) {
      const asked = [...held].map(([pool, epoch]) => proofOf(pool, epoch))
      // A statement does not see its own changes, hence `renewed` and `announced`.
      const answer = database.urgent(
        `WITH asked AS (SELECT * FROM unnest($4::text[], $5::bigint[], $6::uuid[]) AS a (name, epoch, nonce)),
         renewed AS (UPDATE ${leases} l SET renewed_at = clock_timestamp(), expires_at = ${until('$3')}
           FROM asked a WHERE l.name = a.name AND l.epoch = a.epoch AND l.nonce = a.nonce AND l.holder = $1
             AND l.expires_at > clock_timestamp() RETURNING l.name, l.expires_at),
         announced AS (INSERT INTO ${schema}.provisioners (id, about, expires_at)
           SELECT $1::text, $2::text, ${until('$3')} WHERE ${isShared(schema)}
           ON CONFLICT (id) DO UPDATE SET about = excluded.about, expires_at = excluded.expires_at
           RETURNING id, about, expires_at)
         SELECT l.name, l.epoch::float8 AS epoch, l.nonce::text AS nonce, l.holder AS id, NULL AS about,
           CASE WHEN r.name IS NULL AND a.name IS NOT NULL THEN 0 ELSE ${left('coalesce(r.expires_at, l.expires_at)')} END AS left
         FROM ${leases} l LEFT JOIN renewed r ON r.name = l.name
           LEFT JOIN asked a ON a.name = l.name AND a.epoch = l.epoch AND a.nonce = l.nonce
         WHERE l.name <> '${aloneRow}'
         UNION ALL SELECT NULL, 0, NULL, id, about, ${left('expires_at')} FROM ${schema}.provisioners WHERE id <> $1
         UNION ALL SELECT NULL, 0, NULL, id, about, ${left('expires_at')} FROM announced`,
        [
          self.id,
          JSON.stringify(self),
          ttl,
          asked.map(([name]) => name),
          asked.map(([, number]) => number),
          asked.map(([, , nonce]) => nonce),
        ],
      )
      const both = Promise.all([answer, answer.then(onRenewed)])
      const [{ rows }] = (await noted(both, faults)) as unknown as [{ rows: Row[] }]
      if (rows.some(({ left }) => left < -keptFor)) void prune().catch(() => {})
      return viewOf(rows)
    },
    async take(pool, holder, ttl) {
      const epoch = await attempt(pool, holder, ttl, null)
      if (epoch) return epoch
      const over = await abandoned(pool)
      return over === undefined ? undefined : attempt(pool, holder, ttl, over)
    },
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
  for (const { name, id, about, left } of rows) {
    if (name !== null || about === null) continue
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
