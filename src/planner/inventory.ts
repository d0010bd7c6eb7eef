// The phase of each VM: capacity now, capacity soon, out of reach, faulty, leaving or gone.
import type { ReasonCode } from './decision.ts'
import { hasNeverJoined, isLive, isShortOfSlots } from './rules.ts'
import {
  type KnownAgent,
  type KnownInstance,
  type KnownOffering,
  type LaunchInFlight,
  offeringKey,
  type Policy,
  type Snapshot,
} from './snapshot.ts'

/**
 * - `coming`: its agent has not joined yet, but still may
 * - `ready`: its agent can take jobs (also while it may still reconnect)
 * - `away`: it lost its connection, or somebody else drained it
 * - `faulty`: to be removed, see `fault`
 * - `leaving`: the cloud was asked to terminate it; it may still bill
 * - `gone`: it no longer exists, or is stopping by itself
 */
type Phase = 'coming' | 'ready' | 'away' | 'faulty' | 'leaving' | 'gone'

export interface Member {
  instance: KnownInstance
  agent: KnownAgent | undefined
  phase: Phase
  fault?: ReasonCode
}

export interface Inventory {
  /** All but those that are gone. */
  members: Member[]
  /** Agents of the pool on unmanaged machines that the master schedules jobs on. */
  foreignAgents: KnownAgent[]
  /** VMs that can run and bill: what max_instances counts, with the launches in flight. */
  live: number
  /** VMs that are neither faulty nor leaving: what min_instances counts. */
  lasting: number
  /**
   * Other such VMs that the newest listing does not show: none is terminated because of them, and none bought to
   * replace them.
   */
  doubtful: number
  coming: number
  inFlight: number
}

export function takeInventory(snapshot: Snapshot, policy: Policy, now: number): Inventory {
  const { paired, unpaired } = pair(snapshot)
  const inventory: Inventory = {
    members: [],
    foreignAgents: [],
    live: 0,
    lasting: 0,
    doubtful: 0,
    coming: 0,
    inFlight: 0,
  }
  for (const member of paired) {
    // A VM is not judged by what the master has not reported since.
    judge(member, policy, Math.min(now, snapshot.demandAt ?? now))
    if (member.phase === 'gone') continue
    inventory.members.push(member)
    if (isLive(member.instance)) inventory.live++
    if (member.phase === 'coming') inventory.coming++
    if (member.phase === 'faulty' || member.phase === 'leaving') continue
    if (member.instance.missingSince === undefined) inventory.lasting++
    else if (member.phase !== 'away') inventory.doubtful++
  }
  for (const agent of unpaired)
    if (agent.connected && isOpen(agent) && !agent.getsNoWork) inventory.foreignAgents.push(agent)
  for (const launch of snapshot.inFlight) inventory.inFlight += launch.missing
  return inventory
}

/** Instances with their agents. Lists in the same order are paired in one pass; only the rest is looked up. */
function pair({ instances, agents }: Snapshot): { paired: Member[]; unpaired: Iterable<KnownAgent> } {
  let next = 0
  const paired = instances.map((instance): Member => {
    const agent = agents[next]?.id === instance.id ? agents[next++] : undefined
    return { instance, agent, phase: 'gone' }
  })
  const rest = new Map<string, KnownAgent>()
  for (; next < agents.length; next++) rest.set(agents[next]!.id, agents[next]!)
  if (rest.size > 0)
    for (const member of paired) {
      const { id } = member.instance
      member.agent ??= rest.get(id)
      rest.delete(id)
    }
  return { paired, unpaired: rest.values() }
}

function judge(member: Member, policy: Policy, now: number): void {
  const { instance, agent } = member
  if (instance.state === 'terminated' || instance.state === 'stopping') return
  if (instance.ending) member.phase = 'leaving'
  else if (instance.state === 'stopped') markFailed(member, 'STOPPED')
  else if (instance.ordered) markFailed(member, 'ORDERED')
  else if (instance.interruptedAt !== undefined) markFailed(member, 'SPOT_INTERRUPTED')
  else if (agent?.connected) judgeConnected(member, agent, policy, now)
  else judgeUnconnected(member, policy, now)
}

function judgeConnected(member: Member, agent: KnownAgent, policy: Policy, now: number): void {
  const { drainedAt } = member.instance
  // Determined shows an agent whose connection broke as disabled and draining until the wait is over.
  const may = isOpen(agent) || drainedAt !== undefined || agent.settledSince + policy.reconnectWait > now
  member.phase = may && !isDisabledByPerson(agent) && !agent.getsNoWork ? 'ready' : 'away'
  if (isShortOfSlots(member.instance, agent, policy, now)) markFailed(member, 'SHORT_OF_SLOTS')
}

function judgeUnconnected(member: Member, policy: Policy, now: number): void {
  const { joinedAt, lostSince = now } = member.instance
  if (hasNeverJoined(member.instance, policy, now)) markFailed(member, 'NEVER_JOINED')
  else if (joinedAt === undefined) member.phase = 'coming'
  else if (lostSince + policy.reconnectWait > now) member.phase = member.agent ? 'ready' : 'coming'
  else if (lostSince + Math.max(policy.maxDisconnected, policy.reconnectWait) > now) member.phase = 'away'
  else markFailed(member, 'LONG_DISCONNECTED')
}

