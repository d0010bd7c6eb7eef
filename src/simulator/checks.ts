// The checks behind the promises of invariants.ts about calls: launches, terminations, drains, listings.
import { type Refusal, refusalGrowth } from '../fleet/index.ts'
import { offeringKey } from '../planner/index.ts'
import type { JournalRecord } from '../platform/index.ts'
import type { LaunchOrder, LaunchResult } from '../providers/index.ts'
import { checkBreaker, checkHasListed, checkLaunchRate, checkMayChange } from './change-checks.ts'
import type { CloudInstance } from './cloud.ts'
import { noteCondemned } from './late-effect-checks.ts'
import {
  demandMet,
  type Findings,
  isListed,
  isOf,
  type Observations,
  type ObservedWorld,
} from './observations.ts'
import { isForRollout, mayEndBusy } from './rollout-checks.ts'
import { clusterId, nameOfWriter, poolName } from './scenario.ts'

// Launches: promises 1, 4, 7, 8, 10, 11.

const hour = 3_600_000
const callsPerHour = 10
/** A launch decided just before the gate closed may still be in progress. */
const onItsWay = 1_000

export function checkLaunchCall(
  world: ObservedWorld,
  seen: Observations,
  { intent, userData }: LaunchOrder,
): void {
  const { clock, invariants, policy, gateClosedAt, userData: current } = world
  const now = clock.now()
  const { id, count } = intent
  const before = seen.sent.get(id)
  if (!seen.written.has(id)) invariants.violated(4, `${id} is sent but not written down`)
  if (gateClosedAt !== undefined && now - gateClosedAt > onItsWay)
    invariants.violated(7, `${id} is launched while the preflight fails`)
  if (!before && userData.sha256 !== current.sha256)
    invariants.violated(11, `${id} carries ${userData.sha256}`)
  if (before && before.sha256 !== userData.sha256)
    invariants.violated(11, `${id} carries other user data now`)
  seen.launches++
  if (!before && !isNeeded(world, seen))
    invariants.violated(8, `${id} launches ${count} although nothing is wanted`)
  checkHasListed(world, seen, id)
  if (!before) {
    checkMayChange(world, seen, 'launch', id)
    checkLaunchRate(world, seen, id, count)
    checkBreaker(world, seen, id, count)
  }
  if (seen.stoppingAt !== undefined && !before) invariants.violated(8, `${id} is decided while it stops`)
  const max = Math.max(before?.max ?? 0, policy.maxInstances)
  const adopted = new Set(seen.adopted)
  seen.sent.set(id, { max, count, sha256: userData.sha256, made: before?.made ?? 0, adopted })
}

/** Jobs wait without room, or there are fewer usable VMs than min_instances. */
function isNeeded(world: ObservedWorld, seen: Observations): boolean {
  const { provisioners, policy, master, invariants } = world
  const { name, demand } = seen
  if (!demand || !demandMet(world, seen, demand) || isForRollout(world, seen)) return true
  if (policy.minInstances === 0) return false
  const { instances } = provisioners.get(name)!.fleet.status()
  const sound = instances.filter((i) => (i.state === 'running' || i.state === 'starting') && !i.ending)
  const isDoubtful = (id: string) => {
    const agent = master.agents.get(id)
    return !agent?.connected || agent.draining || seen.reasons.has(id) || invariants.orders.has(id)
  }
  return sound.filter(({ id }) => !isDoubtful(id)).length < policy.minInstances
}

/** Refusals of an offering within the hour, since the last call without one. */
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
    // A request forgotten in a crash may be repeated once.
    const forgotten = seen.starts.filter((at) => at > now - hour).length - 1
    if (recent.length > callsPerHour + forgotten)
      invariants.violated(10, `${key} was requested and refused ${recent.length} times within the hour`)
  }
}

/** What another writer launched counts when it was adopted before the launch was sent, and listings show it. */
function isKnowable(name: string, adopted: ReadonlySet<string>, vm: CloudInstance, now: number): boolean {
  const { writerId = '' } = vm.instance
  return (nameOfWriter(writerId) === name || adopted.has(writerId)) && isListed(name, vm, now)
}

/** Milliseconds. */
const lostEffect = 10_000

export function checkCreated(world: ObservedWorld, seen: Observations, { instance }: CloudInstance): void {
  const { cloud, clock, invariants, policy } = world
  // A clone may send what the original had only written down.
  const sent = [seen, ...invariants.seen.values()].flatMap((one) => one.sent.get(instance.intentId!) ?? [])[0]
  if (!sent) {
    invariants.violated(4, `${instance.id} comes from an intent that was never sent`)
    return
  }
  // A crash may lose a minute of the breaker's memory.
  const inVain = 3 * sent.max + 12 + 3 * seen.starts.length
  if (++seen.failedMade > inVain)
    invariants.violated(10, `${seen.failedMade} instances in a row were launched, and all failed`)
  if (++sent.made > sent.count)
    invariants.violated(4, `${instance.intentId} launched more than ${sent.count} instances`)
  const now = clock.now()
  // Of a record that the store has lost, nobody knows that its request may take effect late.
  const isUnknown = ({ instance: { intentId = '' }, createdAt }: CloudInstance) =>
    createdAt > (seen.lost.get(intentId) ?? Number.POSITIVE_INFINITY) + lostEffect
  const counts = (vm: CloudInstance) =>
    vm.endedAt === undefined && !isUnknown(vm) && isKnowable(seen.name, sent.adopted, vm, now)
  const live = [...cloud.instances.values()].filter(counts).length
  // It was sent under the limit of that time; others may have been sent under a higher one since.
  const max = Math.max(sent.max, policy.maxInstances)
  if (live > max) invariants.violated(1, `${live} live instances, max_instances is ${max}`)
}

