// Which waiting allocations fit existing or starting VMs, and what has to be bought for the rest.
import { capacityOf, createBins, type Kind, put, type Tier, takeWhole, tiers, wholeBins } from './bins.ts'
import { catalogOf, compare, dividing, holding, preferred, type Size } from './catalog.ts'
import { IdleAgents } from './idle.ts'
import type { Inventory } from './inventory.ts'
import {
  type Batch,
  keepTogether,
  type Placement,
  type PlacementContext,
  refusal,
  refusersOf,
  unserve,
  type Work,
  type WorkGroup,
  want,
  withoutUnplaceable,
} from './placement-context.ts'
import { roomBelowMax } from './rules.ts'
import type { KnownAgent, KnownOffering, PendingAllocation, Policy, Snapshot, Unplaced } from './snapshot.ts'

/** `surge`: instances to launch that neither jobs nor min_instances need. */
export function placeWork(
  work: Work,
  inventory: Inventory,
  snapshot: Snapshot,
  policy: Policy,
  now: number,
  surge = 0,
): Placement {
  const { suspects, trial } = suspectsOf(snapshot, now)
  const sound = inventory.members.filter((member) => !suspects.has(member.instance.id))
  const kinds = capacityOf({ ...inventory, members: sound }, snapshot, policy, now)
  const placement: Placement = {
    kinds,
    wanted: [],
    unserved: [],
    placed: [],
    overflow: [],
    marks: [],
    suspects,
  }
  const context: PlacementContext = {
    placement,
    bins: createBins(kinds),
    catalog: catalogOf(snapshot.offerings, snapshot.inFlight, now),
    room: roomBelowMax(inventory, policy),
    foreignAgents: countBySlots(inventory.foreignAgents),
    idle: new IdleAgents(),
    trial: { agent: trial },
    snapshot,
    policy,
  }
  for (const group of work.groups) recorded(context, group, placeGroup)
  for (const group of work.aux) recorded(context, group, placeAux)
  fillMin(
    context,
    inventory.lasting + inventory.doubtful + inventory.inFlight - (inventory.members.length - sound.length),
  )
  const size = surge > 0 ? preferred(context.catalog) : undefined
  if (size) want(context, size, surge, 'forRollout')
  unserve(placement, 'AUX_NOT_ALLOWED', { work: work.auxNotAllowed, left: work.auxNotAllowed.length })
  unserve(placement, 'JOB_AT_MAX_SLOTS', { work: work.atJobMax, left: work.atJobMax.length })
  unserve(placement, 'WORK_UNPLACEABLE', { work: work.unplaceable, left: work.unplaceable.length })
  return placement
}

/** Places a group and records which room it took, if it got any. */
function recorded(
  context: PlacementContext,
  group: WorkGroup,
  place: (context: PlacementContext, group: WorkGroup) => void,
): void {
  const { slots, work } = group
  const before = filledOf(context, slots)
  place(context, group)
  const filled = filledOf(context, slots)
  for (const tier of tierNames) filled[tier] -= before[tier]
  // There may be a hundred thousand groups that got nothing.
  if (tierNames.some((tier) => filled[tier] > 0)) context.placement.placed.push({ slots, work, filled })
}

const tierNames = Object.keys(tiers) as Tier[]

/** Slots, or for allocations without slots how many of them, that were put on each tier until now. */
function filledOf({ bins, placement }: PlacementContext, slots: number): Record<Tier, number> {
  if (slots > 0) return { ...bins.filled }
  const filled = { ready: 0, drained: 0, coming: 0, bought: 0 }
  for (const kind of placement.kinds) filled[kind.tier] += kind.filledAux
  return filled
}

function countBySlots(agents: readonly KnownAgent[]): Map<number, number> {
  const counts = new Map<number, number>()
  for (const { slots } of agents) counts.set(slots, (counts.get(slots) ?? 0) + 1)
  return counts
}

