// A takeover and a write at the same moment: the write is committed before the right changes, or not at all.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { systemClock } from '../../../src/platform/clock.ts'
import { createAlone } from '../../../src/state/postgres/alone.ts'
import { createFaults } from '../../../src/state/postgres/failures.ts'
import { migrate, quoted } from '../../../src/state/postgres/migrations.ts'
import { heldRow } from '../../../src/state/postgres/right.ts'
import { type PostgresCluster, postgresCluster } from '../../support/postgres-cluster.ts'
import { databaseOf } from '../../support/postgres-database.ts'
import { silentLogger } from '../../support/silent-logger.ts'

let cluster: PostgresCluster
beforeAll(async () => {
  cluster = await postgresCluster()
})
afterAll(() => cluster.dispose())

it('waits for a write that has begun; renewals do not', async () => {
  const database = databaseOf(cluster)
  const schema = quoted('provision')
  await migrate(database, 'provision', 'test')
  const right = createAlone({
    database,
    schema,
    name: 'the database',
    clock: systemClock,
    logger: silentLogger,
    faults: createFaults(silentLogger),
  })
  await right.hold({ onLost() {} })
  const proof = right.proof()
  const events: string[] = []
  const begun = Promise.withResolvers<void>()
  const finish = Promise.withResolvers<void>()
  const writing = database.transaction(async (query) => {
    expect((await query(heldRow(schema), proof)).count).toBe(1)
    begun.resolve()
    await finish.promise
    events.push('written')
  })
  await begun.promise
  const renewed = await database.query(`UPDATE ${schema}.leases SET renewed_at = clock_timestamp()`)
  expect(renewed.count).toBe(1)
  const taken = database
    .query(`UPDATE ${schema}.leases SET nonce = gen_random_uuid()`)
    .then(() => events.push('taken'))
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(events).toEqual([])
  finish.resolve()
  await Promise.all([writing, taken])
  expect(events).toEqual(['written', 'taken'])
  expect((await database.query(heldRow(schema), proof)).count).toBe(0)
  await database.close()
})
