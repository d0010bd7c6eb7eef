// The checks behind promises 15 to 19: when nothing may change at all, the limits of failed launches, and drains.
// They use calls, answers, reported events and the true world only, never what the fleet remembers.
import type { FleetEvent } from '../fleet/index.ts'
import { isLive } from '../planner/index.ts'
import type { Listing } from '../providers/index.ts'
import { latestDrain } from './master.ts'
import { ableSince, isOf, type Observations, type ObservedWorld } from './observations.ts'
import { mainName, type TimedFaultKind } from './scenario.ts'

const second = 1000
const minute = 60 * second

// Promises 15 and 17: a paused pool, and one with instances of another writer.

/** Milliseconds; what was decided a moment before may still be in progress. */
const onItsWay = 2 * second

export type Move = 'launch' | 'terminate' | 'drain'

/** Called for each change that is not the repetition of an earlier one. */
export function checkMayChange(world: ObservedWorld, seen: Observations, move: Move, what: string): void {
  const { clock, invariants, cloud } = world
  const isOver = (since: number) => clock.now() - since > onItsWay
  if (seen.pausedSince !== undefined && isOver(seen.pausedSince))
    invariants.violated(15, `${what}: ${move} while the pool is paused`)
  for (const [id, since] of seen.foreign) {
    const vm = cloud.instances.get(id)
    if (!vm || isOf(seen, vm) || !isOver(since)) continue
    invariants.violated(17, `${what}: ${move} although ${id} of ${vm.instance.writerId} was listed`)
    return
  }
}

/** A launch that was written down is not repeated either before this process knows what exists. */
export function checkHasListed({ invariants }: ObservedWorld, seen: Observations, what: string): void {
  if (!seen.hasListed) invariants.violated(17, `${what} is launched before a complete listing`)
}

/** Remembers the live instances of other writers that listings show. A partial one does not show that those it lacks are gone. */
export function noteListed({ clock, cloud }: ObservedWorld, seen: Observations, listing: Listing): void {
  const { instances, complete } = listing
  if (complete) seen.hasListed = true
  const kept = complete ? new Map<string, number>() : new Map(seen.foreign)
  for (const { id, ...instance } of instances) {
    const vm = cloud.instances.get(id)
    if (vm && isLive(instance) && !isOf(seen, vm)) kept.set(id, seen.foreign.get(id) ?? clock.now())
    else kept.delete(id)
  }
  seen.foreign = kept
}

// Promise 16: launch_rate limits failed launches.

const hour = 60 * minute
const burstAtLeast = 10
const failureCodes = ['NEVER_JOINED', 'SHORT_OF_SLOTS', 'DID_NOT_LAST']
/** A report that was emitted so shortly before a crash in a call may not have been written down. */
const unwrittenFor = 10 * second

/** The failures that were reported, as a token bucket. Both numbers refer to the time `at`. */
export interface FailedLaunches {
  spent: number
  at: number
  /** When each instance was reported. */
  reported: Map<string, number>
  /** The longest time from a failure to its report, in which tokens are refilled: reports wait for the console. */
  longestDelay: number
  /** When it became unknown last how much time had passed: what failed before may have been counted, and refilled, before. */
  timeUnknownAt: number
}

export function createFailedLaunches(): FailedLaunches {
  return { spent: 0, at: 0, reported: new Map(), longestDelay: 0, timeUnknownAt: 0 }
}

function spentNow({ clock, policy }: ObservedWorld, { spent, at }: FailedLaunches): number {
  return Math.max(0, spent - ((clock.now() - at) / hour) * (policy.launchRate ?? 0))
}

function noteFailure(world: ObservedWorld, { failedLaunches: failed }: Observations, id: string): void {
  if (failed.reported.has(id)) return
  const now = world.clock.now()
  failed.reported.set(id, now)
  const vm = world.cloud.instances.get(id)
  const failedAt = vm?.endedAt ?? (vm?.createdAt ?? now) + world.policy.bootTimeout
  if (failedAt < failed.timeUnknownAt) return
  failed.spent = spentNow(world, failed) + 1
  failed.at = now
  failed.longestDelay = Math.max(failed.longestDelay, now - failedAt)
}

export function checkLaunchRate(
  world: ObservedWorld,
  { failedLaunches }: Observations,
  what: string,
  count: number,
): void {
  const { policy, invariants } = world
  if (policy.launchRate === undefined) return
  const spent = spentNow(world, failedLaunches)
  const refilled = Math.ceil((failedLaunches.longestDelay / hour) * policy.launchRate)
  const most = Math.max(burstAtLeast, policy.maxInstances) + Math.max(1, refilled)
  if (spent + count > most)
    invariants.violated(
      16,
      `${what} launches ${count}, ${Math.ceil(spent)} launches failed, launch_rate is ${policy.launchRate}`,
    )
}

// Promise 19: the breaker opens only because of new failures, and stops launches while it is open.

