// The tables of the database: brought forward by a start, back by a person, and never used when they are too new.
import type { PGlite } from '@electric-sql/pglite'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { Database } from '../../../src/state/postgres/database.ts'
import { migrate, migrateBack, newestVersion, versionOf } from '../../../src/state/postgres/migrations.ts'
import { postgresStore } from '../../../src/state/postgres/postgres-store.ts'
import { numbersOf } from '../../../src/state/postgres/right.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { databaseOn, openSession } from '../../support/pglite-database.ts'
import { silentLogger } from '../../support/silent-logger.ts'

let session: PGlite
let database: Database
let schema: string
let count = 0
beforeAll(async () => {
  session = await openSession()
  database = databaseOn(session)
})
afterAll(() => session.close())
beforeEach(() => {
  schema = `a "quoted'; DROP SCHEMA public; --" ${++count}`
})

const version = () => versionOf(database.query, schema, 'the database')
async function tables(): Promise<string[]> {
  const { rows } = await database.query(
    'SELECT table_name::text AS name FROM information_schema.tables WHERE table_schema = $1 ORDER BY 1',
    [schema],
  )
  return rows.map(({ name }) => String(name))
}

it('are made once, whatever the schema is called', async () => {
  expect(await version()).toBe(0)
  await migrate(database, schema, '1.0')
  const made = await tables()
  const notes = ['cluster_adopted', 'cluster_drained', 'cluster_imports', 'cluster_locations']
  const first = ['identity', 'job_output', 'journal_records', 'journals', 'leases', 'migrations']
  expect(made).toEqual(
    [
      ...notes,
      'decisions',
      ...first,
      ...['join_bindings', 'join_ca', 'join_nonces'],
      'journal_lineages',
      'lineage_beats',
      'orders',
      'provisioners',
      'views',
    ].toSorted(),
  )
  await database.query(
    `INSERT INTO "${schema.replaceAll('"', '""')}".identity (part, value) VALUES ('writer-id', 'w')`,
  )
  await migrate(database, schema, '1.1')
  expect([await version(), await tables()]).toEqual([newestVersion, made])
  const { rows } = await database.query(`SELECT value FROM "${schema.replaceAll('"', '""')}".identity`)
  expect(rows).toEqual([{ value: 'w' }])
})

it('go one version back and forward again; not below the first', async () => {
  await migrate(database, schema, '1.0')
  const made = await tables()
  for (let n = newestVersion - 1; n > 0; n--) expect(await migrateBack(database, schema)).toBe(n)
  expect(await tables()).toEqual(['identity', 'journal_records', 'journals', 'leases', 'migrations'])
  await expect(migrateBack(database, schema)).rejects.toThrow(/USAGE.*none before/)
  await migrate(database, schema, '1.0')
  expect([await version(), await tables()]).toEqual([newestVersion, made])
})

it('do not go back while a provisioner works with them', async () => {
  await migrate(database, schema, '1.0')
  const s = `"${schema.replaceAll('"', '""')}"`
  const lease = (name: string, expiry: string) =>
    database.query(
      `INSERT INTO ${s}.leases (name, epoch, nonce, holder, expires_at) VALUES ('${name}', 0, gen_random_uuid(), '{}', clock_timestamp() + interval '${expiry}')
       ON CONFLICT (name) DO UPDATE SET expires_at = excluded.expires_at`,
    )
  const announced = (expiry: string) =>
    database.query(
      `INSERT INTO ${s}.provisioners (id, about, expires_at) VALUES ('w', '{}', clock_timestamp() + interval '${expiry}')
       ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at`,
    )
  for (const name of ['provisioner', 'pool/gpu']) {
    await lease(name, '15 seconds')
    await expect(migrateBack(database, schema)).rejects.toThrow('LOCK_HELD')
    await lease(name, '-1 seconds')
  }
  await announced('15 seconds')
  await expect(migrateBack(database, schema)).rejects.toThrow('LOCK_HELD')
  await announced('-1 seconds')
  expect(await migrateBack(database, schema)).toBe(newestVersion - 1)
})

it('give no epoch a number that a record has, also after a way back', async () => {
  await migrate(database, schema, '1.0')
  const s = `"${schema.replaceAll('"', '""')}"`
  await database.query(`INSERT INTO ${s}.journals (name, kind) VALUES ('pool/gpu', 'test 1')`)
  await database.query(
    `INSERT INTO ${s}.journal_records (journal, number, epoch, nonce, record) SELECT id, 1, 41, gen_random_uuid(), '{}' FROM ${s}.journals`,
  )
  // To before there were leases.
  for (let version = newestVersion; version > 2; version--) await migrateBack(database, schema)
  await migrate(database, schema, '1.0')
  const { rows } = await database.query(`SELECT nextval('${numbersOf(s)}')::int AS number`)
  expect(rows).toEqual([{ number: 42 }])
})

it('stay as they are while an earlier program has them alone', async () => {
  await migrate(database, schema, '1.0')
  await migrateBack(database, schema)
  const s = `"${schema.replaceAll('"', '""')}"`
  const elsewhere = JSON.stringify({ pid: 77, host: 'host-1', boot: 'another boot' })
  await database.query(
    `INSERT INTO ${s}.leases (name, epoch, nonce, holder, expires_at) VALUES ('provisioner', 0, gen_random_uuid(), $1, clock_timestamp() + interval '15 seconds')`,
    [elsewhere],
  )
  const options = { program: '1.0', clock: new FakeClock(), logger: silentLogger }
  const store = postgresStore({ database, schema, ...options })
  for (const alone of [false, true])
    await expect(store.hold({ onLost() {}, alone })).rejects.toThrow(/LOCK_HELD: process 77 on host-1 holds /)
  expect(await version()).toBe(newestVersion - 1)
})

it('of a newer program are used when it says so, and refused when it does not', async () => {
  await migrate(database, schema, '1.0')
  const table = `"${schema.replaceAll('"', '""')}".migrations`
  await database.query(`INSERT INTO ${table} (version, oldest, program) VALUES (90, 1, '2.0')`)
  await migrate(database, schema, '1.0')
  expect(await version()).toBe(90)
  await database.query(`INSERT INTO ${table} (version, oldest, program) VALUES (91, 91, '3.0')`)
  const refusal = await migrate(database, schema, '1.0').catch((thrown) => thrown)
  expect(refusal.code).toBe('STATE_SCHEMA_NEWER')
  expect(refusal.message).toMatch(/version 91, of provisioner 3\.0/)
  await expect(version()).rejects.toThrow('STATE_SCHEMA_NEWER')
})

it('are complete or as before: a step that fails in the middle leaves nothing', async () => {
  const failing: Database = {
    ...database,
    transaction: (work) =>
      database.transaction((query) =>
        work(async (sql, values) => {
          if (sql.includes('decisions_of_pool')) throw new Error('the server was killed')
          return query(sql, values)
        }),
      ),
  }
  await expect(migrate(failing, schema, '1.0')).rejects.toThrow('the server was killed')
  expect(await tables()).toEqual([])
  await migrate(database, schema, '1.0')
  expect(await version()).toBe(newestVersion)
})

it('in a schema that exists need no right to create one', async () => {
  await database.query(`CREATE SCHEMA "${schema.replaceAll('"', '""')}"`)
  const without: Database = {
    ...database,
    transaction: (work) =>
      database.transaction((query) =>
        work(async (sql, values) => {
          if (sql.startsWith('CREATE SCHEMA')) throw new Error('permission denied for database')
          return query(sql, values)
        }),
      ),
  }
  await migrate(without, schema, '1.0')
  expect(await version()).toBe(newestVersion)
})
