// The checks behind the promises of invariants.ts, in groups: launches, terminations, VMs left alone, progress.
import { type Refusal, refusalGrowth, type Track } from '../fleet/index.ts'
import { offeringKey } from '../planner/index.ts'
import type { JournalRecord } from '../platform/index.ts'
import type { LaunchOrder, LaunchResult } from '../providers/index.ts'
import type { Vm } from './cloud.ts'
import { slotsOfJob, type Work } from './master.ts'
import {
  ableSince,
  type Findings,
  isMet,
  isOf,
  type Observations,
  type ObservedWorld,
} from './observations.ts'
import { clusterId, mainName, nameOfWriter, poolName } from './scenario.ts'

// Launches: promises 1, 4, 7, 8, 10, 11.

const hour = 3_600_000
const callsPerHour = 10
/** A launch decided just before the gate closed is on its way. */
const onItsWay = 1_000
const listedWithin = 15_000

export function checkLaunchCall(
  world: ObservedWorld,
  seen: Observations,
  { intent, userData }: LaunchOrder,
): void {
  const { clock, invariants, policy, gateClosedAt, userData: current } = world
  const now = clock.now()
  const { id, count } = intent
  const before = seen.sent.get(id)
  if (!seen.written.has(id)) invariants.violated(4, `${id} is sent and not written down`)
  if (gateClosedAt !== undefined && now - gateClosedAt > onItsWay)
    invariants.violated(7, `${id} is launched while the preflight fails`)
  if (!before && userData.sha256 !== current.sha256)
    invariants.violated(11, `${id} carries ${userData.sha256}`)
  if (before && before.sha256 !== userData.sha256) invariants.violated(11, `${id} carries something else now`)
  seen.launches++
  if (!before && !isNeeded(world, seen))
    invariants.violated(8, `${id} launches ${count} and nothing is wanted`)
  if (seen.stoppingAt !== undefined && !before) invariants.violated(8, `${id} is decided while it stops`)
  const max = Math.max(before?.max ?? 0, policy.maxInstances)
  const adopted = new Set(seen.adopted)
  seen.sent.set(id, { max, count, sha256: userData.sha256, made: before?.made ?? 0, adopted })
}

/** Work waits that has no room, or fewer VMs than min are there that may be of use. */
function isNeeded(world: ObservedWorld, seen: Observations): boolean {
  const { provisioners, policy, master, invariants } = world
  const { name, demand } = seen
  if (!demand || !isMet(world, seen, demand)) return true
  if (policy.minInstances === 0) return false
  const { instances } = provisioners.get(name)!.fleet.status()
  const sound = instances.filter((i) => (i.state === 'running' || i.state === 'starting') && !i.ending)
  const isDoubtful = (id: string) => {
    const agent = master.agents.get(id)
    return !agent?.connected || agent.draining || seen.reasons.has(id) || invariants.orders.has(id)
  }
  return sound.filter(({ id }) => !isDoubtful(id)).length < policy.minInstances
}

/** Refusals of an offering within the hour, since a call last brought none of it. */
export function checkLaunchResult(
  { clock, invariants }: ObservedWorld,
  seen: Observations,
  { intent }: LaunchOrder,
  { failures }: LaunchResult,
): void {
  const now = clock.now()
  const whole = failures.some(({ offering }) => offering === undefined)
  const refused = new Set(failures.flatMap(({ offering }) => (offering ? [offeringKey(offering)] : [])))
  for (const key of intent.offerings.map(offeringKey)) {
    if (!whole && !refused.has(key)) {
      seen.refusals.delete(key)
      continue
    }
    const recent = (seen.refusals.get(key) ?? []).filter((at) => at > now - hour)
    recent.push(now)
    seen.refusals.set(key, recent)
    // What a crash forgets may be asked once more.
    const forgotten = seen.starts.filter((at) => at > now - hour).length - 1
    if (recent.length > callsPerHour + forgotten)
      invariants.violated(10, `${key} was asked for and refused ${recent.length} times within the hour`)
  }
}

