// Two provisioners of one cluster, as real processes with a real PostgreSQL: each pool has one leader, and another one takes
// over within seconds, whatever happened to it.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type PostgresCluster, postgresCluster } from '../../support/postgres-cluster.ts'
import {
  launchedTwice,
  type SharedCluster,
  type SharedHost,
  sharedCluster,
} from '../../support/shared-cluster.ts'
import { launchesFor, led, spread } from '../../support/shared-pools.ts'

let database: PostgresCluster
let cluster: SharedCluster
let one: SharedHost
let two: SharedHost
/** The tests continue with what the one before left: a first start of a cluster takes its time. */
beforeAll(async () => {
  database = await postgresCluster()
  cluster = await sharedCluster({
    cli: inject('cli'),
    url: database.url(),
    schema: 'shared',
    pools: 4,
    most: 9,
  })
  one = cluster.host('one')
  two = cluster.host('two')
  for (const host of [one, two]) host.start()
})
afterEach(() => {
  expect([...cluster.violations, ...launchedTwice(cluster)]).toEqual([])
})
afterAll(async () => {
  database.thaw()
  if (!database.isUp()) await database.start()
  await cluster.dispose()
  await database.dispose()
})

const timeout = 180_000

describe('two provisioners of one cluster', () => {
  it('share the pools, and say of each who leads it', { timeout }, async () => {
    await spread(cluster, [one, two], [2, 2])
    await launchesFor(cluster, [...cluster.pools])
    for (const host of [one, two]) {
      const { pools, problems } = await host.status()
      expect(problems).toEqual([])
      expect(pools.map(({ pool }) => pool)).toEqual(cluster.pools)
      for (const { leader } of pools) expect(leader?.epoch).toBeGreaterThan(0)
      expect(new Set(pools.map(({ leader }) => leader?.pid)).size).toBe(2)
    }
    expect(cluster.live()).toHaveLength(4)
  })

  it.each([
    ['is killed', () => one.kill(), async () => one.start()],
    ['is suspended', async () => one.signal('SIGSTOP'), async () => one.signal('SIGCONT')],
    ['stops', async () => void (await one.stop()), async () => one.start()],
  ])('and when one %s, the other leads its pools within 15 s', { timeout }, async (_, end, comeBack) => {
    const [orphaned] = await spread(cluster, [one, two], [2, 2])
    const before = cluster.live().length
    await end()
    // Ten more for a busy machine.
    expect(await launchesFor(cluster, orphaned!)).toBeLessThan(15_000 + 10_000)
    await expect.poll(() => led(two), { timeout: 30_000 }).toHaveLength(4)
    await comeBack()
    await spread(cluster, [one, two], [2, 2])
    expect(cluster.live()).toHaveLength(before + 2)
  })

  it('change nothing while the database is gone, and resume soon after its return', { timeout }, async () => {
    await spread(cluster, [one, two], [2, 2])
    const before = cluster.live().length
    await database.crash()
    for (const pool of cluster.pools) cluster.submit(pool)
    await sleep(15_000)
    expect(cluster.live()).toHaveLength(before)
    await database.start()
    const back = Date.now()
    await expect.poll(() => cluster.live().length, { timeout: 60_000, interval: 50 }).toBe(before + 4)
    // A renewal, and a view of the master; ten more for a busy machine.
    expect(Date.now() - back).toBeLessThan(10_000 + 10_000)
  })
})
