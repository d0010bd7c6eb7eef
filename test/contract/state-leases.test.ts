// The lease contract on leases in memory, which the tests of leadership use, and on the SQL of the PostgreSQL store.
import type { PGlite } from '@electric-sql/pglite'
import { afterAll } from 'vitest'
import { systemClock } from '../../src/platform/clock.ts'
import { postgresStore } from '../../src/state/postgres/postgres-store.ts'
import { memoryLeases } from '../support/memory-leases.ts'
import { databaseOn, openSession } from '../support/pglite-database.ts'
import { silentLogger } from '../support/silent-logger.ts'
import { describeLeaseContract } from './lease-contract.ts'
import type { LeaseHarness } from './lease-harness.ts'
import { leasesInTables } from './lease-tables.ts'

describeLeaseContract('leases in memory', {
  can: [],
  async open(): Promise<LeaseHarness> {
    let now = 0
    const leases = memoryLeases(() => now)
    return {
      connect: async () => leases,
      async pass(ms) {
        now += ms
      },
      dispose: async () => {},
    }
  },
})

let session: Promise<PGlite> | undefined
afterAll(async () => (await session)?.close())
let count = 0

describeLeaseContract('the tables of PostgreSQL', {
  can: ['journals', 'forgets'],
  async open(): Promise<LeaseHarness> {
    session ??= openSession()
    const database = databaseOn(await session)
    const schema = `Leases "of" ${++count}`
    const open = async (clock = systemClock) =>
      postgresStore({ database, schema, program: 'test', clock, logger: silentLogger })
    return {
      async connect(clock) {
        const store = await open(clock)
        await store.hold({ onLost() {} })
        return store.leases!
      },
      open,
      ...leasesInTables(database.query, schema),
      dispose: async () => {},
    }
  },
})