/** What another writer launched counts when it was adopted before the launch was sent, and listings show it. */
function isKnowable(
  name: string,
  adopted: ReadonlySet<string>,
  { instance, visibleAt }: Vm,
  now: number,
): boolean {
  const { writerId = '' } = instance
  return nameOfWriter(writerId) === name || (adopted.has(writerId) && visibleAt + listedWithin < now)
}

export function checkCreated(world: ObservedWorld, seen: Observations, { instance }: Vm): void {
  const { cloud, clock, invariants, policy } = world
  const sent = seen.sent.get(instance.intentId!)
  if (!sent) {
    invariants.violated(4, `${instance.id} comes from an intent nobody sent`)
    return
  }
  // A crash may forget a minute of what the breaker has learned.
  const inVain = 3 * sent.max + 12 + 3 * seen.starts.length
  if (++seen.uselessMade > inVain)
    invariants.violated(10, `${seen.uselessMade} VMs in a row were launched in vain`)
  if (++sent.made > sent.count)
    invariants.violated(4, `${instance.intentId} gave more than ${sent.count} VMs`)
  const now = clock.now()
  const counts = (vm: Vm) => vm.endedAt === undefined && isKnowable(seen.name, sent.adopted, vm, now)
  const live = [...cloud.vms.values()].filter(counts).length
  // It was sent under the limit of that time; others may have been sent under a higher one since.
  const max = Math.max(sent.max, policy.maxInstances)
  if (live > max) invariants.violated(1, `${live} VMs live, max_instances is ${max}`)
}

export function checkWritten({ invariants }: ObservedWorld, seen: Observations, record: JournalRecord): void {
  if (record.kind === 'intent') {
    const { id } = record['intent'] as { id: string }
    if (seen.written.has(id)) invariants.violated(4, `the token of ${id} is used for another launch`)
    seen.written.add(id)
  }
  if (record.kind === 'adopted') for (const writer of record['writers'] as string[]) seen.adopted.add(writer)
  if (record.kind === 'refused') checkSpread(invariants, seen, record)
}

/** A refusal remembered for exactly its grown time was not spread by chance. Once may be chance. */
function checkSpread(invariants: Findings, seen: Observations, record: JournalRecord): void {
  for (const [key, { class: failureClass, failures, until }] of record['offerings'] as [string, Refusal][]) {
    const { first, most } = refusalGrowth[failureClass]
    if (until - record.at !== Math.min(most, first * 2 ** (failures - 1))) continue
    if (++seen.unspread > 1) invariants.violated(10, `the wait for ${key} is not spread`)
  }
}

// Terminations: promises 2, 3, 6, 13; and the rate of listings, 10.

const maxAge = 15_000
const listingsIn = { ms: 600_000, most: 135 }
/** A VM that ended by itself is known to be gone when a listing has shown it. */
const seenWithin = 30_000
/** Reasons that leave a pool with what it has: the others replace what is of no use. */
const shrinking = ['LONG_IDLE', 'ABOVE_MAX']

export function checkTerminateCall(world: ObservedWorld, seen: Observations, ids: readonly string[]): void {
  const { clock, invariants, cloud } = world
  const now = clock.now()
  // A VM that ended a moment ago may be ended once more before a listing has shown it.
  const isOver = (id: string) => now - (cloud.vms.get(id)?.endedAt ?? 0) < seenWithin
  if (!ids.every(isOver)) seen.terminations++
  if (seen.stoppingAt !== undefined) invariants.violated(3, `${ids} are ended while the provisioner stops`)
  if (!seen.listing?.complete || now - seen.listing.completeAt > maxAge)
    invariants.violated(13, `${ids} are ended on the word of an old or partial listing`)
  // What a person ends by force needs no word of the master.
  const isForced = (id: string) => invariants.orders.get(id) === 'even_if_busy'
  if (!ids.every(isForced) && (!seen.demand || now - seen.demand.at > maxAge))
    invariants.violated(13, `${ids} are ended on an old word of the master`)
  for (const id of ids) {
    const vm = cloud.vms.get(id)
    if (!vm) invariants.violated(6, `${id} is ended and never was`)
    else {
      const isOurs = vm.clusterId === clusterId && vm.instance.pool === poolName
      const writer = vm.instance.writerId ?? ''
      if (!isOurs || (nameOfWriter(writer) !== seen.name && !seen.adopted.has(writer)))
        invariants.violated(6, `${id} of ${writer} is ended by ${seen.name}`)
      checkBusy(world, seen, id)
    }
  }
  checkMin(world, seen, ids)
}