const failuresToOpen = 3

export interface BreakerEvidence {
  /** Reported as failed since an instance was last usable. */
  failed: Set<string>
  /** Known before that: no evidence any more. */
  old: Set<string>
  /** Too old then to be evidence for certain. */
  doubtful: Set<string>
  /** When that instance was seen to be usable. */
  closedAt: number
  /** How often it opened since. */
  openings: number
  /** Openings that may have been forgotten in a crash. */
  forgotten: number
  /** Since when that instance may be unknown to the next leader, or to this process after a crash. */
  unsureAt?: number
  /** What counts for whoever does not know of it: what was old before, and what has become usable since. */
  before?: { old: ReadonlySet<string>; usable: ReadonlySet<string> }
}

export function createBreakerEvidence(): BreakerEvidence {
  const nothing = { failed: new Set<string>(), old: new Set<string>(), doubtful: new Set<string>() }
  return { ...nothing, closedAt: Number.NEGATIVE_INFINITY, openings: 0, forgotten: 0 }
}

/** An instance became usable: from now on only what fails after it counts. */
function closeBreaker(world: ObservedWorld, seen: Observations, id: string): void {
  const { cloud, clock, policy } = world
  const { breaker: last } = seen
  const isChained = last.unsureAt !== undefined || clock.now() - last.closedAt < unwrittenFor
  const { old, usable } = (isChained && last.before) || { old: last.old, usable: [] }
  const breaker: BreakerEvidence = {
    ...createBreakerEvidence(),
    closedAt: clock.now(),
    before: { old, usable: new Set([...usable, id]) },
  }
  // A host whose lease is over still sees agents join, and writes nothing down.
  if (seen.upSince === undefined) breaker.unsureAt = clock.now()
  for (const id of seen.failedLaunches.reported.keys()) breaker.old.add(id)
  for (const vm of cloud.instances.values())
    if (vm.endedAt !== undefined || clock.now() - vm.createdAt > policy.bootTimeout - minute)
      breaker.doubtful.add(vm.instance.id)
  seen.breaker = breaker
}

function noteOpening(world: ObservedWorld, seen: Observations): void {
  const { cloud, invariants } = world
  const { breaker } = seen
  breaker.openings++
  const before = breaker.unsureAt === undefined ? undefined : breaker.before
  const { old } = before ?? breaker
  const isUsable = (id: string) => seen.usable.has(id) && !before?.usable.has(id)
  let failures = 0
  for (const vm of cloud.instances.values())
    if (isOf(seen, vm) && !old.has(vm.instance.id) && !isUsable(vm.instance.id)) failures++
  if (breaker.openings > failures - (failuresToOpen - 1) + breaker.forgotten)
    invariants.violated(
      19,
      `the breaker opened ${breaker.openings} times, and at most ${failures} instances failed since one was usable`,
    )
}

export function checkBreaker(
  { invariants }: ObservedWorld,
  { breaker }: Observations,
  what: string,
  count: number,
): void {
  if (breaker.failed.size >= failuresToOpen && count > 1)
    invariants.violated(
      19,
      `${what} launches ${count} instances after ${breaker.failed.size} that failed in a row`,
    )
}

/** Milliseconds from a failure that is counted to its report, which waits for the console. */
const reportTakes = 10_000

/** What a provisioner reports: failures, openings of the breaker, and agents that joined. */
export function noteEvent(world: ObservedWorld, seen: Observations, event: FleetEvent): void {
  if (event.kind === 'joined') {
    for (const id of event.ids) {
      const vm = world.cloud.instances.get(id)
      // As the provisioner has read it, which may be a while ago: it may be gone since.
      const read = seen.demand?.agents.find((agent) => agent.id === id)
      const agent = read ?? world.master.agents.get(id)
      if (!vm || !agent || agent.slots < vm.slots) continue
      seen.usable.add(id)
      closeBreaker(world, seen, id)
    }
  }
  if (event.kind !== 'problem') return
  const { code, details } = event.problem
  if (code === 'BREAKER_OPEN') noteOpening(world, seen)
  if (!failureCodes.includes(code)) return
  const id = String(details?.['id'])
  const { breaker } = seen
  if (world.clock.now() - breaker.closedAt < reportTakes) breaker.doubtful.add(id)
  // A host whose lease is over still sees failures, and writes nothing down: the next leader does not know of them.
  if (seen.upSince === undefined) breaker.doubtful.add(id)
  if (code !== 'DID_NOT_LAST' && !breaker.doubtful.has(id) && !breaker.old.has(id)) breaker.failed.add(id)
  noteFailure(world, seen, id)
}

/** The machine was booted with another clock, or another host leads. */
export function noteTimeUnknown({ clock }: ObservedWorld, { failedLaunches }: Observations): void {
  Object.assign(failedLaunches, { spent: 0, timeUnknownAt: clock.now() })
}

