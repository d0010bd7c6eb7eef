// When a trial is over: the work is done and idle VMs are gone, or nothing moves any more.

import { misfitOf } from './fit.ts'
import type { Meter } from './meter.ts'
import type { Scenario } from './scenario.ts'
import type { Work } from './scheduler.ts'
import type { World } from './world.ts'

const hour = 3_600_000
/** Work that can run waits, nothing runs, and nothing is placed for so long: it is not going to be. */
const stallTime = 6 * hour
const longestTail = 2 * hour
const longestBacklog = 30 * 24 * hour

/** Asked every now and then: whether there is nothing more to see. */
export function createEnd(world: World, meter: Meter, offerings: Scenario['offerings']): () => boolean {
  const { clock, scenario, master, cloud } = world
  const { policy, jobs, calmAt } = scenario
  const lastAt = Math.max(calmAt, jobs.at(-1)?.at ?? 0)
  const tail = Math.max(policy.maxIdle, policy.bootTimeout, policy.maxDisconnected) + longestTail
  const misfits = new Set(jobs.filter((job) => misfitOf(job, offerings, policy)).map(({ id }) => id))
  let workedAt = clock.now()
  let starts = 0
  return () => {
    const now = clock.now()
    if (now < lastAt) return false
    if (now > lastAt + longestBacklog) return true
    const { waits, runs } = leftOf(master.work.values(), misfits)
    if (runs || meter.starts !== starts) workedAt = now
    workedAt = Math.max(workedAt, lastAt)
    starts = meter.starts
    if (runs) return false
    if (waits) return now - workedAt > stallTime
    let live = 0
    for (const vm of cloud.vms.values()) if (vm.endedAt === undefined) live++
    return live <= policy.minInstances || now - workedAt > tail
  }
}

/** Whether work that can run at all waits, or runs; what runs is enough to know. */
function leftOf(works: Iterable<Work>, misfits: ReadonlySet<string>): { waits: boolean; runs: boolean } {
  let waits = false
  for (const { id, state } of works) {
    if (misfits.has(id)) continue
    if (state === 'running') return { waits, runs: true }
    waits ||= state === 'pending'
  }
  return { waits, runs: false }
}