/** Work that came after the last look is nobody's fault only where no drain can reach: on an agent not yet known. */
function checkBusy({ master, invariants }: ObservedWorld, seen: Observations, id: string): void {
  const agent = master.agents.get(id)
  if (!agent || agent.work.size === 0 || invariants.orders.get(id) === 'even_if_busy') return
  const knew = seen.demand?.agents.find((a) => a.id === id)
  for (const workId of agent.work.keys()) {
    const placedAt = master.work.get(workId)?.placedAt ?? 0
    const isUnknowable = !knew?.connected && placedAt >= (seen.demand?.at ?? 0)
    const wasGivenBack = (master.enabledByPersonAt.get(id) ?? 0) >= (seen.demand?.at ?? 0)
    if (!isUnknowable && !wasGivenBack) invariants.violated(3, `${id} is ended with ${workId} on it`)
  }
}

function checkMin(
  { cloud, clock, policy, invariants }: ObservedWorld,
  seen: Observations,
  ids: readonly string[],
): void {
  const shrinks = ids.filter((id) => shrinking.includes(seen.reasons.get(id) ?? ''))
  if (shrinks.length === 0) return
  const now = clock.now()
  const left = [...cloud.vms.values()].filter(
    (vm) => isOf(seen, vm) && !shrinks.includes(vm.instance.id) && (vm.endedAt ?? now) + seenWithin > now,
  ).length
  if (left < policy.minInstances)
    invariants.violated(2, `${shrinks} are ended, ${left} VMs stay, min_instances is ${policy.minInstances}`)
}

export function checkDrainCall({ cloud, invariants }: ObservedWorld, seen: Observations, id: string): void {
  const { writerId: writer = '' } = cloud.vms.get(id)?.instance ?? {}
  if (nameOfWriter(writer) !== seen.name && !seen.adopted.has(writer))
    invariants.violated(6, `${id} of ${writer} is drained by ${seen.name}`)
}

export function checkListCall({ clock, invariants }: ObservedWorld, seen: Observations): void {
  const now = clock.now()
  seen.listCalls.push(now)
  while (seen.listCalls[0]! < now - listingsIn.ms) seen.listCalls.shift()
  if (seen.listCalls.length > listingsIn.most)
    invariants.violated(10, `${seen.listCalls.length} listings in ${listingsIn.ms / 60_000} minutes`)
}

// VMs left alone: promise 5, every VM of ours joins or ends within its time, while its provisioner can do something.

const minute = 60_000

export interface Neglect {
  /** What a VM is of no use for, and since when somebody could have ended it for that. */
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
  for (const vm of cloud.vms.values()) {
    const { id, state } = vm.instance
    const useless = isOf(seen, vm) ? uselessness(world, vm) : undefined
    if (!useless) {
      since.delete(id)
      continue
    }
    let entry = since.get(id)
    if (entry?.why !== useless.why) {
      entry = { why: useless.why, from: now }
      since.set(id, entry)
    }
    if (now - entry.from <= useless.limit) continue
    invariants.violated(
      5,
      `${id} (${state}) is ${useless.why} for ${Math.round((now - entry.from) / 1000)} s`,
    )
    entry.from = Number.POSITIVE_INFINITY
  }
}

/** Why a VM is of no use, and how long it may stay so; undefined: it is of use, or gone. */
function uselessness(
  { master, policy }: ObservedWorld,
  { instance, goneAt }: Vm,
): { why: string; limit: number } | undefined {
  if (goneAt !== undefined || instance.state === 'stopping' || instance.state === 'terminated')
    return undefined
  if (instance.state === 'stopped') return { why: 'stopped', limit: 3 * minute }
  const agent = master.agents.get(instance.id)
  if (agent?.connected) return undefined
  // A VM whose agent was lost is told from one that has not joined yet by the provisioner; allow for the longer.
  return { why: 'unconnected', limit: Math.max(policy.bootTimeout, policy.maxDisconnected) + 3 * minute }
}

