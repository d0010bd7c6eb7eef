// Which VMs should be removed, and why, computed from scratch each time; then the next step to remove each.

import type { AgentDecision, Decision, ReasonCode } from './decision.ts'
import { keepOrder, usedMembers } from './idle.ts'
import { type Inventory, isDisabledByPerson, isShown, type Member } from './inventory.ts'
import type { Placement } from './placement-context.ts'
import { hasLasted, isForced, isListingCertain, isPrepaid, mayDrain, mayTerminate } from './rules.ts'
import type { Policy, Snapshot } from './snapshot.ts'

/** Reason by instance id. */
export type Removals = Map<string, ReasonCode>

export function chooseRemovals(
  inventory: Inventory,
  placement: Placement,
  policy: Policy,
  now: number,
): Removals {
  const removals: Removals = new Map()
  const healthy: Member[] = []
  let lasting = inventory.lasting
  for (const member of inventory.members) {
    const { id } = member.instance
    if (member.fault) removals.set(id, member.fault)
    else if (member.phase !== 'leaving' && placement.suspects.has(id)) {
      removals.set(id, 'UNPLACED_ON_FREE_AGENT')
      lasting--
    } else if (member.phase !== 'leaving' && isShown(member.instance)) healthy.push(member)
  }
  const needed = new Set(placement.kinds.flatMap(usedMembers))
  const idle = healthy.filter((m) => isIdle(m) && !needed.has(m))

  const longIdle = idle.filter(
    ({ agent, instance }) => now - agent!.idleSince! > policy.maxIdle && !isPrepaid(instance, now),
  )
  // While instances are replaced, only those that have proven themselves make an old one superfluous.
  const isReplacing = healthy.some(({ outdated }) => outdated)
  const unproven = isReplacing ? healthy.filter(({ instance }) => !hasLasted(instance, now)).length : 0
  remove(() => longIdle.sort(leastWantedFirst), lasting - unproven - policy.minInstances, 'LONG_IDLE')

  // A launch in flight may still be refused: its VMs count once they exist.
  remove(() => aboveMaxOrder(healthy, idle), lasting - policy.maxInstances, 'ABOVE_MAX')

  if (placement.overflow.length > 0) {
    const idleBySize = inTheWay(idle, policy, now)
    for (const { slots, size, vms } of placement.overflow) {
      const lists = idleBySize.filter((list) => list.slots < slots && list.slots !== size.slots)
      if (size.free.length > 0) remove(() => leastWanted(lists), vms, 'ROOM_FOR_OTHER_WORK')
    }
  }
  return removals

  function remove(candidates: () => Iterable<Member>, most: number, reason: ReasonCode): void {
    if (most <= 0) return
    let left = most
    for (const { instance } of candidates()) {
      if (removals.has(instance.id)) continue
      removals.set(instance.id, reason)
      lasting--
      if (--left <= 0) return
    }
  }
}

/** Members of one size, the least wanted first; those before `next` are chosen already. */
interface IdleList {
  /** -1: of no use to any allocation. */
  slots: number
  members: Member[]
  next: number
}

/** Idle members by their size: of no use to allocations that need a larger one, or taken out of service by somebody else. */
function inTheWay(idle: readonly Member[], policy: Policy, now: number): IdleList[] {
  const lists = new Map<number, IdleList>()
  for (const member of [...idle].sort(leastWantedFirst)) {
    const { agent, phase } = member
    // By its idle time, which our own drain does not change.
    const idleFor = now - agent!.idleSince!
    if (phase === 'away' ? idleFor <= policy.maxIdle : idleFor < policy.placementGrace) continue
    const slots = phase === 'away' ? -1 : agent!.slots
    const list = lists.get(slots) ?? { slots, members: [], next: 0 }
    lists.set(slots, list)
    list.members.push(member)
  }
  return [...lists.values()]
}

/** The members of these lists that are not chosen yet, the least wanted first. */
function* leastWanted(lists: readonly IdleList[]): Generator<Member> {
  for (;;) {
    let least: IdleList | undefined
    for (const list of lists) {
      const head = list.members[list.next]
      if (head && (!least || leastWantedFirst(head, least.members[least.next]!) < 0)) least = list
    }
    if (!least) return
    yield least.members[least.next++]!
  }
}

function isIdle({ agent, phase }: Member): boolean {
  return phase !== 'coming' && agent !== undefined && !agent.busy && agent.idleSince !== undefined
}

/** Agents that we drained already go first, so that the choice stays stable; then the longest idle. */
function leastWantedFirst(a: Member, b: Member): number {
  return Number(isDrained(b)) - Number(isDrained(a)) || keepOrder(b, a)
}

function isDrained({ instance }: Member): boolean {
  return instance.drainedAt !== undefined
}