export function checkWritten({ invariants }: ObservedWorld, seen: Observations, record: JournalRecord): void {
  if (record.kind === 'intent') {
    const { id } = record['intent'] as { id: string }
    if (seen.written.has(id) && !seen.checkpointed.delete(id))
      invariants.violated(4, `the token of ${id} is used for another launch`)
    seen.written.add(id)
  }
  // A launch may be written down by a checkpoint alone: one that is written while its own record waits its turn.
  if (record.kind === 'checkpoint') for (const { id } of openIn(record)) noteOpen(seen, id)
  if (record.kind === 'settled') seen.closed.add(record['id'] as string)
  // Written before the call, which may not have been sent: the next leader terminates it, and nobody gives it jobs.
  if (record.kind === 'condemned') for (const id of record['ids'] as string[]) seen.terminated.add(id)
  if (record.kind === 'adopted') for (const writer of record['writers'] as string[]) seen.adopted.add(writer)
  if (record.kind === 'refused') checkSpread(invariants, seen, record)
}

function openIn({ memory }: JournalRecord): { id: string }[] {
  return (memory as { intents: { id: string }[] }).intents
}

/** Whoever leads next knows of it, also where the store had lost its record. */
function noteOpen({ written, checkpointed, lost }: Observations, id: string): void {
  if (!written.has(id)) checkpointed.add(id)
  written.add(id)
  lost.delete(id)
}

/** A refusal remembered for exactly its computed time has no jitter. Once may be chance. */
function checkSpread(invariants: Findings, seen: Observations, record: JournalRecord): void {
  for (const [key, { class: failureClass, failures, until }] of record['offerings'] as [string, Refusal][]) {
    const { first, most } = refusalGrowth[failureClass]
    if (until - record.at !== Math.min(most, first * 2 ** (failures - 1))) continue
    if (++seen.unspread > 1) invariants.violated(10, `the wait for ${key} has no jitter`)
  }
}

// Terminations: promises 2, 3, 6, 13; and the rate of listings, 10.

const maxAge = 15_000
const listingsIn = { ms: 600_000, most: 135 }
/** A VM that stopped by itself is known to be gone once a listing has shown it. */
const seenWithin = 30_000
/** One complete listing that lacks a VM is no proof that it is gone, and a listing may take a minute. */
const forgottenWithin = 180_000
/** Reasons that shrink the pool: the others replace unusable VMs. */
const shrinking = ['LONG_IDLE', 'ABOVE_MAX']

export function checkTerminateCall(world: ObservedWorld, seen: Observations, ids: readonly string[]): void {
  const { clock, invariants, cloud, policy } = world
  const now = clock.now()
  // A VM that has stopped may be terminated again until listings have lacked it for long enough; one that the search for
  // orphans terminated is unknown to the pool's journal, and may be asked for longer.
  // One that no listing has shown is kept until its boot timeout, which begins anew where a start does not know the time.
  const started = seen.starts.at(-1) ?? 0
  const isOver = (id: string) => {
    const { endedAt } = cloud.instances.get(id) ?? {}
    if (endedAt === undefined) return seen.endedAsOrphans.has(id)
    const within = now - endedAt < forgottenWithin || now - started < policy.bootTimeout + 60_000
    return within || seen.endedAsOrphans.has(id)
  }
  if (!ids.every(isOver)) seen.terminations++
  for (const id of ids) {
    seen.terminated.add(id)
    noteCondemned(world, seen, id)
  }
  checkMayChange(world, seen, 'terminate', ids.join(', '))
  if (seen.stoppingAt !== undefined)
    invariants.violated(3, `${ids} are terminated while the provisioner stops`)
  if (!seen.listing || isKnownPartial(seen, clock))
    invariants.violated(13, `${ids} are terminated based on a partial listing, or on none`)
  // A forced termination needs no view of the master.
  const isForced = (id: string) => invariants.orders.get(id) === 'even_if_busy'
  const oldest = maxAge + 2 * seen.demandTook
  if (!ids.every(isForced) && (!seen.demand || now - seen.demand.at > oldest))
    invariants.violated(13, `${ids} are terminated based on an old view of the master`)
  for (const id of ids) {
    const vm = cloud.instances.get(id)
    const drainedAt = seen.drains.get(id)?.at(-1) ?? 0
    const isConnected = seen.demand?.agents.some((agent) => agent.id === id && agent.connected)
    if (isConnected && !isForced(id) && (seen.listing?.completeAt ?? 0) < drainedAt)
      invariants.violated(13, `${id} is terminated based on a listing from before its drain`)
    if (!vm) invariants.violated(6, `${id} is terminated but never existed`)
    else {
      const isOurs = vm.clusterId === clusterId && vm.instance.pool === poolName && isOf(seen, vm)
      if (!isOurs) invariants.violated(6, `${id} of ${vm.instance.writerId} is terminated by ${seen.name}`)
      checkBusy(world, seen, id)
    }
  }
  checkMin(world, seen, ids)
}

