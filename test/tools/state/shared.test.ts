// Two provisioners of one cluster, as real processes with a real PostgreSQL: each pool has one leader, and another one takes
// over within seconds, whatever happened to it.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
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
let schemas = 0
beforeAll(async () => {
  database = await postgresCluster()
})
afterAll(() => database.dispose())
beforeEach(async () => {
  const schema = `shared_${++schemas}`
  cluster = await sharedCluster({ cli: inject('cli'), url: database.url(), schema, pools: 4 })
})
afterEach(async () => {
  database.thaw()
  if (!database.isUp()) await database.start()
  const violations = [...cluster.violations, ...launchedTwice(cluster)]
  await cluster.dispose()
  expect(violations).toEqual([])
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

async function started(...names: string[]): Promise<SharedHost[]> {
  const hosts = names.map((name) => cluster.host(name))
  for (const host of hosts) {
    host.start()
    await expect.poll(() => host.status().catch(() => undefined), { timeout: 60_000 }).toBeDefined()
  }
  return hosts
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
    const [one, two] = (await started('one', 'two')) as [SharedHost, SharedHost]
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
    ['is killed', (host: SharedHost) => host.kill()],
    ['is suspended', async (host: SharedHost) => host.signal('SIGSTOP')],
    ['stops', async (host: SharedHost) => void host.stop()],
  ])('and when one %s, the other leads its pools within 15 s', { timeout }, async (_, end) => {
    const [one, two] = (await started('one', 'two')) as [SharedHost, SharedHost]
    const [orphaned] = await spread([one, two], [2, 2])
    await launchesFor([...cluster.pools])
    await end(one)
    const took = await launchesFor(orphaned!)
    expect(took).toBeLessThan(15_000 + 10_000)
    await expect.poll(() => led(two), { timeout: 30_000 }).toHaveLength(4)
    one.signal('SIGCONT')
    await sleep(5_000)
    expect(cluster.live()).toHaveLength(6)
  })

  it('change nothing while the database is gone, and resume within 5 s of its return', {
    timeout,
  }, async () => {
    const [one, two] = (await started('one', 'two')) as [SharedHost, SharedHost]
    await spread([one, two], [2, 2])
    const jobs = cluster.pools.map((pool) => cluster.submit(pool))
    await expect.poll(() => jobs.every(cluster.isRunning), { timeout: 60_000 }).toBe(true)
    await database.crash()
    for (const pool of cluster.pools) cluster.submit(pool)
    await sleep(20_000)
    expect(cluster.live()).toHaveLength(4)
    await database.start()
    const back = Date.now()
    await expect.poll(() => cluster.live().length, { timeout: 60_000, interval: 50 }).toBe(8)
    expect(Date.now() - back).toBeLessThan(10_000)
    expect(jobs.every(cluster.isRunning)).toBe(true)
  })
})
