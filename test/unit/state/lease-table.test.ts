// Leases in tables, beyond the contract: names, and what is reported while the database is gone.
import type { PGlite } from '@electric-sql/pglite'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { ProvisionError, problem } from '../../../src/problems/index.ts'
import type { Epoch } from '../../../src/state/leases/port.ts'
import type { Database } from '../../../src/state/postgres/database.ts'
import { createFaults } from '../../../src/state/postgres/failures.ts'
import { leaseTable } from '../../../src/state/postgres/lease-table.ts'
import type { LineageWatch } from '../../../src/state/postgres/lineage-watch.ts'
import { postgresStore } from '../../../src/state/postgres/postgres-store.ts'
import { leaseIn, rowOf } from '../../../src/state/postgres/right.ts'
import type { StateStore } from '../../../src/state/store.ts'
import { capturingLogger } from '../../support/capturing-logger.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { databaseOn, openSession } from '../../support/pglite-database.ts'
import { candidate, leaseOf, underEpoch } from '../../support/under-leases.ts'

let session: PGlite
let database: Database
let store: StateStore
let logger: ReturnType<typeof capturingLogger>
let isGone = false
let count = 0
beforeAll(async () => {
  session = await openSession()
})
afterAll(() => session.close())
beforeEach(async () => {
  const real = databaseOn(session)
  isGone = false
  logger = capturingLogger()
  const gone = () => new ProvisionError(problem('STATE_UNREACHABLE', 'PostgreSQL db:5432: refused'))
  const unlessGone =
    <Args extends unknown[], T>(call: (...args: Args) => Promise<T>) =>
    (...args: Args) =>
      isGone ? Promise.reject(gone()) : call(...args)
  database = { ...real, query: unlessGone(real.query), urgent: unlessGone(real.urgent) }
  const schema = `leases ${++count}`
  store = postgresStore({ database, schema, program: 'test', clock: new FakeClock(), logger })
  await store.hold({ onLost() {} })
})

const self = candidate('one')
const none = new Map<string, Epoch>()

it('no pool has the lease of the master, or the row of who has everything alone', () => {
  const pools = ['gpu', 'master', 'provisioner', '@master', '@@master', 'pool/gpu', '@provisioner']
  const leases = [leaseOf('master'), ...pools.map((pool) => leaseOf({ pool }))]
  const rows = leases.map(rowOf)
  expect(leases[0]).toBe('@master')
  expect(leaseOf({ pool: 'gpu' })).toBe('gpu')
  expect(new Set([...rows, 'provisioner']).size).toBe(pools.length + 2)
  expect(rows.map(leaseIn)).toEqual(leases)
})

it('journals are failing while renewals fail, which is reported once, and so is the return', async () => {
  const leases = store.leases!
  const epoch = (await leases.take('gpu', 'one', 60_000))!
  const { journal } = await store.openJournal(underEpoch({ name: { pool: 'gpu' }, kind: 'test 1' }, epoch))
  const held = new Map([['gpu', epoch]])
  await leases.renew(self, held, 60_000)
  expect(journal.fault?.()).toBeUndefined()
  isGone = true
  for (let n = 0; n < 3; n++)
    await expect(leases.renew(self, held, 60_000)).rejects.toThrow('STATE_UNREACHABLE')
  expect(journal.fault?.()).toMatchObject({ code: 'STATE_UNREACHABLE' })
  isGone = false
  await leases.renew(self, held, 60_000)
  expect(journal.fault?.()).toBeUndefined()
  const about = (text: string) => logger.lines.filter((line) => line.includes(text))
  expect([about('cannot be written').length, about('can be written again').length]).toEqual([1, 1])
})

it('a damaged journal is not repaired by who has lost its lease meanwhile', async () => {
  const leases = store.leases!
  const epoch = (await leases.take('gpu', 'one', 60_000))!
  const options = { name: { pool: 'gpu' }, kind: 'test 1' }
  const { journal } = await store.openJournal(underEpoch(options, epoch))
  await journal.append({ at: 1, kind: 'test' })
  const schema = `"leases ${count}"`
  await database.query(`UPDATE ${schema}.journal_records SET record = '{'`)
  let isRead = false
  const real = database.query
  database.query = async (...args) => {
    const answer = await real(...args)
    // Between the reading and the repair.
    if (!isRead && args[0].includes('ORDER BY f.n, r.number')) {
      isRead = true
      await leases.release('gpu', epoch)
    }
    return answer
  }
  await expect(store.openJournal(underEpoch(options, epoch))).rejects.toThrow('STATE_RIGHT_LOST')
  const { rows } = await database.query(`SELECT count(*)::int AS n FROM ${schema}.journals`)
  expect([isRead, rows]).toEqual([true, [{ n: 1 }]])
})

it('an announcement that is no JSON, or of another kind, stops nobody', async () => {
  const schema = `"leases ${count}"`
  for (const [id, about] of [
    ['a', 'no JSON'],
    ['b', '[]'],
    ['c', 'null'],
  ])
    await database.query(
      `INSERT INTO ${schema}.provisioners (id, about, expires_at) VALUES ('${id}', '${about}', clock_timestamp() + interval '1 minute')`,
    )
  const view = await store.leases!.renew(self, none, 60_000)
  expect(view.candidates.map(({ id }) => id)).toEqual(['one'])
})

it('a renewal fails with what is checked in it, such as whether the database has lost commits', async () => {
  const schema = `"leases ${count}"`
  let checked = 0
  const checkWith: LineageWatch['checkWith'] = async (run) => {
    const row = await run({
      sql: (first) => `SELECT $${first}::text AS n, $${first + 1}::int`,
      values: ['x', 1],
    })
    expect(row).toMatchObject({ n: 'x' })
    checked++
    if (checked > 1) throw new ProvisionError(problem('STATE_READ_ONLY', 'it is a standby now'))
  }
  const table = leaseTable({ database, schema, faults: createFaults(logger), lineage: { checkWith } })
  const view = await table.renew(self, none, 60_000)
  expect(view.candidates.map(({ id }) => id)).toEqual(['one'])
  await expect(table.renew(self, none, 60_000)).rejects.toThrow('STATE_READ_ONLY')
  expect(checked).toBe(2)
})

it('all that is asked for at once is taken by one statement, and renewed by one', async () => {
  const leases = store.leases!
  const pools = Array.from({ length: 30 }, (_, n) => `pool-${n}`)
  const statements: string[] = []
  const { query, urgent } = database
  database.query = (...args) => {
    statements.push(args[0])
    return query(...args)
  }
  database.urgent = (...args) => {
    statements.push(args[0])
    return urgent(...args)
  }
  const epochs = await Promise.all([...pools, 'pool-0'].map((pool) => leases.take(pool, 'one', 60_000)))
  // The second take of one pool is another statement, which asks whether the holder has exited.
  expect(statements.filter((sql) => sql.startsWith('INSERT'))).toHaveLength(2)
  expect(epochs.pop()).toBeUndefined()
  expect(new Set(epochs.map((epoch) => epoch!.number)).size).toBe(30)
  statements.length = 0
  const view = await leases.renew(self, new Map(pools.map((pool, n) => [pool, epochs[n]!])), 60_000)
  expect(statements).toHaveLength(1)
  expect(view.leases.map(({ left }) => left > 59_000)).toEqual(pools.map(() => true))
})