/** A crash in a call: what was reported a moment before may not have been written down. */
export function noteLossyCrash(world: ObservedWorld, seen: Observations): void {
  const { breaker, failedLaunches: failed } = seen
  breaker.forgotten++
  if (world.clock.now() - breaker.closedAt < unwrittenFor) breaker.unsureAt ??= world.clock.now()
  for (const [id, at] of failed.reported)
    if (world.clock.now() - at < unwrittenFor) {
      failed.spent = Math.max(0, failed.spent - 1)
      breaker.failed.delete(id)
    }
}

/** The process whose term was over leads again, with what it knows. */
export function noteTermAgain({ breaker, starts }: Observations): void {
  if (breaker.unsureAt !== undefined && breaker.unsureAt >= starts.at(-1)!) delete breaker.unsureAt
}

/** What was written down before the first of the commits that the store has lost. */
export interface BeforeLoss {
  written: ReadonlySet<string>
  closed: ReadonlySet<string>
  wasPaused: boolean
}

/** Commits of the last seconds are lost: unlike a lost journal, the rest of it is there. */
export function noteCommitsLost(
  world: ObservedWorld,
  seen: Observations,
  before: BeforeLoss,
  leaderDies: boolean,
): void {
  const now = world.clock.now()
  for (const id of seen.closed) if (!before.closed.has(id)) seen.closed.delete(id)
  for (const id of seen.written) {
    if (before.written.has(id)) continue
    seen.lost.set(id, now)
    // A leader that lives may send what it has written down.
    if (leaderDies) seen.written.delete(id)
  }
  if (!before.wasPaused) seen.pausedSince = undefined
  for (const agent of world.master.agents.values()) {
    const drainedAt = seen.drains.get(agent.id)?.at(-1) ?? 0
    if (agent.drainedBy === seen.name && now - drainedAt < unwrittenFor) agent.drainedBy = undefined
  }
  noteLossyCrash(world, seen)
}

/** The journal is lost: a new process begins with what exists. */
export function noteMemoryLost(world: ObservedWorld, seen: Observations): void {
  const { reported } = seen.failedLaunches
  seen.breaker = createBreakerEvidence()
  // What is still there joins again, or fails again.
  for (const vm of world.cloud.instances.values())
    if (vm.endedAt === undefined) reported.delete(vm.instance.id)
    else seen.breaker.old.add(vm.instance.id)
  seen.usable.clear()
  seen.failedLaunches = { ...createFailedLaunches(), reported }
  seen.pausedSince = undefined
  for (const agent of world.master.agents.values())
    if (agent.drainedBy === seen.name) agent.drainedBy = undefined
}

// Promise 18: an agent that was drained is terminated, or gets jobs again; after a stop none stays drained.

/** Reading the master and listing the cloud may take a minute each, and both are needed after the drain. */
const drainedFor = 5 * minute
/** Faults in which the master may not carry out an undrain, and how long they matter. */
const masterFaults: readonly (readonly [TimedFaultKind, number])[] = [
  ['master_down', 30 * second],
  ['drain_fails', 30 * second],
  ['late_drains', latestDrain],
]

export function checkStopped(world: ObservedWorld, seen: Observations): void {
  const { master, scenario, clock, invariants, cloud } = world
  const now = clock.now()
  const isFailing = scenario.timedFaults.some((fault) =>
    masterFaults.some(([kind, lasts]) => kind === fault.kind && fault.from <= now && now < fault.to + lasts),
  )
  if (isFailing) return
  for (const { id, draining, connected, drainedBy, disabledByPerson } of master.agents.values()) {
    const isRunning = cloud.instances.get(id)?.endedAt === undefined && !seen.terminated.has(id)
    if (drainedBy === seen.name && draining && connected && !disabledByPerson && isRunning)
      invariants.violated(18, `${id} stays drained after ${seen.name} stopped`)
  }
}

/** Since when an agent is idle and drained. */
export type Drained = Map<string, number>

export function checkDrained(world: ObservedWorld, since: Drained): void {
  const { master, clock, invariants, cloud } = world
  const seen = invariants.seen.get(mainName)
  if (!seen || ableSince(world, seen) === undefined) {
    since.clear()
    return
  }
  for (const agent of master.agents.values()) {
    const { id, draining, drainedBy, connected, disabledByPerson, work } = agent
    const vm = cloud.instances.get(id)
    const isLeft = drainedBy === mainName && draining && connected && !disabledByPerson && work.size === 0
    if (!isLeft || !vm || vm.endedAt !== undefined) {
      since.delete(id)
      continue
    }
    const from = since.get(id) ?? clock.now()
    since.set(id, from)
    if (clock.now() - from <= drainedFor) continue
    invariants.violated(18, `${id} is idle and drained for ${drainedFor / minute} minutes`)
    since.set(id, Number.POSITIVE_INFINITY)
  }
}