/** Agents that were the only ones not given some allocation, and the one that is replaced on trial. */
function suspectsOf(
  { unplaced }: Snapshot,
  now: number,
): { suspects: Set<string>; trial: string | undefined } {
  const suspects = new Set<string>()
  let trial: string | undefined
  for (const entry of unplaced.values()) {
    if (entry.agents.length === 1) suspects.add(entry.agents[0]!)
    if (entry.trial !== undefined && entry.until > now) trial = entry.trial
  }
  if (trial !== undefined) suspects.add(trial)
  return { suspects, trial }
}

// Allocations of one size: on free agents, on starting VMs, on several whole agents, or on VMs to launch.

function placeGroup(context: PlacementContext, group: WorkGroup): void {
  const { slots, work, waited } = group
  const counted = waited ? withoutUnplaceable(context, group, refusersOf(context, slots)) : work
  const batch: Batch = { slots, work: counted, left: counted.length }
  batch.left -= put(context.bins, slots, batch.left, waited ? freshRoom : anyRoom)
  spread(context, batch)
  if (batch.left > 0) buyFor(context, batch)
}

function anyRoom(): boolean {
  return true
}

/** Room that appeared lately: an allocation that was not placed on older room for long will not be placed there now. */
function freshRoom({ tier, settled }: Pick<Kind, 'tier' | 'settled'>): boolean {
  return tier !== 'drained' && !(tier === 'ready' && settled)
}

/** Puts each allocation on several whole bins of one size, as long as there are enough. */
function spread({ bins, catalog }: PlacementContext, batch: Batch): void {
  const { slots } = batch
  const sizes = dividersAmong(bins.sizes, slots)
  // In the order in which they are bought, so that what was bought together stays together.
  const rank = (slots: number) => catalog.find((size) => size.slots === slots)?.preference ?? Infinity
  sizes.sort((a, b) => compare(rank(a), rank(b)) || b - a)
  for (const size of sizes) {
    const each = slots / size
    const held = Math.min(batch.left, Math.floor(wholeBins(bins, size, anyRoom) / each))
    takeWhole(bins, size, held * each, anyRoom)
    batch.left -= held
  }
}

/** The sizes of which several make up so many slots. */
function dividersAmong(sizes: ReadonlySet<number>, slots: number): number[] {
  const found: number[] = []
  const root = Math.floor(Math.sqrt(slots))
  // Whichever is less: to try each size, or each divisor.
  if (sizes.size <= root) {
    for (const size of sizes) if (size > 0 && size < slots && slots % size === 0) found.push(size)
    return found
  }
  for (let divisor = 1; divisor <= root; divisor++) {
    if (slots % divisor !== 0) continue
    const other = slots / divisor
    if (divisor < slots && sizes.has(divisor)) found.push(divisor)
    if (other < slots && other !== divisor && sizes.has(other)) found.push(other)
  }
  return found
}

function buyFor(context: PlacementContext, batch: Batch): void {
  const { slots } = batch
  const holders = holding(context.catalog, slots)
  const size = preferred(holders)
  if (size) {
    buyWhole(context, size, batch)
    return
  }
  const dividers = dividing(context.catalog, slots)
  if (preferred(dividers)) buyTogether(context, dividers, batch)
  else if (holders.length + dividers.length > 0) {
    const { code, numbers } = refusal([...holders, ...dividers])
    unserve(context.placement, code, batch, { slots, ...numbers })
  } else {
    const largest = Math.max(0, ...context.catalog.map((each) => each.slots))
    const code = context.catalog.length === 0 ? 'NO_OFFERING' : 'NEVER_FITS'
    unserve(context.placement, code, batch, { slots, largest })
  }
}

/** Each VM holds one or more of the allocations. */
function buyWhole(context: PlacementContext, size: Size, batch: Batch): void {
  const { slots } = batch
  const vms = Math.ceil(batch.left / Math.floor(size.slots / slots))
  const above = vms - want(context, size, vms, 'forJobs')
  batch.left -= put(context.bins, slots, batch.left, (kind) => kind.tier === 'bought')
  if (above > 0) context.placement.overflow.push({ slots, size, vms: above })
  unserve(context.placement, 'MAX_REACHED', batch, {
    slots,
    instances: above,
    max: context.policy.maxInstances,
  })
}

