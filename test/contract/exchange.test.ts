// The contract of the exchange in memory, as other tests use it, and on the SQL in a PostgreSQL with one session.
import type { PGlite } from '@electric-sql/pglite'
import { afterAll } from 'vitest'
import type { Epoch } from '../../src/state/leases/port.ts'
import { memoryExchange } from '../support/memory-exchange.ts'
import { databaseOn, openSession } from '../support/pglite-database.ts'
import { describeExchangeContract } from './exchange-contract.ts'
import { exchangeIn } from './exchange-tables.ts'

describeExchangeContract('memory', {
  can: [],
  async open() {
    const epochs = new Map<string, Epoch>()
    const exchange = memoryExchange(
      () => performance.now(),
      (lease) => epochs.get(lease),
    )
    let number = 0
    return {
      exchange,
      other: exchange,
      async lead(lease) {
        epochs.set(lease, { number: ++number, nonce: `n${number}` })
        return epochs.get(lease)!
      },
      dispose: async () => {},
    }
  },
})

let session: Promise<PGlite> | undefined
let count = 0
afterAll(async () => (await session)?.close())

describeExchangeContract('the tables of PostgreSQL', {
  can: ['stores'],
  async open() {
    session ??= openSession()
    const database = databaseOn(await session)
    return { ...(await exchangeIn(database, database, `Odd "name" ${++count}`)), dispose: async () => {} }
  },
})
