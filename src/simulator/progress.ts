// The checks behind promises 5, 8, 9 and 12: instances left alone, jobs that wait, and a world that comes to rest.
import type { ManagedInstance } from '../fleet/index.ts'
import { type CloudInstance, isOwned } from './cloud.ts'
import { ableSince, isOf, type ObservedWorld } from './observations.ts'
import type { RolloutProgress } from './rollout-checks.ts'
import { clusterId, mainName, poolName } from './scenario.ts'
import { slotsOfJob, type Work } from './scheduler.ts'

// Abandoned VMs: promise 5, every managed VM joins or is terminated within its time, while its provisioner can act.

const minute = 60_000

export interface Neglect {
  /** Why a VM counts as failed, and since when it could have been terminated for that. */
  since: Map<string, { why: string; from: number }>
}

export function createNeglect(): Neglect {
  return { since: new Map() }
}

export function checkOrphans(world: ObservedWorld, { since }: Neglect): void {
  const { cloud, clock, invariants } = world
  const seen = invariants.seen.get(mainName)
  if (!seen || ableSince(world, seen) === undefined) {
    since.clear()
    return
  }
  const now = clock.now()
  for (const vm of cloud.instances.values()) {
    const { id, state } = vm.instance
    const failed = isOf(seen, vm) ? failedShare(world, vm) : undefined
    if (!failed) {
      since.delete(id)
      continue
    }
    let entry = since.get(id)
    if (entry?.why !== failed.why) {
      entry = { why: failed.why, from: now }
      since.set(id, entry)
    }
    if (now - entry.from <= failed.limit) continue
    invariants.violated(5, `${id} (${state}) is ${failed.why} for ${Math.round((now - entry.from) / 1000)} s`)
    entry.from = Number.POSITIVE_INFINITY
  }
}

/** Why a VM counts as failed, and how long it may stay so; undefined: it is usable, or gone. */
function failedShare(
  { master, policy }: ObservedWorld,
  { instance, goneAt }: CloudInstance,
): { why: string; limit: number } | undefined {
  if (goneAt !== undefined || instance.state === 'stopping' || instance.state === 'terminated')
    return undefined
  if (instance.state === 'stopped') return { why: 'stopped', limit: 3 * minute }
  const agent = master.agents.get(instance.id)
  if (agent?.connected) return undefined
  // Only the provisioner distinguishes a lost agent from one that has not joined yet; allow for the longer time.
  return { why: 'unconnected', limit: Math.max(policy.bootTimeout, policy.maxDisconnected) + 3 * minute }
}

// Progress: promises 9 (jobs get VMs), 12 (a reason for everything), and 8 at the end of a world (rest).

/** Twice the longest pause with its jitter, and the launch rate's hour if it may be used up. */
const pauses = 2 * 37.5 * minute
const rateHour = 60 * minute
const sampleEvery = 30_000
const restTime = 2 * minute

export interface Progress extends RolloutProgress {
  /** Since when jobs that can run wait and nothing was placed. */
  stalledSince: number | undefined
  placements: number
  sampledAt: number
  /** Since when there is nothing left to do. */
  restingSince: number | undefined
  callsAtRest: number
  /** When there was last a job. */
  workedAt: number | undefined
  done: boolean
}

export function createProgress(): Progress {
  return {
    outdatedSince: undefined,
    stalledSince: undefined,
    placements: 0,
    sampledAt: 0,
    restingSince: undefined,
    callsAtRest: 0,
    workedAt: undefined,
    done: false,
  }
}

export function checkProgress(world: ObservedWorld, progress: Progress): void {
  const { clock, scenario, policy, master, invariants } = world
  const now = clock.now()
  if (now < scenario.calmAt) return
  const waits = [...master.work.values()].some((work) => canRun(world, work))
  const placements = [...master.work.values()].reduce((sum, work) => sum + work.starts, 0)
  if (!waits || placements !== progress.placements) progress.stalledSince = undefined
  progress.placements = placements
  if (!waits) return
  progress.stalledSince ??= now
  const bound = policy.bootTimeout + pauses + ((policy.launchRate ?? 500) < 500 ? rateHour : 0)
  if (now - progress.stalledSince <= bound) return
  const waiting = [...master.work.values()]
    .filter((work) => canRun(world, work))
    .map(({ id, slots }) => `${id}:${slots}`)
  invariants.violated(
    9,
    `${waiting} are waiting, and nothing has been placed for ${Math.round(bound / minute)} minutes`,
  )
  progress.done = true
}

