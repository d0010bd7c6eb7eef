// What every cut of a leader must hold.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { launchesFor, led, spread } from '../support/shared-pools.ts'
import { type CutCluster, changes, type Member } from './cut-cluster.ts'
import type { LinkName } from './links.ts'

/** In milliseconds. */
export interface CutTimes {
  /** From the cut until the other one has launched for a pool of the one that was cut off. */
  took: number
  /** From the end of the cut until the one that was cut off leads a pool again and has launched for it. */
  back: number
}

/** Milliseconds within which another host decides, and within which one decides whose links are back. */
const goal = 15_000

/** Cuts the links of the host that leads two pools for `cutMs`. Afterwards both work as before. */
export async function cutOff(cut: CutCluster, links: LinkName[], cutMs: number): Promise<CutTimes> {
  const { cluster, database, ec2Port } = cut
  const jobs = new Map<string, string>()
  for (const pool of cluster.pools) jobs.set(pool, await cut.running(pool))
  const { off, other, launching, terminating } = await beforeListing(cut)
  off.network.cut(...links)
  const cutAt = Date.now()
  cluster.finish(jobs.get(terminating)!)
  cut.intended++
  const took = await launchesFor(cluster, [launching])
  expect(took).toBeLessThan(goal)
  const busy = [...cluster.world.work.keys()]
  expect(busy).toHaveLength(3)
  await expect.poll(() => cluster.live(terminating).length, { timeout: 60_000 }).toBe(0)
  await expect.poll(() => led(other.host), { timeout: 30_000 }).toHaveLength(3)
  expect(off.network.reaches('database', database.port)).toBe(false)
  expect(off.network.reaches('cloud', ec2Port)).toBe(!links.includes('cloud'))
  await sleep(Math.max(0, cutAt + cutMs - Date.now()))
  expect(off.host.isUp()).toBe(true)
  expect(changes(off.network, cutAt)).toEqual([])

  off.network.mend(...links)
  const mendedAt = Date.now()
  const again = await ledAgain(off)
  cut.intended++
  await launchesFor(cluster, [again])
  const back = Date.now() - mendedAt
  expect(back).toBeLessThan(goal)
  expect(changes(off.network, mendedAt)).toContain('RunInstances')
  await expect.poll(() => busy.every(cluster.isRunning), { timeout: 60_000 }).toBe(true)
  await cut.expectNormal(busy)
  return { took, back }
}

interface Leads {
  off: Member
  other: Member
  launching: string
  terminating: string
}

/**
 * Who leads two pools, when it has listed its instances some seconds ago: it does so every ten seconds, so the next call goes out
 * on an open connection soon after the cut, while its leases last.
 */
async function beforeListing({ cluster, members }: CutCluster): Promise<Leads> {
  const hosts = members.map(({ host }) => host)
  for (;;) {
    const pools = await spread(cluster, hosts, [2, 1])
    const [off, other] = pools[0]!.length === 2 ? members : [members[1], members[0]]
    const [launching, terminating] = pools.find(({ length }) => length === 2) as [string, string]
    const { calls } = off.network
    const from = calls.length
    await expect
      .poll(() => calls.slice(from).some(({ action }) => action === 'DescribeInstances'), { timeout: 30_000 })
      .toBe(true)
    await sleep(6_000)
    // On a busy machine a pool may have changed its leader meanwhile.
    if ((await led(off.host)).join() === [launching, terminating].join())
      return { off, other, launching, terminating }
  }
}

async function ledAgain({ host }: Member): Promise<string> {
  let pools: string[] = []
  await expect
    .poll(
      async () => {
        pools = await led(host)
        return pools.length
      },
      { timeout: 60_000, interval: 100 },
    )
    .toBeGreaterThan(0)
  return pools[0]!
}
