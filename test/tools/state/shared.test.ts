// Two provisioners of one cluster, as real processes with a real PostgreSQL: each pool has one leader, and another one takes
// over within seconds, whatever happened to it.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { type PostgresCluster, postgresCluster } from '../../support/postgres-cluster.ts'
import {
  launchedTwice,
  type SharedCluster,
  type SharedHost,
  type SharedStatus,
  sharedCluster,
} from '../../support/shared-cluster.ts'

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

/** Pools by the host that leads them, as one of them says. */
function ledBy({ pools }: SharedStatus): Record<string, boolean> {
  return Object.fromEntries(pools.map(({ pool, leader }) => [pool, leader?.self === true]))
}

async function led(host: SharedHost): Promise<string[]> {
  const status = await host.status().catch(() => undefined)
  return Object.entries(status ? ledBy(status) : {}).flatMap(([pool, self]) => (self ? [pool] : []))
}

/** Until each pool has one leader, and the hosts lead these numbers of pools. */
async function spread(hosts: SharedHost[], counts: number[]): Promise<string[][]> {
  let pools: string[][] = []
  await expect
    .poll(
      async () => {
        pools = await Promise.all(hosts.map(led))
        return pools.map(({ length }) => length)
      },
      { timeout: 90_000 },
    )
    .toEqual(counts)
  expect(new Set(pools.flat()).size).toBe(cluster.pools.length)
  return pools
}

/** A job for each of the pools; resolves with the milliseconds until the last one has an instance launched for it. */
async function launchesFor(pools: string[]): Promise<number> {
  const from = Date.now()
  const before = new Map(pools.map((pool) => [pool, cluster.live(pool).length]))
  for (const pool of pools) cluster.submit(pool)
  await expect
    .poll(() => pools.every((pool) => cluster.live(pool).length > before.get(pool)!), {
      timeout: 90_000,
      interval: 50,
    })
    .toBe(true)
  return Date.now() - from
}

describe('two provisioners of one cluster', () => {
  it('share the pools, and say of each who leads it', { timeout }, async () => {
    await spread([one, two], [2, 2])
    await launchesFor([...cluster.pools])
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
    const [orphaned] = await spread([one, two], [2, 2])
    const before = cluster.live().length
    await end()
    // Ten more for a busy machine.
    expect(await launchesFor(orphaned!)).toBeLessThan(15_000 + 10_000)
    await expect.poll(() => led(two), { timeout: 30_000 }).toHaveLength(4)
    await comeBack()
    await spread([one, two], [2, 2])
    expect(cluster.live()).toHaveLength(before + 2)
  })

  it('change nothing while the database is gone, and resume soon after its return', { timeout }, async () => {
    await spread([one, two], [2, 2])
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
