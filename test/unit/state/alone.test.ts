// The right to have the state in a database alone: who gets it, when it is free, and what is known while the database is gone.
import type { PGlite } from '@electric-sql/pglite'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { thisProcess } from '../../../src/platform/locks.ts'
import { ProvisionError, problem } from '../../../src/problems/index.ts'
import { type AloneRight, createAlone } from '../../../src/state/postgres/alone.ts'
import type { Database } from '../../../src/state/postgres/database.ts'
import { createFaults } from '../../../src/state/postgres/failures.ts'
import { migrate, quoted } from '../../../src/state/postgres/migrations.ts'
import { capturingLogger } from '../../support/capturing-logger.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { databaseOn, openSession } from '../../support/pglite-database.ts'

let session: PGlite
let database: Database
let schema: string
let isGone = false
let count = 0
beforeAll(async () => {
  session = await openSession()
})
afterAll(() => session.close())
beforeEach(async () => {
  const real = databaseOn(session)
  isGone = false
  const gone = () => new ProvisionError(problem('STATE_UNREACHABLE', 'PostgreSQL db:5432: refused'))
  database = {
    ...real,
    query: (...args) => (isGone ? Promise.reject(gone()) : real.query(...args)),
    transaction: (...args) => (isGone ? Promise.reject(gone()) : real.transaction(...args)),
  }
  const name = `right ${++count}`
  schema = quoted(name)
  await migrate(database, name, 'test')
})

function rightOf(clock = new FakeClock(), logger = capturingLogger()): AloneRight {
  const faults = createFaults(logger)
  return createAlone({ database, schema, name: 'the database', clock, logger, faults })
}

/** A holder that this process cannot know to have exited. */
async function leaseOf(holder: object, expiry: string): Promise<void> {
  await database.query(
    `INSERT INTO ${schema}.leases (name, epoch, nonce, holder, expires_at)
     VALUES ('provisioner', 0, gen_random_uuid(), $1, clock_timestamp() + $2::interval)`,
    [JSON.stringify(holder), expiry],
  )
}

const elsewhere = { ...thisProcess(), host: 'other-host', pid: 77, boot: 'another boot' }
const hold = (right: AloneRight) =>
  right.hold({ onLost() {} }).then(
    () => 'held',
    (error: ProvisionError) => error.message,
  )

describe('the right', () => {
  it('of a process elsewhere is its own until it expires by the clock of the database', async () => {
    await leaseOf(elsewhere, '2 seconds')
    expect(await hold(rightOf(new FakeClock(Date.now() + 86_400_000)))).toMatch(
      /^LOCK_HELD: process 77 on other-host holds the database; it was last renewed at .* 15 s$/,
    )
    await expect.poll(() => hold(rightOf()), { timeout: 10_000 }).toBe('held')
  })

  it('of a process of this machine that has exited is free at once', async () => {
    await leaseOf({ ...thisProcess(), start: 'long ago' }, '1 hour')
    expect(await hold(rightOf())).toBe('held')
  })

  it('that is unreadable counts as held until it expires', async () => {
    await leaseOf([], '1 hour')
    expect(await hold(rightOf())).toContain('LOCK_HELD')
  })

  it('is renewed every few seconds, and given back', async () => {
    const clock = new FakeClock()
    const right = rightOf(clock)
    const release = await right.hold({ onLost() {} })
    const renewedAt = async () => {
      const { rows } = await database.query(`SELECT renewed_at::text AS at FROM ${schema}.leases`)
      return rows[0]?.['at']
    }
    const before = await renewedAt()
    await clock.advance(3_000)
    await expect.poll(renewedAt).not.toBe(before)
    await release()
    expect(await renewedAt()).toBeUndefined()
    expect(() => right.proof()).toThrow('STATE_RIGHT_LOST')
  })

  it('is kept while the database is gone, which is reported once, and so is its return', async () => {
    const [clock, logger] = [new FakeClock(), capturingLogger()]
    const right = rightOf(clock, logger)
    let lost = false
    const release = await right.hold({ onLost: () => (lost = true) })
    expect(right.fault()).toBeUndefined()
    isGone = true
    for (let n = 0; n < 40; n++) await clock.advance(1_000)
    expect(right.fault()).toMatchObject({ code: 'STATE_UNREACHABLE' })
    expect(logger.lines.filter((line) => line.includes('cannot be written'))).toHaveLength(1)
    isGone = false
    await clock.advance(1_000)
    await expect.poll(() => right.fault()).toBeUndefined()
    expect(logger.lines.filter((line) => line.includes('can be written again'))).toHaveLength(1)
    expect(lost).toBe(false)
    await release()
  })
})