function markFailed(member: Member, fault: ReasonCode): void {
  member.phase = 'faulty'
  member.fault = fault
}

export function isOpen(agent: KnownAgent): boolean {
  return agent.enabled && !agent.draining
}

/** No capacity until that person enables it again. Our own drains and lost connections look different. */
export function isDisabledByPerson(agent: KnownAgent): boolean {
  return agent.disabledByPerson === true || (!agent.enabled && !agent.draining)
}

// Room for allocations, counted instead of listed: bins of the same kind with the same free slots are one entry.

/** The order in which room is used: agents at hand, agents we drained, VMs on their way, VMs to launch. */
export const tiers = { ready: 0, drained: 1, coming: 2, bought: 3 } as const
export type Tier = keyof typeof tiers

/** VMs or agents of one kind, and how many of them are used. */
export interface Kind {
  tier: Tier
  /** Unchanged for longer than the scheduler needs to place an allocation. */
  settled: boolean
  size: number
  free: number
  /** The idle managed ones, which are asked for by id. */
  members: Member[]
  count: number
  used: number
  /** Slots of waiting allocations that were put on them. */
  filled: number
  /** Auxiliary allocations they can take together, and how many were put on them. */
  aux: number
  filledAux: number
}

interface Bin {
  kind: Kind
  free: number
  count: number
  untouched: boolean
}

export type Bins = Bin[]

export function createBins(kinds: readonly Kind[]): Bins {
  const bins: Bins = []
  for (const kind of kinds) insert(bins, { kind, free: kind.free, count: kind.count, untouched: true })
  return bins
}

/** Puts up to `count` allocations on single bins, fullest fitting bin of the first tier first; returns how many. */
export function put(bins: Bins, slots: number, count: number, allowed: (kind: Kind) => boolean): number {
  let left = count
  while (left > 0) {
    const bin = bins.find((b) => b.count > 0 && b.free >= slots && allowed(b.kind))
    if (!bin) break
    const perBin = Math.floor(bin.free / slots)
    const used = Math.min(bin.count, Math.max(1, Math.floor(left / perBin)))
    const each = Math.min(perBin, left)
    use(bins, bin, used, bin.free - each * slots)
    left -= used * each
  }
  return count - left
}

/** Bins of this size with nothing on them. */
export function wholeBins(bins: Bins, size: number, allowed: (kind: Kind) => boolean): number {
  let count = 0
  for (const bin of bins) if (isWhole(bin, size) && allowed(bin.kind)) count += bin.count
  return count
}

/** Takes so many whole bins; the caller has counted them. */
export function takeWhole(bins: Bins, size: number, count: number, allowed: (kind: Kind) => boolean): void {
  let left = count
  while (left > 0) {
    const bin = bins.find((b) => b.count > 0 && isWhole(b, size) && allowed(b.kind))
    if (!bin) return
    const used = Math.min(bin.count, left)
    use(bins, bin, used, 0)
    left -= used
  }
}

/** Adds VMs to launch, so that later allocations can share them. */
export function buy(bins: Bins, size: number, count: number, auxEach: number): Kind {
  const base = { tier: 'bought', settled: false, size, free: size, used: 0, filled: 0, filledAux: 0 } as const
  const kind: Kind = { ...base, members: [], count, aux: count * auxEach }
  insert(bins, { kind, free: size, count, untouched: true })
  return kind
}

function isWhole(bin: Bin, size: number): boolean {
  return bin.free === size && bin.kind.size === size
}

function use(bins: Bins, bin: Bin, count: number, free: number): void {
  bin.count -= count
  bin.kind.filled += count * (bin.free - free)
  if (bin.untouched) bin.kind.used += count
  insert(bins, { kind: bin.kind, free, count, untouched: false })
}

function insert(bins: Bins, bin: Bin): void {
  if (bin.free === 0 || bin.count === 0) return
  const at = bins.findIndex((b) => inOrder(bin, b) < 0)
  bins.splice(at < 0 ? bins.length : at, 0, bin)
}

function inOrder(a: Bin, b: Bin): number {
  return tiers[a.kind.tier] - tiers[b.kind.tier] || a.free - b.free || a.kind.size - b.kind.size
}

// Existing room: agents at hand, agents we drained, VMs that are starting.