// Progress: promises 9 (work gets VMs), 12 (a reason for everything), and 8 at the end of a world (rest).

/** Twice the largest pause with its spread, and the launch rate's hour where it may be spent. */
const pauses = 2 * 37.5 * minute
const rateHour = 60 * minute
const sampleEvery = 30_000
const restTime = 2 * minute

export interface Progress {
  /** Since when work that can run waits and nothing was placed. */
  stalledSince: number | undefined
  placements: number
  sampledAt: number
  /** Since when there is nothing left to do. */
  restingSince: number | undefined
  callsAtRest: number
  /** When there was work for the last time. */
  workedAt: number | undefined
  done: boolean
}

export function createProgress(): Progress {
  return {
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
  invariants.violated(9, `${waiting} wait and nothing is placed for ${Math.round(bound / minute)} minutes`)
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

/** Work waits, nothing is on its way and nobody says why. */
export function checkSilence(world: ObservedWorld, progress: Progress): void {
  const { clock, provisioners, invariants } = world
  const now = clock.now()
  if (now - progress.sampledAt < sampleEvery) return
  progress.sampledAt = now
  const main = provisioners.get(mainName)
  const seen = invariants.seen.get(mainName)
  if (!main?.life.alive || seen?.upSince === undefined || now - seen.upSince < 2 * minute) return
  const { holds, pending, snapshot, instances, inFlight, decisions } = main.fleet.status()
  if (pending === 0 || holds.length > 0 || inFlight > 0 || !snapshot) return
  const acts = decisions.some(({ kind }) => kind !== 'hold')
  const isComing = (i: Track) => i.joinedAt === undefined || (i.lostSince ?? 0) > now - minute
  const coming = instances.some((i) => i.state !== 'terminated' && isComing(i))
  const free = snapshot.agents.some((agent) => agent.freeSlots > 0 || (agent.freeAux ?? 1) > 0)
  if (!acts && !coming && !free) invariants.violated(12, `${pending} pieces of work wait without a reason`)
}

/** True once a calm world has come to rest: no work that can run, no more VMs than min, and nothing happens. */
export function isAtRest(world: ObservedWorld, progress: Progress): boolean {
  const { clock, scenario, policy, master, cloud, invariants } = world
  if (progress.done) return true
  const now = clock.now()
  if (now < scenario.calmAt + minute) return false
  const works = [...master.work.values()].some((work) => work.state === 'running' || canRun(world, work))
  if (works) progress.workedAt = now
  const there = [...cloud.vms.values()].filter((vm) => vm.endedAt === undefined && vm.clusterId === clusterId)
  const live = there.length
  const isSound = there.every(
    ({ instance: { id, interruptedAt } }) =>
      master.agents.get(id)?.connected && interruptedAt === undefined && !invariants.orders.has(id),
  )
  checkShrinks(world, progress, live)
  const { launches, terminations } = invariants.seen.get(mainName)!
  const calls = launches + terminations
  if (works || live > policy.minInstances || !isSound) progress.restingSince = undefined
  else if (progress.restingSince === undefined)
    Object.assign(progress, { restingSince: now, callsAtRest: calls })
  else if (calls > progress.callsAtRest && live === policy.minInstances) {
    invariants.violated(8, 'VMs are launched or ended although there is nothing to do')
  }
  return progress.restingSince !== undefined && now - progress.restingSince > restTime
}

/** When the work is gone, idle VMs go too, whatever was wrong with them before. */
function checkShrinks({ clock, policy, invariants }: ObservedWorld, progress: Progress, live: number): void {
  const bound = Math.max(policy.maxIdle, policy.bootTimeout, policy.maxDisconnected) + 10 * minute
  progress.workedAt ??= clock.now()
  if (live <= policy.minInstances || clock.now() - progress.workedAt <= bound) return
  invariants.violated(5, `${live} VMs live on, there is no work and min_instances is ${policy.minInstances}`)
}
