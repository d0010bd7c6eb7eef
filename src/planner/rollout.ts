// Rollouts: which outdated instances leave now, and how many are launched so that one can leave. Each of them then takes the
// way of every removal: it gets no new work, is observed idle, and is terminated.

import { usedMembers } from './idle.ts'
import { type Inventory, isShown, type Member, markFailed } from './inventory.ts'
import { isDrainOver, type OutdatedCode } from './outdated.ts'
import type { Placement } from './placement-context.ts'
import { hasLasted, isLive, isShortOfSlots, roomBelowMax } from './rules.ts'
import type {
  InstanceShare,
  KnownAgent,
  KnownInstance,
  Policy,
  RolloutRules,
  RolloutState,
  Snapshot,
} from './snapshot.ts'

/** What an outdated instance waits for, with a description. */
export const rolloutWaits = {
  NEVER: 'rollout.when is never',
  FAILED: 'an instance of the new generation failed: the old ones stay',
  PAUSED: 'the rollout is paused',
  SCHEDULE: 'rollout.schedule allows to begin later',
  LAUNCHES: 'nothing can be launched in its place now',
  JOINING: 'its agent has not joined yet',
  AWAY: 'its agent is not connected, or a person drained or disabled it',
  BUSY: 'it has jobs',
  NEEDED: 'waiting jobs need it, or it became idle a moment ago',
  FIRST: 'the first instance of the new generation has not proven itself yet',
  BUDGET: 'as many instances as max_unavailable allows are out of service',
  MINIMUM: 'an instance must join before it, because of min_instances',
} as const

export type RolloutWait = keyof typeof rolloutWaits

/** What a plan found about outdated instances. */
export interface Rollout {
  outdated: readonly Member[]
  /** Those that leave now, in addition to those of other reasons. */
  leaving: Member[]
  /** Those that were leaving when their connections broke: they get no jobs when they are back. */
  lost: Member[]
  /** Instances to launch that nothing else needs. */
  surge: number
  /** How many of the others wait for what. */
  waits: Partial<Record<RolloutWait, number>>
}

/** The same in numbers. */
export interface RolloutView {
  /** Outdated instances by the reason, those that leave included. */
  outdated: Partial<Record<OutdatedCode, number>>
  leaving: number
  surge: number
  waits: Partial<Record<RolloutWait, number>>
}

export function rolloutView({ outdated, leaving, surge, waits }: Rollout): RolloutView {
  const counts: RolloutView['outdated'] = {}
  for (const { outdated: code } of outdated) counts[code!] = (counts[code!] ?? 0) + 1
  return { outdated: counts, leaving: leaving.length, surge, waits }
}

/**
 * Decides from a placement that treats outdated instances as any other. Nothing is written into the inventory; `beginRollout` does
 * that.
 */
export function planRollout(
  inventory: Inventory,
  placement: Placement,
  snapshot: Snapshot,
  policy: Policy,
  now: number,
): Rollout | undefined {
  const outdated = inventory.members.filter(
    ({ outdated, phase, instance }) =>
      outdated && phase !== 'faulty' && phase !== 'leaving' && !placement.suspects.has(instance.id),
  )
  const { rollout: rules } = policy
  const { rollout: state } = snapshot
  if (outdated.length === 0 || !rules || !state) return undefined
  const waits = new Waits()
  const stop = rules.when === 'never' ? 'NEVER' : state.failed ? 'FAILED' : undefined
  if (stop)
    return { outdated, leaving: [], lost: [], surge: 0, waits: waits.add(stop, outdated.length).counts }

  const { begun, lost, candidates } = sorted(outdated, placement, rules, policy, now, waits)
  const context = { inventory, placement, snapshot, policy, rules, state, begun, now }
  const out = inventory.members.filter(
    ({ phase, instance }) => phase !== 'leaving' && isBegun(instance),
  ).length
  const most = shareOf(rules.maxUnavailable, inventory.lasting) - out
  const blocked = candidates.length > 0 ? blockOf(snapshot, now) : undefined
  const next = blocked
    ? { begin: 0, surge: 0, rest: blocked }
    : isProven(context)
      ? withReplacements(context, candidates.length, most)
      : firstOne(context, candidates, most)
  waits.add(next.rest, candidates.length - next.begin)
  const leaving = [...begun, ...candidates.slice(0, next.begin).map(({ member }) => member)]
  return { outdated, leaving, lost, surge: next.surge, waits: waits.counts }
}

