// Two provisioners whose database needs a second for each request: nobody loses a lease, and a take-over is not much slower.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { type PostgresCluster, postgresCluster } from '../../support/postgres-cluster.ts'
import {
  launchedTwice,
  type SharedCluster,
  type SharedHost,
  sharedCluster,
} from '../../support/shared-cluster.ts'
import { type SlowRelay, slowRelay } from '../../support/slow-relay.ts'

const pools = 12
let database: PostgresCluster
let relay: SlowRelay
let cluster: SharedCluster
let hosts: SharedHost[]
beforeAll(async () => {
  database = await postgresCluster()
  relay = await slowRelay(database.port)
  const url = database.url().replace(`:${database.port}/`, `:${relay.port}/`)
  cluster = await sharedCluster({ cli: inject('cli'), url, schema: 'slow', pools, most: 9 })
  hosts = ['one', 'two'].map((name) => cluster.host(name))
  hosts[0]!.start()
  // A first start has to see listings before it launches.
  for (const pool of cluster.pools) cluster.submit(pool)
  while (cluster.live().length < pools) await sleep(200)
  hosts[1]!.start()
})
afterAll(async () => {
  relay.resume()
  await cluster.dispose()
  relay.close()
  await database.dispose()
})

const losses = () => hosts.map((host) => host.log().split('the lease is over').length - 1)

/** Names of the pools that the process leads, as the database knows. */
function ledBy(host: SharedHost): string[] {
  const rows = database.sql(
    `SELECT l.name FROM slow.leases l JOIN slow.provisioners p ON p.id = l.holder
     WHERE l.expires_at > clock_timestamp() AND l.name LIKE 'pool/%' AND p.about::json->>'pid' = '${host.pid()}'`,
  )
  return rows.split('\n').flatMap((row) => (row ? [row.slice('pool/'.length)] : []))
}

/** Milliseconds until each of the pools has an instance more, for a job of each. */
async function launchesFor(names: readonly string[]): Promise<number> {
  const from = Date.now()
  const before = new Map(names.map((pool) => [pool, cluster.live(pool).length]))
  for (const pool of names) cluster.submit(pool)
  await expect
    .poll(() => names.filter((pool) => cluster.live(pool).length === before.get(pool)), {
      timeout: 90_000,
      interval: 50,
    })
    .toEqual([])
  return Date.now() - from
}

it('is led on while each request takes a second, and by the other one when its leader stops answering', async () => {
  await expect.poll(() => ledBy(hosts[1]!).length, { timeout: 120_000 }).toBeGreaterThan(3)
  relay.delay(1_000)
  await sleep(20_000)
  expect(losses()).toEqual([0, 0])
  const orphaned = ledBy(hosts[1]!)
  hosts[1]!.signal('SIGSTOP')
  // Ten more for a busy machine.
  expect(await launchesFor(orphaned)).toBeLessThan(17_000 + 10_000)
  expect(losses()[0]).toBe(0)
  relay.delay(0)
  hosts[1]!.signal('SIGCONT')
  await expect.poll(() => ledBy(hosts[1]!).length, { timeout: 120_000 }).toBeGreaterThan(3)
  expect([...cluster.violations, ...launchedTwice(cluster)]).toEqual([])
}, 300_000)

it('launches nothing while no answer comes, says so of orders, and resumes soon after the return', async () => {
  const before = cluster.live().length
  relay.hold()
  const [pool] = ledBy(hosts[0]!)
  const order = await hosts[0]!.command('launch', '1', '--pool', pool!).then(
    () => 'accepted',
    (error: Error) => error.message,
  )
  expect(order).toMatch(/ORDER_UNCERTAIN/)
  expect(order).toMatch(/provision instances/)
  for (const each of cluster.pools) cluster.submit(each)
  await sleep(10_000)
  expect(cluster.live()).toHaveLength(before)
  relay.resume()
  const back = Date.now()
  await expect
    .poll(() => cluster.live().length, { timeout: 60_000, interval: 50 })
    .toBeGreaterThanOrEqual(before + pools)
  // Ten more for a busy machine.
  expect(Date.now() - back).toBeLessThan(6_000 + 10_000)
  expect([...cluster.violations, ...launchedTwice(cluster)]).toEqual([])
}, 180_000)
