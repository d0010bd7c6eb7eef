// What the lease contract does to the tables of a store behind its back.
import type { Query } from '../../src/state/postgres/database.ts'
import { quoted } from '../../src/state/postgres/migrations.ts'
import type { LeaseHarness } from './lease-harness.ts'

type InTables = Pick<LeaseHarness, 'pass' | 'rows'>

export function leasesInTables(query: Query, schema: string): InTables {
  const s = quoted(schema)
  const count = async (table: string) => {
    const { rows } = await query(`SELECT count(*)::int AS rows FROM ${s}.${table}`)
    return Number(rows[0]?.['rows'])
  }
  return {
    async pass(ms) {
      for (const table of ['leases', 'provisioners'])
        await query(
          `UPDATE ${s}.${table} SET expires_at = expires_at - $1::float8 * interval '1 millisecond'`,
          [ms],
        )
    },
    rows: async () => ({ leases: await count('leases'), candidates: await count('provisioners') }),
  }
}