/** Those that leave are no capacity any more. */
export function beginRollout(
  { leaving, lost }: Rollout,
  inventory: Inventory,
  policy: Policy,
  now: number,
): Inventory {
  let { lasting } = inventory
  for (const member of leaving) {
    if (isShown(member.instance)) lasting--
    markFailed(member, isDrainOver(member.instance, policy, now) ? 'DRAIN_TIMEOUT' : member.outdated!)
  }
  for (const member of lost) if (member.phase === 'ready') member.phase = 'away'
  return { ...inventory, lasting }
}

/** Whether anything is done that another placement has to know. */
export function changesCapacity({ leaving, lost, surge }: Rollout): boolean {
  return leaving.length + lost.length + surge > 0
}

class Waits {
  readonly counts: Partial<Record<RolloutWait, number>> = {}

  add(wait: RolloutWait, count = 1): this {
    if (count > 0) this.counts[wait] = (this.counts[wait] ?? 0) + count
    return this
  }
}

interface Candidate {
  member: Member
  /** Nothing is planned for it, so that it can be terminated soon. */
  isFree: boolean
}

/** Outdated instances by what can be done with them now; the others wait. */
function sorted(
  outdated: readonly Member[],
  { kinds }: Placement,
  { when }: RolloutRules,
  { placementGrace }: Policy,
  now: number,
  waits: Waits,
): { begun: Member[]; lost: Member[]; candidates: Candidate[] } {
  const begun: Member[] = []
  const candidates: Candidate[] = []
  const lost: Member[] = []
  const needed = new Set(kinds.flatMap(usedMembers))
  for (const member of outdated) {
    const { agent, instance, phase } = member
    const hasBegun = isBegun(instance)
    if (!agent?.connected || phase !== 'ready' || !isShown(instance)) {
      if (hasBegun) lost.push(member)
      waits.add(phase === 'coming' ? 'JOINING' : 'AWAY')
      continue
    }
    const isIdle = !agent.busy && agent.idleSince !== undefined && !needed.has(member)
    const isFree = isIdle && (hasBegun || isDrained(member) || now - agent.idleSince! >= placementGrace)
    if (hasBegun && (isFree || when === 'budget')) begun.push(member)
    else if (isFree || when === 'budget') candidates.push({ member, isFree })
    else waits.add(agent.busy ? 'BUSY' : 'NEEDED')
  }
  return { begun, lost, candidates: candidates.sort(oldestFirst) }
}

/** Those that need not wait for jobs go before; of each, those that we drained already, and then the oldest. */
function oldestFirst({ member: a, isFree }: Candidate, { member: b, isFree: isOther }: Candidate): number {
  return (
    Number(isOther) - Number(isFree) ||
    Number(isDrained(b)) - Number(isDrained(a)) ||
    a.instance.knownSince - b.instance.knownSince ||
    (a.instance.id < b.instance.id ? -1 : 1)
  )
}

function isBegun({ rolledSince }: KnownInstance): boolean {
  return rolledSince !== undefined
}

function isDrained({ instance }: Member): boolean {
  return instance.drainedAt !== undefined
}

/** What prevents that anything is begun. What was begun before continues. */
function blockOf({ rollout, holds, breaker, offerings }: Snapshot, now: number): RolloutWait | undefined {
  if (rollout!.paused) return 'PAUSED'
  if (!rollout!.open) return 'SCHEDULE'
  const isStopped = holds.some(({ stops }) => stops.includes('launch') || stops.includes('remove'))
  const isRefused = offerings.every(({ refused }) => (refused?.until ?? 0) > now)
  return isStopped || isRefused || breaker.state === 'open' ? 'LAUNCHES' : undefined
}

interface Context {
  inventory: Inventory
  placement: Placement
  snapshot: Snapshot
  policy: Policy
  rules: RolloutRules
  state: RolloutState
  begun: readonly Member[]
  now: number
}

interface Next {
  begin: number
  surge: number
  /** What the candidates that are not begun wait for. */
  rest: RolloutWait
}