/** The pool as configured can run it, and its job allows it now. */
export function canRun(world: ObservedWorld, work: Work): boolean {
  const { policy, scenario, master } = world
  if (work.state !== 'pending' || work.unplaceable) return false
  if (work.slots === 0) return policy.maxAuxPerAgent > 0
  const { job, maxSlots = Number.POSITIVE_INFINITY } = work
  if (job !== undefined && slotsOfJob(master, job) + work.slots > maxSlots) return false
  return scenario.offerings.some(
    ({ slots }) =>
      slots >= work.slots || (work.slots % slots === 0 && work.slots / slots <= policy.maxInstances),
  )
}

/** Jobs wait, nothing is starting and no reason is given. */
export function checkSilence(world: ObservedWorld, progress: Progress): void {
  const { clock, provisioners, invariants } = world
  const now = clock.now()
  if (now - progress.sampledAt < sampleEvery) return
  progress.sampledAt = now
  const main = provisioners.get(mainName)
  const seen = invariants.seen.get(mainName)
  if (
    !main?.life.alive ||
    main.life.suspended ||
    seen?.upSince === undefined ||
    now - seen.upSince < 2 * minute
  )
    return
  const { blocked, pending, snapshot, instances, inFlight, decisions } = main.fleet.status()
  if (pending === 0 || blocked.length > 0 || inFlight > 0 || !snapshot) return
  const acts = decisions.some(({ kind }) => kind !== 'hold')
  // What the master has not reported since is not known to be over; both times are of the process's clock.
  const known = Math.min(now + main.clockOffset, snapshot.demandAt ?? Number.POSITIVE_INFINITY)
  const isComing = (i: ManagedInstance) => i.joinedAt === undefined || (i.lostSince ?? 0) > known - minute
  const coming = instances.some((i) => i.state !== 'terminated' && isComing(i))
  const free = snapshot.agents.some((agent) => agent.freeSlots > 0 || (agent.freeAux ?? 1) > 0)
  if (!acts && !coming && !free) invariants.violated(12, `${pending} allocations wait without a reason`)
}

/** True once a calm world has come to rest: no jobs that can run, no more VMs than min_instances, and no activity. */
export function isAtRest(world: ObservedWorld, progress: Progress, isRolledOut: boolean): boolean {
  const { clock, scenario, policy, master, cloud, invariants } = world
  if (progress.done) return true
  const now = clock.now()
  if (now < scenario.calmAt + minute) return false
  const works = [...master.work.values()].some((work) => work.state === 'running' || canRun(world, work))
  if (works) progress.workedAt = now
  const there = [...cloud.instances.values()].filter(
    (vm) => vm.endedAt === undefined && isOwned(vm, { clusterId, pool: poolName }),
  )
  const live = there.length
  // One that is drained is on its way out, such as one short of slots whose last job has just ended.
  const isSound = there.every(({ instance: { id, interruptedAt } }) => {
    const agent = master.agents.get(id)
    return agent?.connected && !agent.draining && interruptedAt === undefined && !invariants.orders.has(id)
  })
  checkShrinks(world, progress, live)
  const { launches, terminations } = invariants.seen.get(mainName)!
  const calls = launches + terminations
  if (works || live > policy.minInstances || !isSound || !isRolledOut) progress.restingSince = undefined
  else if (progress.restingSince === undefined)
    Object.assign(progress, { restingSince: now, callsAtRest: calls })
  else if (calls > progress.callsAtRest && live === policy.minInstances) {
    invariants.violated(8, 'instances are launched or terminated although nothing needs to change')
  }
  return progress.restingSince !== undefined && now - progress.restingSince > restTime
}

/** When no jobs are left, idle VMs are removed too, whatever was wrong with them before. */
function checkShrinks({ clock, policy, invariants }: ObservedWorld, progress: Progress, live: number): void {
  const bound = Math.max(policy.maxIdle, policy.bootTimeout, policy.maxDisconnected) + 10 * minute
  progress.workedAt ??= clock.now()
  if (live <= policy.minInstances || clock.now() - progress.workedAt <= bound) return
  invariants.violated(5, `${live} instances remain without jobs, min_instances is ${policy.minInstances}`)
}
