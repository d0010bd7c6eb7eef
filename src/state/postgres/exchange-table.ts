// Views and orders of the provisioners of a cluster, in two tables of bounded size. Polled, because LISTEN and NOTIFY do not
// pass a pooler in transaction mode.
import { ProvisionError, problem } from '../../problems/index.ts'
import { type Exchange, mostWaiting, type NewView, ordersKept, type TakenOrder } from '../exchange/port.ts'
import type { Epoch } from '../leases/port.ts'
import type { Database } from './database.ts'
import { proofOf, rowOf } from './right.ts'

export interface ExchangeTable {
  database: Database
  /** Quoted. */
  schema: string
}

/** Views that nobody has written for so long are of pools that are gone. */
const viewsKept = '1 day'
/** Milliseconds between two removals of those. */
const pruneEvery = 3_600_000

export function exchangeTable({ database, schema }: ExchangeTable): Exchange {
  const orders = `${schema}.orders`
  const views = `${schema}.views`
  const age = `(extract(epoch FROM clock_timestamp() - written_at) * 1000)::float8`
  // In the order of names, as everybody locks them; held until the write is committed, because a takeover changes a key.
  const held = `asked AS (SELECT DISTINCT * FROM unnest($1::text[], $2::bigint[], $3::uuid[]) AS a (name, epoch, nonce)),
     held AS (SELECT l.name, l.epoch, l.nonce FROM ${schema}.leases l
       WHERE (l.name, l.epoch, l.nonce) IN (SELECT name, epoch, nonce FROM asked) ORDER BY l.name FOR KEY SHARE OF l)`
  let prunedAt = Number.NEGATIVE_INFINITY

  async function prune(): Promise<void> {
    if (performance.now() - prunedAt < pruneEvery) return
    prunedAt = performance.now()
    await database.query(
      `DELETE FROM ${views} WHERE written_at < clock_timestamp() - interval '${viewsKept}'`,
    )
  }

  return {
    async publish(given) {
      if (given.length === 0) return new Set()
      const { rows } = await database.query(
        `WITH ${held}
         INSERT INTO ${views} AS v (name, epoch, nonce, summary, body, body_at)
         SELECT n.name, held.epoch, held.nonce, n.summary, decode(n.body, 'base64'),
           CASE WHEN n.body IS NOT NULL THEN clock_timestamp() END
         FROM unnest($4::text[], $5::text[], $6::text[], $7::text[]) AS n (name, lease, summary, body)
           JOIN held ON held.name = n.lease
         ORDER BY n.name
         ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, nonce = excluded.nonce, summary = excluded.summary,
           written_at = clock_timestamp(), body = coalesce(excluded.body, v.body), body_at = coalesce(excluded.body_at, v.body_at)
         RETURNING v.name`,
        [
          ...proofsOf(given.map(({ lease, epoch }): [string, Epoch] => [lease, epoch])),
          given.map(({ name }) => name),
          given.map(({ lease }) => rowOf(lease)),
          given.map(({ summary }) => summary),
          given.map(bodyText),
        ],
      )
      await prune()
      return new Set(rows.map(({ name }) => String(name)))
    },
    async views() {
      const { rows } = await database.query(
        `SELECT name, epoch::float8 AS number, nonce::text AS nonce, summary, ${age} AS age FROM ${views} ORDER BY name`,
      )
      return (rows as { name: string; number: number; nonce: string; summary: string; age: number }[]).map(
        ({ number, nonce, ...view }) => ({ ...view, epoch: { number, nonce } }),
      )
    },
    async bodies(names) {
      if (names.length === 0) return []
      const { rows } = await database.query(
        `SELECT name, encode(body, 'base64') AS body, ${age.replace('written_at', 'body_at')} AS age
         FROM ${views} WHERE name = ANY ($1::text[]) AND body IS NOT NULL`,
        [names],
      )
      return (rows as { name: string; body: string; age: number }[]).map((row) => ({
        ...row,
        body: Buffer.from(row.body, 'base64'),
      }))
    },
    async place({ id, lease, order, from, ttl }) {
      const { count } = await database.query(
        `WITH old AS (DELETE FROM ${orders} WHERE expires_at < clock_timestamp() - interval '${ordersKept} milliseconds')
         INSERT INTO ${orders} (id, lease, placed_by, body, expires_at)
         SELECT $1::uuid, $2::text, $3::text, $4::text, clock_timestamp() + $5::float8 * interval '1 millisecond'
         WHERE (SELECT count(*) FROM ${orders} WHERE taken_at IS NULL AND expires_at > clock_timestamp()) < ${mostWaiting}`,
        [id, rowOf(lease), from, order, ttl],
      )
      if (count === 0) throw tooMany()
    },
    async take(leases) {
      if (leases.size === 0) return []
      // Of two that ask at once, the second finds taken_at set once it has the lock of the row.
      const { rows } = await database.query(
        `WITH ${held}
         UPDATE ${orders} o SET taken_at = clock_timestamp(), epoch = held.epoch, nonce = held.nonce FROM held
         WHERE o.lease = held.name AND o.taken_at IS NULL AND o.expires_at > clock_timestamp()
         RETURNING o.id::text AS id, o.lease, o.placed_by AS from, o.body AS order, o.placed_at`,
        [...proofsOf([...leases])],
      )
      const leaseOf = new Map([...leases.keys()].map((lease) => [rowOf(lease), lease]))
      return (rows as unknown as (TakenOrder & { placed_at: Date })[])
        .sort((a, b) => Number(a.placed_at) - Number(b.placed_at))
        .map(({ id, lease, order, from }) => ({ id, lease: leaseOf.get(lease)!, order, from }))
    },
    async answer(id, answer) {
      await database.query(
        `UPDATE ${orders} SET answer = $2::text, answered_at = clock_timestamp()
         WHERE id = $1::uuid AND taken_at IS NOT NULL AND answer IS NULL`,
        [id, answer],
      )
    },
    async answers(ids) {
      const { rows } = await database.query(
        `SELECT id::text AS id, answer FROM ${orders} WHERE id = ANY ($1::uuid[]) AND answer IS NOT NULL`,
        [ids],
      )
      return new Map((rows as { id: string; answer: string }[]).map(({ id, answer }) => [id, answer]))
    },
    async withdraw(id) {
      const { count } = await database.query(
        `DELETE FROM ${orders} WHERE id = $1::uuid AND taken_at IS NULL`,
        [id],
      )
      return count > 0
    },
  }
}

function proofsOf(leases: readonly [string, Epoch][]): [string[], number[], string[]] {
  const proofs = leases.map(([lease, epoch]) => proofOf(lease, epoch))
  return [
    proofs.map(([name]) => name),
    proofs.map(([, number]) => number),
    proofs.map(([, , nonce]) => nonce),
  ]
}

function bodyText({ body }: NewView): string | null {
  return body ? Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('base64') : null
}

function tooMany(): ProvisionError {
  return new ProvisionError(
    problem(
      'ORDER_UNANSWERED',
      `${mostWaiting} orders wait already, so this one was not accepted and will not be carried out`,
    ),
  )
}