/** The generation has proven itself: within the budget, and never below min_instances. */
function withReplacements(context: Context, candidates: number, most: number): Next {
  const { inventory, placement, policy, rules } = context
  const wanted = Math.max(0, Math.min(candidates, most))
  const begin = Math.max(0, Math.min(wanted, spareOf(context)))
  const rest = begin < wanted ? 'MINIMUM' : 'BUDGET'
  if (begin === wanted || !hasSurge(policy)) return { begin, surge: 0, rest }
  const extra = Math.min(shareOf(rules.surge, inventory.lasting), wanted - begin)
  const bought = placement.wanted.reduce((sum, { forJobs, forMin }) => sum + forJobs + forMin, 0)
  const present = inService(context) - begin + inventory.coming + inventory.inFlight + inventory.doubtful
  const short = policy.minInstances + extra - present - bought
  return { begin, surge: Math.max(0, Math.min(extra, short)), rest }
}

/**
 * The generation has not proven itself: one instance is launched to try it, and no old one leaves before. Only where
 * max_instances leaves no room for it, one old one does. An instance that jobs need is as good a trial.
 */
function firstOne(context: Context, candidates: readonly Candidate[], most: number): Next {
  const { inventory, placement, policy, begun } = context
  const nothing: Next = { begin: 0, surge: 0, rest: 'FIRST' }
  const isTried =
    begun.length > 0 ||
    inventory.inFlight > 0 ||
    placement.wanted.some(({ forJobs, forMin }) => forJobs + forMin > 0) ||
    inventory.members.some((member) => isOnTrial(member, context))
  // Nothing is bought only to be idle: idle instances that min_instances does not need leave by max_idle_agent_period.
  const spare = spareOf(context)
  const isWorthIt = candidates.some(({ isFree }) => !isFree || spare < 1 || !hasSurge(policy))
  if (isTried || !isWorthIt || most < 1) return nothing
  if (hasSurge(policy) && roomBelowMax(inventory, policy) > 0) return { ...nothing, surge: 1 }
  const isRoomComing = inventory.members.some(
    ({ phase, instance }) => (phase === 'leaving' || phase === 'faulty') && isLive(instance),
  )
  if (isRoomComing) return nothing
  return { ...nothing, begin: Math.min(1, Math.max(0, spare)) }
}

/** Instances of the pool that take jobs now, and are not about to leave. */
function inService({ inventory, placement, begun }: Context): number {
  const leaving = new Set(begun)
  return inventory.members.filter(
    (member) =>
      member.phase === 'ready' &&
      isShown(member.instance) &&
      !isBegun(member.instance) &&
      !leaving.has(member) &&
      !placement.suspects.has(member.instance.id),
  ).length
}

/** How many of them may leave before others have joined. Without room for a replacement, some go before it. */
function spareOf(context: Context): number {
  const { policy, rules, inventory } = context
  const below = hasSurge(policy) ? 0 : shareOf(rules.maxUnavailable, inventory.lasting)
  return inService(context) - Math.max(0, policy.minInstances - below)
}

/** max_instances leaves room for a replacement beside min_instances. */
function hasSurge({ minInstances, maxInstances }: Policy): boolean {
  return maxInstances > minInstances
}

/** A percentage is rounded down, and one instance at least. */
function shareOf(share: InstanceShare, instances: number): number {
  return 'count' in share ? share.count : Math.max(1, Math.floor((instances * share.percent) / 100))
}

/**
 * It is made from what is launched now, and may still prove that this works; where that was proven before, only one that has not
 * lasted yet.
 */
function isOnTrial({ instance, outdated, phase }: Member, { state, snapshot, now }: Context): boolean {
  if (outdated || instance.generation !== state.generation) return false
  if (state.proven) return !hasLasted(instance, snapshot.demandAt ?? now)
  return phase !== 'faulty' && phase !== 'leaving'
}

function isProven({ inventory, snapshot, state, policy, now }: Context): boolean {
  // Launches must prove themselves again, one at a time.
  if (snapshot.probe || snapshot.breaker.state !== 'closed') return false
  return (
    state.proven ||
    inventory.members.some(({ instance, agent }) =>
      provesGeneration(instance, agent, state, policy, snapshot.demandAt ?? now),
    )
  )
}

/**
 * The instance shows that what is launched now works: its agent has joined with all of its slots, and was connected for longer than
 * one that does not last. `at` is when the newest view of the master was true.
 */
export function provesGeneration(
  instance: KnownInstance,
  agent: KnownAgent | undefined,
  { generation }: Pick<RolloutState, 'generation'>,
  policy: Policy,
  at: number,
): boolean {
  // Its agent may be shown as connected for a while after its end.
  if (instance.ending || instance.condemned) return false
  if (instance.generation !== generation || instance.drifted?.length || !agent?.connected) return false
  return hasLasted(instance, at) && !isShortOfSlots(instance, agent, policy, at)
}
