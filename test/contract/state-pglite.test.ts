// The state contract on the SQL of the PostgreSQL store, in a PostgreSQL with one session inside of this process.
import type { PGlite } from '@electric-sql/pglite'
import { afterAll } from 'vitest'
import { systemClock } from '../../src/platform/clock.ts'
import { postgresStore } from '../../src/state/postgres/postgres-store.ts'
import { databaseOn, openSession } from '../support/pglite-database.ts'
import { silentLogger } from '../support/silent-logger.ts'
import { describeStateContract } from './state-contract.ts'
import type { StateHarness } from './state-harness.ts'
import { inTables } from './state-tables.ts'

let session: Promise<PGlite> | undefined
afterAll(async () => (await session)?.close())
let count = 0

describeStateContract('the tables of PostgreSQL', {
  can: ['tears', 'fences'],
  async open(): Promise<StateHarness> {
    session ??= openSession()
    const database = databaseOn(await session)
    const schema = `Odd "name" ${++count}`
    return {
      open: async (clock = systemClock) =>
        postgresStore({ database, schema, program: 'test', clock, logger: silentLogger }),
      ...inTables((sql, values) => database.query(sql, values), schema),
      dispose: async () => {},
    }
  },
})
