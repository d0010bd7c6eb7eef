// Room for allocations, counted instead of listed: agents of one kind with the same free slots are one bin, however many
// there are. Nothing here takes time for each allocation or each agent of a group.
import type { Inventory, Member } from './inventory.ts'
import type { KnownAgent, Policy, Snapshot } from './snapshot.ts'

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

/** Some VMs of one kind that have the same free slots now. */
interface Bin {
  kind: Kind
  free: number
  count: number
}

/** Kinds of one tier that are all settled or all not, in order of free slots, then of size. */
interface Lane {
  tier: Tier
  settled: boolean
  bins: Bin[]
}

export interface Bins {
  /** In the order of tiers; of one tier, the settled ones first. */
  lanes: Lane[]
  /** All sizes that a kind has or had. */
  sizes: Set<number>
  /** Slots that were put on the kinds of each tier. */
  filled: Record<Tier, number>
}

/** Which lanes may be used. */
export type Allowed = (lane: Pick<Kind, 'tier' | 'settled'>) => boolean

export function createBins(kinds: readonly Kind[]): Bins {
  const lanes = (Object.keys(tiers) as Tier[]).flatMap((tier) =>
    [true, false].map((settled): Lane => ({ tier, settled, bins: [] })),
  )
  const filled = { ready: 0, drained: 0, coming: 0, bought: 0 }
  const bins: Bins = { lanes, sizes: new Set(), filled }
  for (const kind of kinds) insert(bins, { kind, free: kind.free, count: kind.count })
  return bins
}

/** Puts up to `count` allocations on single VMs, fullest fitting VM of the first tier first; returns how many. */
export function put(bins: Bins, slots: number, count: number, allowed: Allowed): number {
  let left = count
  while (left > 0) {
    const found = firstFitting(bins, slots, allowed)
    if (!found) break
    const { bin } = found
    const perBin = Math.floor(bin.free / slots)
    const used = Math.min(bin.count, Math.max(1, Math.floor(left / perBin)))
    const each = Math.min(perBin, left)
    use(bins, found, used, bin.free - each * slots)
    left -= used * each
  }
  return count - left
}

/** VMs of this size with nothing on them. */
export function wholeBins({ lanes }: Bins, size: number, allowed: Allowed): number {
  return lanes.reduce((sum, lane) => sum + (allowed(lane) ? (whole(lane, size)?.bin.count ?? 0) : 0), 0)
}

/** Takes so many VMs with nothing on them; the caller has counted them. */
export function takeWhole(bins: Bins, size: number, count: number, allowed: Allowed): void {
  let left = count
  for (const lane of bins.lanes) {
    const found = left > 0 && allowed(lane) ? whole(lane, size) : undefined
    if (!found) continue
    const used = Math.min(found.bin.count, left)
    use(bins, found, used, 0)
    left -= used
  }
}

/** Adds VMs to be bought, so that later allocations can share them. `kinds` has one kind for each size of them. */
export function buy(bins: Bins, kinds: Kind[], size: number, count: number, auxEach: number): void {
  let kind = kinds.find((each) => each.tier === 'bought' && each.size === size)
  if (!kind) {
    const nothing = { members: [], count: 0, used: 0, filled: 0, aux: 0, filledAux: 0 }
    kind = { tier: 'bought', settled: false, size, free: size, ...nothing }
    kinds.push(kind)
  }
  kind.count += count
  kind.aux += count * auxEach
  insert(bins, { kind, free: size, count })
}

interface Found {
  lane: Lane
  at: number
  bin: Bin
}

function firstFitting({ lanes }: Bins, slots: number, allowed: Allowed): Found | undefined {
  let first: Found | undefined
  for (const lane of lanes) {
    if (first && first.lane.tier !== lane.tier) break
    if (lane.bins.length === 0 || !allowed(lane)) continue
    const at = indexOf(lane, slots, 0)
    const bin = lane.bins[at]
    if (bin && (!first || inOrder(bin.free, bin.kind.size, first.bin) < 0)) first = { lane, at, bin }
  }
  return first
}

/** The VMs of one size with nothing on them are of one kind, and in one bin. */
function whole(lane: Lane, size: number): Found | undefined {
  const at = indexOf(lane, size, size)
  const bin = lane.bins[at]
  return bin?.free === size && bin.kind.size === size ? { lane, at, bin } : undefined
}

/** Uses so many VMs of a bin, which have so many free slots then. */
function use(bins: Bins, { lane, at, bin }: Found, count: number, free: number): void {
  const { kind } = bin
  const slots = count * (bin.free - free)
  kind.filled += slots
  bins.filled[kind.tier] += slots
  if (bin.free === kind.free) kind.used += count
  bin.count -= count
  if (bin.count === 0) lane.bins.splice(at, 1)
  insert(bins, { kind, free, count })
}

/**
 * Adds to the bin of the same kind with the same free slots, if there is one. Otherwise it comes before its equals: those that
 * are in use are filled before others of the same room are begun.
 */
function insert({ lanes, sizes }: Bins, bin: Bin): void {
  const { kind, free, count } = bin
  sizes.add(kind.size)
  if (free === 0 || count === 0) return
  const lane = lanes[tiers[kind.tier] * 2 + (kind.settled ? 0 : 1)]!
  const first = indexOf(lane, free, kind.size)
  for (let at = first; at < lane.bins.length && inOrder(free, kind.size, lane.bins[at]!) === 0; at++)
    if (lane.bins[at]!.kind === kind) {
      lane.bins[at]!.count += count
      return
    }
  lane.bins.splice(first, 0, bin)
}

/** The first bin with so many free slots of VMs of this size, or the place where it would be. */
function indexOf({ bins }: Lane, free: number, size: number): number {
  let [from, to] = [0, bins.length]
  while (from < to) {
    const middle = (from + to) >> 1
    if (inOrder(free, size, bins[middle]!) > 0) from = middle + 1
    else to = middle
  }
  return from
}

function inOrder(free: number, size: number, bin: Bin): number {
  return free - bin.free || size - bin.kind.size
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