/** Each allocation takes several whole VMs: all of them or none, since only some of them would stay idle. */
function buyTogether(context: PlacementContext, dividers: Size[], batch: Batch): void {
  const { slots } = batch
  const usable = dividers
    .filter((size) => Number.isFinite(size.preference))
    .sort((a, b) => a.preference - b.preference || b.slots - a.slots)
  const missing = (size: Size) => slots / size.slots - wholeBins(context.bins, size.slots, anyRoom)
  for (const size of usable) {
    const each = slots / size.slots
    // The first of them uses what is left over of this size; for the others everything has to be bought.
    const first = missing(size)
    if (batch.left === 0 || first > context.room) continue
    const held = Math.min(batch.left, 1 + Math.floor((context.room - first) / each))
    want(context, size, first + (held - 1) * each, 'forJobs')
    keepTogether(context, size, [first, ...Array.from({ length: held - 1 }, () => each)])
    takeWhole(context.bins, size.slots, held * each, anyRoom)
    batch.left -= held
  }
  if (batch.left > 0) tooMany(context, dividers, missing, batch)
}

function tooMany(
  context: PlacementContext,
  dividers: Size[],
  missing: (size: Size) => number,
  batch: Batch,
): void {
  const { slots } = batch
  const { maxInstances: max } = context.policy
  const foreignAgents = (size: Size) => context.foreignAgents.get(size.slots) ?? 0
  const possible = dividers.filter((size) => slots / size.slots <= max + foreignAgents(size))
  const best = [...possible].sort((a, b) => missing(a) - missing(b))[0]
  if (best) context.placement.overflow.push({ slots, size: best, vms: missing(best) - context.room })
  // Even of the largest there would be too many.
  const vms = slots / (best?.slots ?? Math.max(...dividers.map((size) => size.slots)))
  unserve(context.placement, best ? 'MAX_REACHED' : 'EXCEEDS_MAX', batch, { slots, instances: vms, max })
}

// Auxiliary allocations need no slots; an agent takes a limited number. VMs bought for slots take them as well.

function placeAux(context: PlacementContext, group: WorkGroup): void {
  const { slots, waited } = group
  const work = waited
    ? withoutUnplaceable(
        context,
        group,
        context.idle.first(context.placement.kinds, (kind) => (kind.aux > 0 ? 1 : undefined)),
      )
    : group.work
  const batch: Batch = { slots, work, left: work.length }
  batch.left -= putAux(context, batch.left, waited ? freshRoom : () => true)
  if (batch.left > 0) buyForAux(context, batch)
}

/** Fills the room for auxiliary allocations tier by tier; returns how many were placed. */
function putAux({ placement }: PlacementContext, count: number, allowed: (kind: Kind) => boolean): number {
  let left = count
  for (const kind of placement.kinds.sort((a, b) => tiers[a.tier] - tiers[b.tier])) {
    if (!allowed(kind) || kind.aux === 0 || left === 0) continue
    const placed = Math.min(left, kind.aux)
    const perMember = kind.aux / kind.count
    kind.aux -= placed
    kind.filledAux += placed
    kind.used = Math.max(kind.used, Math.ceil(placed / perMember))
    left -= placed
  }
  return count - left
}

function buyForAux(context: PlacementContext, batch: Batch): void {
  const { policy, placement, catalog } = context
  const size = preferred(catalog)
  const vms = Math.ceil(batch.left / policy.maxAuxPerAgent)
  const bought = size ? want(context, size, vms, 'forJobs') : 0
  batch.left -= putAux(context, batch.left, (kind) => kind.tier === 'bought')
  const { code, numbers } = size
    ? { code: 'MAX_REACHED' as const, numbers: { instances: vms - bought, max: policy.maxInstances } }
    : refusal(catalog)
  unserve(placement, code, batch, numbers)
}

// VMs below min_instances.

