// Two provisioners with a real PostgreSQL, each on a host of its own, and the network of one of them is cut without a sign: the
// other one leads its pools within seconds, and the one that was cut off changes nothing until it is back.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type PostgresCluster, postgresCluster } from '../support/postgres-cluster.ts'
import {
  launchedTwice,
  type SharedCluster,
  type SharedHost,
  sharedCluster,
} from '../support/shared-cluster.ts'
import { launchesFor, led, spread, started } from '../support/shared-pools.ts'
import { reportSeconds } from './figures.ts'
import { addresses, createNetwork, type LinkName, type Network, type NetworkHost } from './links.ts'

/** How often each link is cut. */
const times = Number(process.env['NETWORK_TIMES'] ?? 1)
/** How long nothing may happen while the link is cut, beyond every lease. */
const cutMs = 16_000

interface Member {
  host: SharedHost
  network: NetworkHost
}

let database: PostgresCluster
let cluster: SharedCluster
let members: [Member, Member]
let network: Network
let ec2Port: number
/** Instances that the jobs of the tests have asked for. */
let intended = 0

beforeAll(async () => {
  database = await postgresCluster()
  network = createNetwork(2)
  cluster = await sharedCluster({
    cli: inject('cli'),
    url: `${database.url().replace('127.0.0.1', addresses.database)}?sslmode=disable`,
    schema: 'cut',
    pools: 4,
    address: addresses.cloud,
    provider: ['max_idle_agent_period: 5s'],
  })
  ec2Port = Number(new URL(cluster.ec2.url).port)
  await network.forward('cloud', ec2Port)
  await network.forward('cloud', cluster.master.port)
  await network.forward('database', database.port)
  const [first, second] = network.hosts as [NetworkHost, NetworkHost]
  const [one, two] = (await started(cluster, {
    one: { wrapper: first.wrapper },
    two: { wrapper: second.wrapper },
  })) as [SharedHost, SharedHost]
  members = [
    { host: one, network: first },
    { host: two, network: second },
  ]
  await spread(cluster, [one, two], [2, 2])
})

afterAll(async () => {
  for (const host of network?.hosts ?? []) host.mend('cloud', 'database')
  await cluster?.dispose()
  await network?.dispose()
  await database?.dispose()
})

/** A job that runs on an agent launched for it. */
async function running(pool: string): Promise<string> {
  const job = cluster.submit(pool)
  intended++
  await expect.poll(() => cluster.isRunning(job), { timeout: 60_000, interval: 50 }).toBe(true)
  return job
}

/** Calls of a host that change something at EC2. */
function changes({ calls }: NetworkHost, from: number): string[] {
  return calls
    .filter(({ action, at }) => at >= from && /^(RunInstances|CreateFleet|TerminateInstances)$/.test(action))
    .map(({ action }) => action)
}

/**
 * The one that was cut off is back: it leads and launches as before, these jobs still run, and every idle instance ends.
 * Resolves with the time when both had launched.
 */
async function expectNormal(busy: string[]): Promise<number> {
  const hosts = members.map(({ host }) => host)
  for (const pools of await spread(cluster, hosts, [2, 2])) {
    intended += pools.length
    await launchesFor(cluster, pools)
  }
  const launchedAt = Date.now()
  const jobs = [...cluster.world.work.keys()]
  await expect.poll(() => jobs.every(cluster.isRunning), { timeout: 60_000 }).toBe(true)
  expect(jobs).toEqual(expect.arrayContaining(busy))
  for (const job of jobs) cluster.finish(job)
  await expect.poll(() => cluster.live().length, { timeout: 90_000 }).toBe(0)
  for (const host of hosts) {
    const { pools, problems } = await host.status()
    const codes = [...problems, ...pools.flatMap((pool) => pool.problems)].map(({ code }) => code)
    expect(codes.filter((code) => code !== 'STATE_UNENCRYPTED')).toEqual([])
  }
  expect(cluster.ec2.world.vms.size).toBe(intended)
  expect([...cluster.violations, ...launchedTwice(cluster)]).toEqual([])
  return launchedAt
}

const cases: [string, LinkName[]][] = [
  ['everything', ['cloud', 'database']],
  ['the database alone', ['database']],
]

describe.each(cases)('the leader of some pools loses its link to %s', (what, links) => {
  it('and the other one launches for them within 15 s, and nothing is launched or terminated by the first', async () => {
    const [took, normal]: [number[], number[]] = [[], []]
    for (let n = 0; n < times; n++) {
      const [off, other] = n % 2 === 0 ? members : [members[1], members[0]]
      const [launching, terminating] = (await led(off.host)) as [string, string]
      const busy = [await running(launching)]
      const idle = await running(terminating)
      off.network.cut(...links)
      const cutAt = Date.now()
      cluster.finish(idle)
      intended++
      took.push(await launchesFor(cluster, [launching]))
      expect(took.at(-1)).toBeLessThan(15_000)
      busy.push([...cluster.world.work.keys()].at(-1)!)
      await expect.poll(() => cluster.live(terminating).length, { timeout: 60_000 }).toBe(0)
      await expect.poll(() => led(other.host), { timeout: 30_000 }).toHaveLength(4)
      expect(off.network.reaches('database', database.port)).toBe(false)
      expect(off.network.reaches('cloud', ec2Port)).toBe(!links.includes('cloud'))
      await sleep(Math.max(0, cutAt + cutMs - Date.now()))
      expect(off.host.isUp()).toBe(true)
      expect(changes(off.network, cutAt)).toEqual([])
      off.network.mend(...links)
      const mendedAt = Date.now()
      await expect.poll(() => busy.every(cluster.isRunning), { timeout: 60_000 }).toBe(true)
      normal.push((await expectNormal(busy)) - mendedAt)
      expect(normal.at(-1)).toBeLessThan(60_000)
    }
    reportSeconds(`cut off from ${what}: launch by the other one after`, took)
    reportSeconds(`back from ${what}: launches by both after`, normal)
  })
})

it('a launch whose answer is lost in a cut is made once', async () => {
  const [off, other] = members
  const [pool] = (await led(off.host)) as [string]
  cluster.ec2.latency = 1_000
  const from = Date.now()
  const job = cluster.submit(pool)
  intended++
  await expect
    .poll(() => changes(off.network, from), { timeout: 30_000, interval: 5 })
    .toEqual(['RunInstances'])
  off.network.cut('cloud', 'database')
  await expect.poll(() => cluster.live(pool).length, { interval: 20 }).toBe(1)
  cluster.ec2.latency = 0
  await expect.poll(() => led(other.host), { timeout: 30_000 }).toHaveLength(4)
  await expect.poll(() => cluster.isRunning(job), { timeout: 30_000 }).toBe(true)
  off.network.mend('cloud', 'database')
  await sleep(10_000)
  expect(cluster.isRunning(job)).toBe(true)
  expect(cluster.live(pool)).toHaveLength(1)
  expect(cluster.ec2.world.vms.size).toBe(intended)
  expect([...cluster.violations, ...launchedTwice(cluster)]).toEqual([])
})