export function capacityOf(inventory: Inventory, snapshot: Snapshot, policy: Policy, now: number): Kind[] {
  const kinds = new Map<number, Kind>()
  const firstSlots = snapshot.offerings[0]?.slots ?? 0
  const settledAt = now - policy.placementGrace

  function add(tier: Tier, settled: boolean, size: number, free: number, count: number, aux: number): Kind {
    // Slots of one agent are far below 4096; the key only has to distinguish kinds quickly.
    const key = ((tiers[tier] * 2 + (settled ? 1 : 0)) * 4096 + size) * 4096 + free
    let kind = kinds.get(key)
    if (!kind) {
      kind = { tier, settled, size, free, members: [], count: 0, used: 0, filled: 0, aux: 0, filledAux: 0 }
      kinds.set(key, kind)
    }
    kind.count += count
    kind.aux += aux
    return kind
  }

  for (const member of inventory.members) {
    const { phase, agent, instance } = member
    if (phase === 'coming') {
      const slots = instance.slots ?? firstSlots
      add('coming', false, slots, slots, 1, policy.maxAuxPerAgent)
    } else if (phase === 'ready' && agent) {
      const drained = instance.drainedAt !== undefined
      const settled = agent.settledSince <= settledAt
      const aux = auxRoom(agent, policy)
      const kind = add(drained ? 'drained' : 'ready', settled, agent.slots, agent.freeSlots, 1, aux)
      if (!agent.busy) kind.members.push(member)
    }
  }
  for (const agent of inventory.foreignAgents) {
    const settled = agent.settledSince <= settledAt
    add('ready', settled, agent.slots, agent.freeSlots, 1, auxRoom(agent, policy))
  }
  for (const { offerings, missing } of snapshot.inFlight) {
    const slots = offerings[0]?.slots ?? firstSlots
    if (missing > 0) add('coming', false, slots, slots, missing, missing * policy.maxAuxPerAgent)
  }
  return [...kinds.values()]
}

function auxRoom(agent: KnownAgent, { maxAuxPerAgent }: Policy): number {
  return agent.freeAux ?? maxAuxPerAgent
}

/** Members in the order in which they are kept: the most recently idle first, so that the longest idle are removed. */
export function keepOrder(a: Member, b: Member): number {
  const [left, right] = [a.agent?.idleSince, b.agent?.idleSince]
  return (right ?? -1) - (left ?? -1) || (a.instance.id < b.instance.id ? -1 : 1)
}

/** Idle members of the used kind, in `keepOrder`: as many as if the busy ones got none of the allocations. */
export function usedMembers({ members, used }: Kind): Member[] {
  if (used === 0) return []
  return used < members.length ? members.sort(keepOrder).slice(0, used) : members
}

/** Ids of agents of such kinds that are idle and settled, and that no other allocation is planned for. */
export function idleLeft(kinds: readonly Kind[], suits: (kind: Kind) => boolean): string[] {
  return kinds
    .filter((kind) => kind.tier === 'ready' && kind.settled && suits(kind))
    .flatMap(({ members, used }) => (used > 0 ? members.sort(keepOrder).slice(used) : members))
    .filter(({ agent }) => agent?.connected && isOpen(agent))
    .map(({ instance }) => instance.id)
}

// What can be bought: offerings in groups of one size, and which group fits an allocation.

/** All offerings with the same slots. */
export interface Size {
  slots: number
  /** In order of preference; not refused, and with no launch call in flight. */
  free: KnownOffering[]
  /** Not refused, but a launch call is in flight. */
  busy: KnownOffering[]
  refused: KnownOffering[]
  /** The lowest number among those that are not refused. */
  preference: number
}

export function catalogOf(
  offerings: readonly KnownOffering[],
  inFlight: readonly LaunchInFlight[],
  now: number,
): Size[] {
  const calls = new Set(inFlight.flatMap((launch) => launch.offerings.map(offeringKey)))
  const sizes = new Map<number, Size>()
  for (const offering of [...offerings].sort((a, b) => a.preference - b.preference || order(a, b))) {
    const { slots, refused } = offering
    let size = sizes.get(slots)
    if (!size) {
      size = { slots, free: [], busy: [], refused: [], preference: Number.POSITIVE_INFINITY }
      sizes.set(slots, size)
    }
    if (refused && refused.until > now) {
      size.refused.push(offering)
      continue
    }
    size.preference = Math.min(size.preference, offering.preference)
    if (calls.has(offeringKey(offering))) size.busy.push(offering)
    else size.free.push(offering)
  }
  return [...sizes.values()]
}

/** `preference` keeps the order of the file; this order only makes the result independent of the order of the input. */
function order(a: KnownOffering, b: KnownOffering): number {
  return offeringKey(a) < offeringKey(b) ? -1 : 1
}

/** Sizes that hold the allocation on one VM. */
export function holding(catalog: readonly Size[], slots: number): Size[] {
  return catalog.filter((size) => size.slots >= slots)
}

/** Sizes of which several whole VMs hold the allocation (Determined's scaling.go counts only multiples). */
export function dividing(catalog: readonly Size[], slots: number): Size[] {
  return catalog.filter((size) => size.slots > 0 && size.slots < slots && slots % size.slots === 0)
}

/** The size to buy: the most preferred that is not refused; among equals the one that wastes the fewest slots. */
export function preferred(sizes: readonly Size[]): Size | undefined {
  return sizes
    .filter((size) => Number.isFinite(size.preference))
    .sort((a, b) => a.preference - b.preference || a.slots - b.slots)[0]
}
