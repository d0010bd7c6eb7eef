// A write that was given up, and that the database carries out later: it changes nothing that was written since.
import type { PGlite } from '@electric-sql/pglite'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { systemClock } from '../../../src/platform/clock.ts'
import { ProvisionError, problem } from '../../../src/problems/index.ts'
import type { Database } from '../../../src/state/postgres/database.ts'
import { postgresStore } from '../../../src/state/postgres/postgres-store.ts'
import type { StateStore, StoredJournal } from '../../../src/state/store.ts'
import { databaseOn, openSession } from '../../support/pglite-database.ts'
import { silentLogger } from '../../support/silent-logger.ts'

let session: PGlite
let store: StateStore
let release: () => void | Promise<void>
let journal: StoredJournal
/** The next write gets no answer, and is carried out when `carryOut` is called. */
let isLate = false
let carryOut: () => Promise<unknown>
let count = 0
beforeAll(async () => {
  session = await openSession()
})
afterAll(async () => {
  await release()
  await session.close()
})
beforeEach(async () => {
  const real = databaseOn(session)
  const database: Database = {
    ...real,
    query(...args) {
      if (!isLate || !args[0].includes('journal_records')) return real.query(...args)
      isLate = false
      carryOut = () => real.query(...args)
      return Promise.reject(new ProvisionError(problem('STATE_UNREACHABLE', 'no answer within 5 s')))
    },
  }
  const options = { program: 'test', clock: systemClock, logger: silentLogger }
  await release?.()
  store = postgresStore({ database, schema: `late ${++count}`, ...options })
  release = await store.hold({ onLost() {}, alone: true })
  journal = (await store.openJournal({ name: { pool: 'gpu' }, kind: 'test 1' })).journal
  await journal.append({ at: 1, kind: 'test' })
})

async function numbers(): Promise<number[]> {
  const shown = (await journal.read()).map(({ at }) => at)
  const { records } = await store.openJournal({ name: { pool: 'gpu' }, kind: 'test 1' })
  expect(records.map(({ at }) => at)).toEqual(shown)
  return shown
}

it('an append after which the journal was rewritten', async () => {
  isLate = true
  await expect(journal.append({ at: 2, kind: 'test' })).rejects.toThrow('no answer')
  // Whether it is there is unknown, so nothing may follow it.
  await expect(journal.append({ at: 3, kind: 'test' })).rejects.toThrow('no answer')
  await journal.rewrite([{ at: 4, kind: 'test' }])
  await journal.append({ at: 5, kind: 'test' })
  await carryOut()
  expect(await numbers()).toEqual([4, 5])
  await journal.rewrite([{ at: 6, kind: 'test' }])
  expect(await numbers()).toEqual([6])
})

it('a rewrite after which there was another', async () => {
  isLate = true
  await expect(journal.rewrite([{ at: 2, kind: 'test' }])).rejects.toThrow('no answer')
  await journal.rewrite([{ at: 3, kind: 'test' }])
  await journal.append({ at: 4, kind: 'test' })
  await carryOut()
  expect(await numbers()).toEqual([3, 4])
})

it('an append that was carried out before the rewrite', async () => {
  isLate = true
  await expect(journal.append({ at: 2, kind: 'test' })).rejects.toThrow('no answer')
  await carryOut()
  await journal.rewrite([{ at: 1, kind: 'test' }])
  await journal.append({ at: 3, kind: 'test' })
  expect(await numbers()).toEqual([1, 3])
})