/** Newest launches, lost ones, idle ones, and then the least busy, which are drained and may finish their jobs. */
function aboveMaxOrder(healthy: Member[], idle: Member[]): Member[] {
  const coming = healthy.filter((m) => m.phase === 'coming')
  const lost = healthy.filter((m) => m.phase !== 'coming' && !m.agent?.connected && !m.agent?.busy)
  const rest = healthy.filter((m) => m.agent?.connected)
  const newest = (a: Member, b: Member) =>
    b.instance.knownSince - a.instance.knownSince || (a.instance.id < b.instance.id ? -1 : 1)
  const slack = (a: Member, b: Member) =>
    Number(isDrained(b)) - Number(isDrained(a)) || work(a) - work(b) || newest(a, b)
  return [...coming.sort(newest), ...lost.sort(newest), ...idle.sort(leastWantedFirst), ...rest.sort(slack)]
}

function work({ agent }: Member): number {
  return agent!.busy ? agent!.slots - agent!.freeSlots + 1 : 0
}

// How a VM is removed: drained, observed idle after that, terminated. And how our own drain is undone.

type Step = AgentDecision['kind']

export function stepsOf(
  inventory: Inventory,
  removals: Removals,
  snapshot: Snapshot,
  policy: Policy,
  now: number,
): Decision[] {
  const steps = new Map<string, { kind: Step; code: ReasonCode; ids: string[] }>()
  let uncertain = 0
  for (const member of inventory.members) {
    const code = removals.get(member.instance.id)
    const kind = code ? removalStep(member, code, snapshot, now) : undrainStep(member, snapshot)
    if (!kind) continue
    if (kind === 'terminate' && !isListingCertain(snapshot.listing, member.instance)) {
      // A complete listing that began before the drain is followed by another one.
      if (!snapshot.listing?.complete) uncertain++
      continue
    }
    const why = code ?? 'NEEDED_AGAIN'
    const key = `${kind} ${why}`
    const step = steps.get(key)
    if (step) step.ids.push(member.instance.id)
    else steps.set(key, { kind, code: why, ids: [member.instance.id] })
  }
  const numbers = {
    live: inventory.live,
    inFlight: inventory.inFlight,
    min: policy.minInstances,
    max: policy.maxInstances,
  }
  const decisions: Decision[] = [...steps.values()]
    .sort((a, b) => order[a.kind] - order[b.kind] || (a.code < b.code ? -1 : 1))
    .map(({ kind, code, ids }) => ({ kind, ids: ids.sort(), reason: { code, numbers } }))
  if (uncertain > 0)
    decisions.push({ kind: 'hold', reason: { code: 'LISTING_PARTIAL', numbers: { instances: uncertain } } })
  return decisions
}

const order: Record<Step, number> = { terminate: 0, undrain: 1, drain: 2 }

/** A forced termination needs no view of the master, which may be gone for good; the cloud must have listed the VM. */
export function forcedEnds(snapshot: Snapshot): Decision[] {
  if (!isListingCertain(snapshot.listing)) return []
  const ids = snapshot.instances
    .filter((instance) => isForced(instance) && isThere(instance))
    .map(({ id }) => id)
  return ids.length > 0
    ? [{ kind: 'terminate', ids: ids.sort(), reason: { code: 'ORDERED', numbers: {} } }]
    : []
}

function isThere({ ending, state }: Member['instance']): boolean {
  return !ending && state !== 'terminated' && state !== 'stopping'
}

/** Drain first, then wait: a connected agent is busy, or not yet shown as drained. */
function removalStep(
  { instance, agent }: Member,
  code: ReasonCode,
  { demandAt = 0 }: Snapshot,
  now: number,
): Step | undefined {
  if (code === 'DRAIN_TIMEOUT' || mayTerminate(instance, agent, demandAt)) return 'terminate'
  if (!agent?.connected) return undefined
  if (instance.undrainDoubt) return 'drain'
  if (instance.drainedAt !== undefined) {
    // A person has disabled it since: that ends the drain, which a termination waits for.
    const hasEnded = demandAt > instance.drainedAt && !agent.enabled && !agent.draining
    return hasEnded ? 'drain' : undefined
  }
  return code === 'ORDERED' || mayDrain(instance, demandAt, now) ? 'drain' : undefined
}

/**
 * Needs a view of the master that shows the result of the drain: on an older one the agent would be drained and
 * undrained in turn.
 */
function undrainStep({ instance, agent, phase }: Member, { demandAt = 0 }: Snapshot): Step | undefined {
  if (instance.drainedAt === undefined || demandAt <= instance.drainedAt) return undefined
  // In a paused pool, too: a job that it got could be ended by a termination that is under way.
  if (instance.condemned) return undefined
  if (!agent?.connected || isDisabledByPerson(agent)) return undefined
  return phase !== 'leaving' ? 'undrain' : undefined
}
