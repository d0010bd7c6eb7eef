// Commands while the database does not answer: what is known comes within a second, and says that nobody can lead.
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { ask } from '../../support/ask.ts'
import { type PostgresCluster, postgresCluster } from '../../support/postgres-cluster.ts'
import { type SharedCluster, type SharedHost, sharedCluster } from '../../support/shared-cluster.ts'

let database: PostgresCluster
let cluster: SharedCluster
let hosts: SharedHost[]
beforeAll(async () => {
  database = await postgresCluster()
  cluster = await sharedCluster({ cli: inject('cli'), url: database.url(), schema: 'outage', pools: 2 })
  hosts = ['a', 'b'].map((name) => cluster.host(name))
})
afterAll(async () => {
  database?.thaw()
  await cluster?.dispose()
  await database?.dispose()
})

const within = { timeout: 60_000, interval: 500 }
const states = async (host: SharedHost) => {
  const { pools } = await host.status().catch(() => ({ pools: [] }))
  return pools.map(({ state, leader }) => `${state} ${leader ? 'led' : 'by nobody'}`)
}

it('status says within a second what is known, its age, and that nobody can lead', async () => {
  hosts[0]!.start()
  await expect.poll(() => states(hosts[0]!), within).toEqual(['ok led', 'ok led'])
  hosts[1]!.start()
  await expect
    .poll(async () => (await hosts[1]!.status()).pools.filter(({ leader }) => leader?.self).length, within)
    .toBe(1)
  database.freeze()
  for (const host of hosts)
    await expect.poll(() => states(host), within).toEqual(['unavailable by nobody', 'unavailable by nobody'])
  for (const { dir } of hosts) {
    const socket = { socketPath: `${dir}/own/control.sock` }
    for (const path of ['/v1/status', '/v1/instances', '/v1/agents', '/v1/orphans']) {
      const begun = performance.now()
      const { status, value } = await ask('GET', path, socket)
      expect([path, status, performance.now() - begun < 1_000]).toEqual([path, 200, true])
      if (path !== '/v1/status') continue
      for (const pool of value.pools)
        expect(pool).toMatchObject({
          ...{ state: 'unavailable', age: expect.any(Number), live: 0 },
          problems: [{ code: 'STATE_UNREACHABLE', remedy: expect.stringContaining('Start the database') }],
        })
    }
  }
  expect(await hosts[0]!.command('status')).toMatch(/pool-0 +aws +unavailable, \d+s .* none\n/)
  database.thaw()
  for (const host of hosts) await expect.poll(() => states(host), within).toEqual(['ok led', 'ok led'])
  expect(cluster.violations).toEqual([])
}, 180_000)