/** What arrives in the step of the call, or is read in it after a suspension, may be read right after the call. */
function isKnownPartial({ partialSince }: Observations, clock: ObservedWorld['clock']): boolean {
  return partialSince !== undefined && clock.steps > partialSince.step
}

/** Orphans may be terminated if this provisioner launched or adopted them and they are idle. */
export function checkOrphansTerminated(
  world: ObservedWorld,
  seen: Observations,
  ids: readonly string[],
): void {
  const { cloud, master, invariants } = world
  for (const id of ids) {
    seen.endedAsOrphans.add(id)
    const vm = cloud.instances.get(id)
    if (!vm || vm.clusterId !== clusterId || !isOf(seen, vm))
      invariants.violated(6, `${id}, an orphan of another provisioner, is terminated`)
    const agent = master.agents.get(id)
    const wasGivenBack = (master.enabledByPersonAt.get(id) ?? 0) > world.clock.now() - maxAge
    if (agent && agent.work.size > 0 && !wasGivenBack)
      invariants.violated(3, `${id}, an orphan, is terminated while busy`)
  }
}

/** A job placed after the last read is excused only on an agent that is not yet known, which cannot be drained. */
function checkBusy(world: ObservedWorld, seen: Observations, id: string): void {
  const { master, invariants } = world
  const agent = master.agents.get(id)
  if (!agent || agent.work.size === 0 || invariants.orders.get(id) === 'even_if_busy') return
  if (mayEndBusy(world, seen, id)) return
  const knew = seen.demand?.agents.find((a) => a.id === id)
  for (const workId of agent.work.keys()) {
    const placedAt = master.work.get(workId)?.placedAt ?? 0
    const isUnknowable = !knew?.connected && placedAt >= (seen.demand?.at ?? 0)
    const wasGivenBack = (master.enabledByPersonAt.get(id) ?? 0) >= (seen.demand?.at ?? 0)
    if (!isUnknowable && !wasGivenBack) invariants.violated(3, `${id} is terminated with ${workId} on it`)
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
  // A listing that takes long does not show what ended after its start.
  const known = Math.min(now - seenWithin, seen.listing?.completeAt ?? now)
  const left = [...cloud.instances.values()].filter(
    (vm) => isOf(seen, vm) && !shrinks.includes(vm.instance.id) && (vm.endedAt ?? now) > known,
  ).length
  if (left < policy.minInstances)
    invariants.violated(
      2,
      `${shrinks} are terminated, ${left} instances remain, min_instances is ${policy.minInstances}`,
    )
}

export function checkDrainCall(world: ObservedWorld, seen: Observations, id: string): void {
  const { cloud, clock, invariants } = world
  checkMayChange(world, seen, 'drain', id)
  const vm = cloud.instances.get(id)
  if (vm && !isOf(seen, vm))
    invariants.violated(6, `${id} of ${vm.instance.writerId} is drained by ${seen.name}`)
  const recent = (seen.drains.get(id) ?? []).filter((at) => at > clock.now() - drainsIn.ms)
  recent.push(clock.now())
  seen.drains.set(id, recent)
  if (recent.length > drainsIn.most)
    invariants.violated(10, `${id} is drained ${recent.length} times within ${drainsIn.ms / 1000} s`)
}

/** Failed calls to the master are repeated every 5 s; drain and undrain of one agent alternate more slowly. */
const drainsIn = { ms: 30_000, most: 8 }

/** An agent that a person disabled is enabled only by a person. */
export function checkUndrainCall({ invariants }: ObservedWorld, seen: Observations, id: string): void {
  const shown = seen.demand?.agents.find((agent) => agent.id === id)
  if (shown?.disabledByPerson && seen.stoppingAt === undefined)
    invariants.violated(6, `${id} is undrained although a person disabled it`)
}

export function checkListCall({ clock, invariants }: ObservedWorld, seen: Observations): void {
  const now = clock.now()
  seen.listCalls.push(now)
  while (seen.listCalls[0]! < now - listingsIn.ms) seen.listCalls.shift()
  if (seen.listCalls.length > listingsIn.most)
    invariants.violated(10, `${seen.listCalls.length} listings in ${listingsIn.ms / 60_000} minutes`)
}
