// The first start of a cluster on an empty database, by two hosts at once: nothing can be out there, so no pool waits a
// minute for listings, whichever host leads it.
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { type PostgresCluster, postgresCluster } from '../../support/postgres-cluster.ts'
import { launchedTwice, type SharedCluster, sharedCluster } from '../../support/shared-cluster.ts'

let database: PostgresCluster
let cluster: SharedCluster
beforeAll(async () => {
  database = await postgresCluster()
  cluster = await sharedCluster({ cli: inject('cli'), url: database.url(), schema: 'first', pools: 4 })
})
afterAll(async () => {
  await cluster?.dispose()
  await database?.dispose()
})

it('two hosts that start at once launch in all pools after ten seconds', async () => {
  const hosts = ['one', 'two'].map((name) => cluster.host(name))
  for (const host of hosts) host.start()
  for (const pool of cluster.pools) cluster.submit(pool)
  const ledAtOnce = async () =>
    Promise.all(
      hosts.map(async (host) => {
        const { pools } = await host.status().catch(() => ({ pools: [] }))
        return pools.filter(({ leader }) => leader?.self).length
      }),
    )
  await expect.poll(ledAtOnce, { timeout: 60_000, interval: 200 }).toEqual([2, 2])
  const from = Date.now()
  await expect
    .poll(() => cluster.pools.every((pool) => cluster.live(pool).length > 0), {
      timeout: 90_000,
      interval: 100,
    })
    .toBe(true)
  expect(Date.now() - from).toBeLessThan(35_000)
  expect([...cluster.violations, ...launchedTwice(cluster)]).toEqual([])
}, 180_000)
