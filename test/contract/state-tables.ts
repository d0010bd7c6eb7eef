// What the state contract does to the tables of a store behind its back.
import type { Query } from '../../src/state/postgres/database.ts'
import { quoted } from '../../src/state/postgres/migrations.ts'
import type { StateHarness } from './state-harness.ts'

type InTables = Pick<StateHarness, 'damage' | 'grow' | 'size' | 'tear' | 'takeRight'>

export function inTables(query: Query, schema: string): InTables {
  const s = quoted(schema)
  return {
    async damage(part, text) {
      await query(`UPDATE ${s}.identity SET value = $1 WHERE part = $2`, [text, part])
    },
    async grow(minutes) {
      await query(`UPDATE ${s}.identity SET written_at = written_at - $1::int * interval '1 minute'`, [
        minutes,
      ])
    },
    async size() {
      const { rows } = await query(
        `SELECT (SELECT count(*) FROM ${s}.journal_records) + (SELECT count(*) FROM ${s}.job_output) AS rows`,
      )
      return Number(rows[0]?.['rows'])
    },
    async tear(pool) {
      await query(
        `UPDATE ${s}.journal_records r SET record = left(record, -5) FROM ${s}.journals j
         WHERE j.id = r.journal AND j.name = $1 AND number = (SELECT max(number) FROM ${s}.journal_records WHERE journal = j.id)`,
        [`pool/${pool}`],
      )
    },
    async takeRight() {
      await query(`UPDATE ${s}.leases SET nonce = gen_random_uuid(), expires_at = clock_timestamp()`)
    },
  }
}

/** Each insert into the table takes at least so many milliseconds more; call the result to undo it. */
export async function slowInserts(
  query: Query,
  { schema, table = 'journal_records' }: { schema: string; table?: string },
  ms: number,
): Promise<() => Promise<void>> {
  const s = quoted(schema)
  const body = `BEGIN PERFORM pg_sleep(${ms / 1000}); RETURN NULL; END`
  await query(`CREATE FUNCTION ${s}.slow_${table}() RETURNS trigger LANGUAGE plpgsql AS $$ ${body} $$`)
  await query(
    `CREATE TRIGGER slow AFTER INSERT ON ${s}.${table} FOR EACH STATEMENT EXECUTE FUNCTION ${s}.slow_${table}()`,
  )
  return async () => {
    await query(`DROP FUNCTION ${s}.slow_${table} CASCADE`)
  }
}
