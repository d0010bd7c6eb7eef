// PostgreSQL in this process, for tests: one session, in memory.
import { PGlite } from '@electric-sql/pglite'
import type { Answer, Database, Query, Value } from '../../src/state/postgres/database.ts'
import { failureOf } from '../../src/state/postgres/failures.ts'

/** Closing the database closes nothing: another may be opened on the same session. */
export function databaseOn(session: PGlite): Database {
  const name = 'PostgreSQL in this process, database test'
  const on =
    (from: Pick<PGlite, 'query'>): Query =>
    async (sql, values: readonly Value[] = []): Promise<Answer> => {
      const { rows, affectedRows = 0 } = await from.query<Record<string, unknown>>(sql, [...values])
      return { rows, count: affectedRows || rows.length }
    }
  const named = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw failureOf(error, name)
    }
  }
  return {
    name,
    query: (sql, values) => named(() => on(session)(sql, values)),
    urgent: (sql, values) => named(() => on(session)(sql, values)),
    transaction: (work) =>
      named(() => session.transaction((transaction) => work(on(transaction as unknown as PGlite)))),
    tls: () => undefined,
    close: async () => {},
  }
}

/** Takes about two seconds; several schemas can share one. */
export function openSession(): Promise<PGlite> {
  return PGlite.create()
}
