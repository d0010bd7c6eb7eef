// What the contract of the exchange needs of the tables of a store.
import { randomUUID } from 'node:crypto'
import type { Database } from '../../src/state/postgres/database.ts'
import { exchangeTable } from '../../src/state/postgres/exchange-table.ts'
import { migrate, quoted } from '../../src/state/postgres/migrations.ts'
import { rowOf } from '../../src/state/postgres/right.ts'
import type { ExchangeHarness } from './exchange-contract.ts'

/** `others`: connections of another process. */
export async function exchangeIn(
  database: Database,
  others: Database,
  name: string,
): Promise<Omit<ExchangeHarness, 'dispose'>> {
  const schema = quoted(name)
  let number = 0
  await migrate(database, name, 'test')
  return {
    exchange: exchangeTable({ database, schema }),
    other: exchangeTable({ database: others, schema }),
    async lead(lease) {
      const epoch = { number: ++number, nonce: randomUUID() }
      await database.query(
        `INSERT INTO ${schema}.leases (name, epoch, nonce, holder, expires_at)
         VALUES ($1, $2, $3, '{}', clock_timestamp() + interval '1 minute')
         ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, nonce = excluded.nonce`,
        [rowOf(lease), epoch.number, epoch.nonce],
      )
      return epoch
    },
    async age(ms) {
      await database.query(
        `UPDATE ${schema}.orders SET expires_at = expires_at - $1::float8 * interval '1 millisecond'`,
        [ms],
      )
    },
    async orders() {
      const { rows } = await database.query(`SELECT count(*)::int AS count FROM ${schema}.orders`)
      return Number(rows[0]!['count'])
    },
  }
}
