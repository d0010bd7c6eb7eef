// The link to the database alone is cut, and a link is cut while a launch is on its way.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { launchedTwice } from '../support/shared-cluster.ts'
import { led } from '../support/shared-pools.ts'
import { type CutCluster, changes, cutCluster } from './cut-cluster.ts'
import { type CutTimes, cutOff } from './cut-off.ts'
import { reportSeconds } from './figures.ts'

/** How often it is cut. */
const times = Number(process.env['NETWORK_TIMES'] ?? 1)
/** Milliseconds, beyond every lease. */
const cutMs = 16_000

let cut: CutCluster
beforeAll(async () => {
  cut = await cutCluster(1)
})
afterAll(() => cut?.dispose())

it('a host that is cut off from the database alone', async () => {
  const all: CutTimes[] = []
  for (let n = 0; n < times; n++) all.push(await cutOff(cut, ['database'], cutMs))
  reportSeconds(
    'cut off from the database alone: launch by the other one after',
    all.map(({ took }) => took),
  )
  reportSeconds(
    'back from the database alone: launch by it after',
    all.map(({ back }) => back),
  )
})

it('a launch whose answer is lost in a cut is made once', async () => {
  const { cluster, members } = cut
  const [off, other] = members
  const [pool] = (await led(off.host)) as [string]
  cluster.ec2.latency = 1_000
  const from = Date.now()
  const job = cluster.submit(pool)
  cut.intended++
  await expect
    .poll(() => changes(off.network, from), { timeout: 30_000, interval: 5 })
    .toEqual(['RunInstances'])
  off.network.cut('cloud', 'database')
  await expect.poll(() => cluster.live(pool).length, { interval: 20 }).toBe(1)
  cluster.ec2.latency = 0
  await expect.poll(() => led(other.host), { timeout: 30_000 }).toHaveLength(3)
  await expect.poll(() => cluster.isRunning(job), { timeout: 30_000 }).toBe(true)
  off.network.mend('cloud', 'database')
  await sleep(10_000)
  expect(cluster.isRunning(job)).toBe(true)
  expect(cluster.live(pool)).toHaveLength(1)
  expect(cluster.ec2.world.vms.size).toBe(cut.intended)
  expect([...cluster.violations, ...launchedTwice(cluster)]).toEqual([])
})
