// Room for work, counted instead of listed: bins of the same kind and the same free slots are one entry.

import { type Census, isOpen, type Member } from './inventory.ts'
import {
  type KnownAgent,
  type KnownOffering,
  type LaunchInFlight,
  offeringKey,
  type Policy,
  type Snapshot,
} from './snapshot.ts'

/** The order in which room is used: agents at hand, agents we drained, VMs on their way, VMs to be bought. */
export const tiers = { ready: 0, drained: 1, coming: 2, bought: 3 } as const
export type Tier = keyof typeof tiers

/** VMs or agents that are alike, and how many of them work was put on. */
export interface Kind {
  tier: Tier
  /** Nothing about them changed for longer than the scheduler needs to place work. */
  settled: boolean
  size: number
  free: number
  /** The idle ones of our own, about which it is asked who they are. */
  members: Member[]
  count: number
  used: number
  /** Slots of waiting work that were put on them. */
  filled: number
  /** Auxiliary work they can take together, and what was put on them. */
  aux: number
  filledAux: number
}

interface Bin {
  kind: Kind
  free: number
  count: number
  untouched: boolean
}

export type Shelf = Bin[]

export function shelve(kinds: readonly Kind[]): Shelf {
  const shelf: Shelf = []
  for (const kind of kinds) insert(shelf, { kind, free: kind.free, count: kind.count, untouched: true })
  return shelf
}

/** Puts up to `count` pieces of work on single bins, fullest fitting bin of the first tier first; tells how many. */
export function put(shelf: Shelf, slots: number, count: number, allowed: (kind: Kind) => boolean): number {
  let left = count
  while (left > 0) {
    const bin = shelf.find((b) => b.count > 0 && b.free >= slots && allowed(b.kind))
    if (!bin) break
    const perBin = Math.floor(bin.free / slots)
    const bins = Math.min(bin.count, Math.max(1, Math.floor(left / perBin)))
    const each = Math.min(perBin, left)
    use(shelf, bin, bins, bin.free - each * slots)
    left -= bins * each
  }
  return count - left
}

/** Bins of this size with nothing on them. */
export function wholeBins(shelf: Shelf, size: number, allowed: (kind: Kind) => boolean): number {
  let count = 0
  for (const bin of shelf) if (isWhole(bin, size) && allowed(bin.kind)) count += bin.count
  return count
}

/** Takes so many whole bins; the caller has counted them. */
export function takeWhole(shelf: Shelf, size: number, count: number, allowed: (kind: Kind) => boolean): void {
  let left = count
  while (left > 0) {
    const bin = shelf.find((b) => b.count > 0 && isWhole(b, size) && allowed(b.kind))
    if (!bin) return
    const bins = Math.min(bin.count, left)
    use(shelf, bin, bins, 0)
    left -= bins
  }
}

/** Adds VMs to be bought, so that later work can share them. */
export function buy(shelf: Shelf, size: number, count: number, auxEach: number): Kind {
  const base = { tier: 'bought', settled: false, size, free: size, used: 0, filled: 0, filledAux: 0 } as const
  const kind: Kind = { ...base, members: [], count, aux: count * auxEach }
  insert(shelf, { kind, free: size, count, untouched: true })
  return kind
}

function isWhole(bin: Bin, size: number): boolean {
  return bin.free === size && bin.kind.size === size
}

function use(shelf: Shelf, bin: Bin, count: number, free: number): void {
  bin.count -= count
  bin.kind.filled += count * (bin.free - free)
  if (bin.untouched) bin.kind.used += count
  insert(shelf, { kind: bin.kind, free, count, untouched: false })
}

function insert(shelf: Shelf, bin: Bin): void {
  if (bin.free === 0 || bin.count === 0) return
  const at = shelf.findIndex((b) => inOrder(bin, b) < 0)
  shelf.splice(at < 0 ? shelf.length : at, 0, bin)
}

function inOrder(a: Bin, b: Bin): number {
  return tiers[a.kind.tier] - tiers[b.kind.tier] || a.free - b.free || a.kind.size - b.kind.size
}

// What there is, as room for work: agents at hand, agents we drained, VMs on their way.

export function capacityOf(census: Census, snapshot: Snapshot, policy: Policy, now: number): Kind[] {
  const kinds = new Map<number, Kind>()
  const firstSlots = snapshot.offerings[0]?.slots ?? 0
  const settledAt = now - policy.placementGrace

  function add(tier: Tier, settled: boolean, size: number, free: number, count: number, aux: number): Kind {
    // Slots of one agent are far below 4096; the key only has to tell kinds apart quickly.
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

  for (const member of census.members) {
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
  for (const agent of census.guests) {
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

/** Members in the order in which they are kept: what became idle last is kept first, so that the oldest idle go. */
export function keepOrder(a: Member, b: Member): number {
  const [left, right] = [a.agent?.idleSince, b.agent?.idleSince]
  return (right ?? -1) - (left ?? -1) || (a.instance.id < b.instance.id ? -1 : 1)
}

/** Idle members of the kind that work was put on, in `keepOrder`: as many as if the busy ones got none of it. */
export function usedMembers({ members, used }: Kind): Member[] {
  if (used === 0) return []
  return used < members.length ? members.sort(keepOrder).slice(0, used) : members
}

/** Ids of agents of such kinds that are idle and settled, and that no other work is meant for. */
export function idleLeft(kinds: readonly Kind[], suits: (kind: Kind) => boolean): string[] {
  return kinds
    .filter((kind) => kind.tier === 'ready' && kind.settled && suits(kind))
    .flatMap(({ members, used }) => (used > 0 ? members.sort(keepOrder).slice(used) : members))
    .filter(({ agent }) => agent?.connected && isOpen(agent))
    .map(({ instance }) => instance.id)
}

// What can be bought: offerings in groups of one size, and which group suits a piece of work.

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

export function marketOf(
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

/** The order of the file is kept by `preference`; this one only makes the result independent of the input's order. */
function order(a: KnownOffering, b: KnownOffering): number {
  return offeringKey(a) < offeringKey(b) ? -1 : 1
}

/** Sizes that hold the work on one VM. */
export function holding(market: readonly Size[], slots: number): Size[] {
  return market.filter((size) => size.slots >= slots)
}

/** Sizes of which several whole VMs make up the work (origin: scaling.go counts only multiples). */
export function dividing(market: readonly Size[], slots: number): Size[] {
  return market.filter((size) => size.slots > 0 && size.slots < slots && slots % size.slots === 0)
}

/** The size to buy: the most preferred that is not refused; among equals the one that wastes least. */
export function preferred(sizes: readonly Size[]): Size | undefined {
  return sizes
    .filter((size) => Number.isFinite(size.preference))
    .sort((a, b) => a.preference - b.preference || a.slots - b.slots)[0]
}
