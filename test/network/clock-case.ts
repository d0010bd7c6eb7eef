// Two provisioners whose clocks are ten minutes apart, and one of them is suspended for a minute: leases are counted by the database
// and by steady clocks, so the other one takes over as if both were right. (One that is killed is known to be gone by its process id.)
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { type PostgresCluster, postgresCluster } from '../support/postgres-cluster.ts'
import {
  launchedTwice,
  type SharedCluster,
  type SharedHost,
  sharedCluster,
} from '../support/shared-cluster.ts'
import { launchesFor, led, spread, started } from '../support/shared-pools.ts'
import { reportSeconds } from './figures.ts'
import { hostNamed } from './links.ts'

/** How often it is suspended. */
const times = Number(process.env['NETWORK_TIMES'] ?? 1)
const stopMs = 60_000
/** Milliseconds within which another host decides, and within which one decides that continues. */
const goal = 15_000

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

/** Seconds between the time that a host writes into its log and ours. */
function skewOf(host: SharedHost): number {
  const { time } = JSON.parse(host.log().trim().split('\n').at(-1)!) as { time: string }
  return (Date.parse(time) - Date.now()) / 1000
}

/** @param stopped which of the two is suspended */
export function testClocks(stopped: 'ahead' | 'behind'): void {
  let database: PostgresCluster
  let cluster: SharedCluster
  let ahead: SharedHost
  let behind: SharedHost

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
    const hosts = { ahead: skewed('ahead', '+300'), behind: skewed('behind', '-300') }
    ;[ahead, behind] = (await started(cluster, hosts)) as [SharedHost, SharedHost]
  })

  afterAll(async () => {
    await cluster?.dispose()
    await database?.dispose()
  })

  it(`one takes over within 15 s from the one whose clock is ${stopped}, which resumes a minute later`, async () => {
    const [off, other] = stopped === 'ahead' ? [ahead, behind] : [behind, ahead]
    const [took, back]: [number[], number[]] = [[], []]
    let intended = 0
    for (let n = 0; n < times; n++) {
      const [pools] = await spread(cluster, [off, other], [1, 1])
      await launchesFor(cluster, [...cluster.pools])
      await expect
        .poll(() => [...cluster.world.work.keys()].every(cluster.isRunning), { timeout: 30_000 })
        .toBe(true)
      expect(skewOf(ahead)).toBeGreaterThan(200)
      expect(skewOf(behind)).toBeLessThan(-290)

      off.signal('SIGSTOP')
      const stoppedAt = Date.now()
      took.push(await launchesFor(cluster, pools!))
      expect(took.at(-1)).toBeLessThan(goal)
      await expect.poll(() => led(other), { timeout: 30_000 }).toHaveLength(2)
      await sleep(Math.max(0, stoppedAt + stopMs - Date.now()))

      off.signal('SIGCONT')
      const continuedAt = Date.now()
      const [again] = await spread(cluster, [off, other], [1, 1])
      await launchesFor(cluster, again!)
      back.push(Date.now() - continuedAt)
      expect(back.at(-1)).toBeLessThan(goal)
      for (const host of [off, other]) {
        const { pools: now, problems } = await host.status()
        expect([...problems, ...now.flatMap((pool) => pool.problems)]).toEqual([])
      }
      intended += 4
      expect(cluster.ec2.world.vms.size).toBe(intended)
      await expect
        .poll(() => [...cluster.world.work.keys()].every(cluster.isRunning), { timeout: 30_000 })
        .toBe(true)
      for (const job of cluster.world.work.keys()) cluster.finish(job)
      await expect.poll(() => cluster.live().length, { timeout: 60_000 }).toBe(0)
    }
    reportSeconds(`suspended while its clock was ${stopped}: launch by the other one after`, took)
    reportSeconds(`resumed while its clock was ${stopped}: launch by it after`, back)
    expect(cluster.ec2.world.vms.size).toBe(intended)
    expect([...cluster.violations, ...launchedTwice(cluster)]).toEqual([])
  })
}
