// Two provisioners whose clocks are ten minutes apart: leases are counted by the database and by steady clocks, so the one takes
// over from the other as if both were right.
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { type PostgresCluster, postgresCluster } from '../support/postgres-cluster.ts'
import {
  launchedTwice,
  type SharedCluster,
  type SharedHost,
  sharedCluster,
} from '../support/shared-cluster.ts'
import { launchesFor, led, restarted, spread, started } from '../support/shared-pools.ts'
import { reportSeconds } from './figures.ts'
import { hostNamed } from './links.ts'

/** How often each of the two is killed. */
const times = Number(process.env['NETWORK_TIMES'] ?? 1)

let database: PostgresCluster
let cluster: SharedCluster
let ahead: SharedHost
let behind: SharedHost

/** Only what the system calls the time of day is wrong; the steady clock of the process is right. */
const skewed = (name: string, seconds: string) => ({
  wrapper: hostNamed(name),
  env: {
    LD_PRELOAD: process.env['NETWORK_FAKETIME']!,
    FAKETIME: seconds,
    DONT_FAKE_MONOTONIC: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  },
})

beforeAll(async () => {
  if (!process.env['NETWORK_FAKETIME']) throw new Error('start with npm run test:network')
  database = await postgresCluster()
  cluster = await sharedCluster({
    cli: inject('cli'),
    url: database.url(),
    schema: 'clocks',
    pools: 2,
    provider: ['max_idle_agent_period: 5s'],
  })
  const hosts = await started(cluster, { ahead: skewed('ahead', '+300'), behind: skewed('behind', '-300') })
  ;[ahead, behind] = hosts as [SharedHost, SharedHost]
})

afterAll(async () => {
  await cluster?.dispose()
  await database?.dispose()
})

/** Seconds between the time that a host writes into its log and ours. */
function skewOf(host: SharedHost): number {
  const { time } = JSON.parse(host.log().trim().split('\n').at(-1)!) as { time: string }
  return (Date.parse(time) - Date.now()) / 1000
}

it('one takes over from the other within 15 s, in both directions', async () => {
  const took: number[] = []
  const jobs: string[] = []
  for (const [killed, other] of Array.from({ length: times }, () => [
    [ahead, behind],
    [behind, ahead],
  ]).flat() as [SharedHost, SharedHost][]) {
    const [pools] = await spread(cluster, [killed, other], [1, 1])
    await launchesFor(cluster, [...cluster.pools])
    await expect
      .poll(() => [...cluster.world.work.keys()].every(cluster.isRunning), { timeout: 30_000 })
      .toBe(true)
    jobs.push(...cluster.world.work.keys())
    expect(skewOf(ahead)).toBeGreaterThan(200)
    expect(skewOf(behind)).toBeLessThan(-290)
    await killed.kill()
    took.push(await launchesFor(cluster, pools!))
    expect(took.at(-1)).toBeLessThan(15_000)
    await expect.poll(() => led(other), { timeout: 30_000 }).toHaveLength(2)
    await restarted(killed)
    await spread(cluster, [killed, other], [1, 1])
    for (const host of [killed, other]) {
      const { pools: now, problems } = await host.status()
      expect([...problems, ...now.flatMap((pool) => pool.problems)]).toEqual([])
    }
    expect(cluster.live()).toHaveLength(3)
    expect(jobs.filter((job) => cluster.world.work.has(job)).every(cluster.isRunning)).toBe(true)
    for (const job of cluster.world.work.keys()) cluster.finish(job)
    await expect.poll(() => cluster.live().length, { timeout: 60_000 }).toBe(0)
  }
  reportSeconds('clocks ten minutes apart, leader killed: launch by the other one after', took)
  expect([...cluster.violations, ...launchedTwice(cluster)]).toEqual([])
})