function fillMin(context: PlacementContext, present: number): void {
  const { placement, policy, catalog } = context
  const bought = placement.wanted.reduce((sum, wanted) => sum + wanted.forJobs, 0)
  const short = policy.minInstances - present - bought
  if (short <= 0) return
  // VMs for min_instances are of the size that waiting allocations have no room for; otherwise they would take that room again.
  const size = placement.overflow.find((entry) => entry.size.free.length > 0)?.size ?? preferred(catalog)
  if (size) want(context, size, short, 'forMin')
  else {
    const { code, numbers } = refusal(catalog)
    placement.unserved.push({
      code,
      work: [],
      numbers: { ...numbers, belowMin: short },
      batch: [],
      left: 0,
    })
  }
}

// Waiting allocations, sorted: those that count as demand now, in groups of one size, and the others with the reason.

export function sortWork(
  { pending, unplaced, agents, offerings }: Pick<Snapshot, 'pending' | 'unplaced' | 'agents' | 'offerings'>,
  { placementGrace, maxAuxPerAgent, maxInstances }: Policy,
  now: number,
): Work {
  const auxNotAllowed: PendingAllocation[] = []
  const unplaceable: PendingAllocation[] = []
  const mayFit = fittingIn(agents, offerings, maxInstances)
  const { allowed, atJobMax } = withinJobs(pending, mayFit)
  const groups = new Map<number, WorkGroup>()
  for (const work of allowed) {
    if (work.slots === 0 && maxAuxPerAgent === 0) {
      auxNotAllowed.push(work)
      continue
    }
    if (unplaced.size > 0 && isLeftAlone(unplaced.get(work.id), now)) {
      unplaceable.push(work)
      continue
    }
    const waited = now - work.since >= placementGrace
    const key = work.slots * 2 + (waited ? 0 : 1)
    const group = groups.get(key)
    if (group) group.work.push(work)
    else groups.set(key, { slots: work.slots, waited, work: [work] })
  }
  const sorted = [...groups.values()].sort((a, b) => b.slots - a.slots || Number(b.waited) - Number(a.waited))
  return {
    groups: sorted.filter((group) => group.slots > 0),
    aux: sorted.filter((group) => group.slots === 0),
    auxNotAllowed,
    atJobMax,
    unplaceable,
  }
}

function isLeftAlone(entry: Unplaced | undefined, now: number): boolean {
  return entry !== undefined && entry.until > now && entry.trial === undefined
}

/** Whether an allocation of this size can ever run: on an agent there is, on one instance, or on several. */
function fittingIn(
  agents: readonly KnownAgent[],
  offerings: readonly KnownOffering[],
  maxInstances: number,
): (slots: number) => boolean {
  const known = new Map<number, boolean>()
  const most = maxInstances + agents.length
  const fits = (slots: number) =>
    agents.some((agent) => agent.slots >= slots) ||
    offerings.some(({ slots: size }) => size >= slots || (slots % size === 0 && slots / size <= most))
  return (slots) => {
    const may = known.get(slots) ?? fits(slots)
    known.set(slots, may)
    return may
  }
}

/**
 * Leaves out what the scheduler may not start because of its job's `maxSlots`; a job's small allocations go first. One that
 * can never run takes nothing from its job.
 */
function withinJobs(
  pending: readonly PendingAllocation[],
  mayFit: (slots: number) => boolean,
): {
  allowed: readonly PendingAllocation[]
  atJobMax: PendingAllocation[]
} {
  if (!pending.some((work) => work.maxSlots !== undefined)) return { allowed: pending, atJobMax: [] }
  const left = new Map<string, number>()
  const atJobMax: PendingAllocation[] = []
  const inOrder = [...pending].sort((a, b) => a.slots - b.slots || (a.id < b.id ? -1 : 1))
  const allowed = inOrder.filter((work) => {
    if (work.maxSlots === undefined || !mayFit(work.slots)) return true
    const job = work.job ?? work.id
    const rest = left.get(job) ?? work.maxSlots - (work.jobRunningSlots ?? 0)
    left.set(job, rest)
    if (work.slots > rest) {
      atJobMax.push(work)
      return false
    }
    left.set(job, rest - work.slots)
    return true
  })
  return { allowed, atJobMax }
}
