// What the steps of a placement share: the result so far, the room that is left, and the functions that add to it.

import { type Bins, buy, type Kind, type Tier } from './bins.ts'
import type { Size } from './catalog.ts'
import { type MarkDecision, type ReasonCode, refusalReasons, sampleOf } from './decision.ts'
import type { IdleAgents } from './idle.ts'
import type { KnownOffering, PendingAllocation, Policy, Snapshot } from './snapshot.ts'

/** Allocations of one size. `waited`: they have waited longer than the scheduler needs to place them where they fit. */
export interface WorkGroup {
  slots: number
  waited: boolean
  work: PendingAllocation[]
}

export interface Work {
  /** Largest first; within one size, those that have waited first. */
  groups: WorkGroup[]
  /** Groups of 0 slots; empty when agents take none. */
  aux: WorkGroup[]
  auxNotAllowed: PendingAllocation[]
  atJobMax: PendingAllocation[]
  unplaceable: PendingAllocation[]
}

/** VMs of one size that are wanted, and the purpose. */
export interface Wanted {
  size: Size
  forJobs: number
  forMin: number
  /** So that outdated instances can leave. */
  forRollout: number
  /** With `separateGangs`: how many instances of `forJobs` each gang gets that needs several of them. */
  gangs: number[]
}

/** Allocations that get nothing now, and why. */
export interface Unserved {
  code: ReasonCode
  work: string[]
  numbers: Record<string, number>
  /** Of these allocations, so many get nothing. */
  batch: readonly PendingAllocation[]
  left: number
}

/** Allocations of one size, and how many slots of each kind of room some of them were given; of 0 slots: how many of them. */
export interface Placed extends Pick<WorkGroup, 'slots' | 'work'> {
  filled: Record<Tier, number>
}

/** VMs that waiting allocations of so many slots need beyond max_instances. */
export interface Overflow {
  slots: number
  size: Size
  vms: number
}

export interface Placement {
  kinds: Kind[]
  wanted: Wanted[]
  unserved: Unserved[]
  placed: Placed[]
  overflow: Overflow[]
  marks: MarkDecision[]
  /** Agents that were the only ones not given an allocation that fits them: presumed broken. */
  suspects: Set<string>
}

/** Allocations of one size, and how many of them have no room yet. */
export interface Batch {
  slots: number
  work: readonly PendingAllocation[]
  left: number
}

/** What the steps of a placement share. */
export interface PlacementContext {
  placement: Placement
  bins: Bins
  catalog: Size[]
  /** VMs that may still be bought below max_instances. */
  room: number
  /** Agents of the pool on unmanaged machines, by their slots: how many. */
  foreignAgents: ReadonlyMap<number, number>
  idle: IdleAgents
  /** The agent that is replaced on trial, if one is. */
  trial: { agent: string | undefined }
  snapshot: Snapshot
  policy: Policy
}

/** Records that the rest of the batch gets nothing now. It is not known which of them the scheduler will choose. */
export function unserve(
  { unserved }: Placement,
  code: ReasonCode,
  { work, left }: Pick<Batch, 'work' | 'left'>,
  numbers: Record<string, number> = {},
): void {
  if (left > 0)
    unserved.push({
      code,
      work: sampleOf(work),
      numbers: { allocations: left, ...numbers },
      batch: work,
      left,
    })
}

/** Records wanted VMs, as far as there is room, and adds them to the bins; returns how many. */
export function want(
  context: PlacementContext,
  size: Size,
  vms: number,
  what: 'forJobs' | 'forMin' | 'forRollout',
): number {
  const count = Math.max(0, Math.min(vms, context.room))
  if (count === 0) return 0
  context.room -= count
  entryOf(context, size)[what] += count
  buy(context.bins, context.placement.kinds, size.slots, count, context.policy.maxAuxPerAgent)
  return count
}

/** Records which of the instances that were wanted last belong together. A single one has nothing to be near to. */
export function keepTogether(context: PlacementContext, size: Size, gangs: readonly number[]): void {
  if (context.policy.separateGangs) entryOf(context, size).gangs.push(...gangs.filter((vms) => vms > 1))
}

function entryOf({ placement: { wanted } }: PlacementContext, size: Size): Wanted {
  const known = wanted.find((entry) => entry.size === size)
  if (known) return known
  const entry: Wanted = { size, forJobs: 0, forMin: 0, forRollout: 0, gangs: [] }
  wanted.push(entry)
  return entry
}

/** Why none of these sizes can be bought now: the refusal that ends first, or that there is nothing to buy. */
export function refusal(sizes: readonly Size[]): { code: ReasonCode; numbers: Record<string, number> } {
  let offerings = 0
  let first: KnownOffering['refused']
  for (const { refused } of sizes) {
    offerings += refused.length
    const each = refused[0]?.refused
    if (each && (!first || each.until < first.until)) first = each
  }
  if (!first) return { code: 'NO_OFFERING', numbers: {} }
  const numbers = { offerings, failures: first.failures, retryAt: first.until }
  return { code: refusalReasons[first.class], numbers }
}

// Free agents were not given an allocation that fits them: is the agent at fault, or the allocation? If one agent was
// passed over, it is presumed broken and replaced. If several were, the allocation is presumed unplaceable and left alone
// for a while. After that one of the agents is replaced on trial, one in the whole pool at a time. (Determined's
// provisioner buys a VM at each arrival: scale_decider.go.)

/** Some of the agents, by id, that could have been given an allocation of this size long ago, alone or together. */
export function refusersOf({ placement, idle }: PlacementContext, slots: number): string[] {
  const alone = idle.first(placement.kinds, ({ free }) => (free >= slots ? 1 : undefined))
  if (alone.length > 0) return alone
  const together = ({ size, free }: Kind) =>
    size > 0 && free === size && slots % size === 0 ? slots / size : undefined
  return idle.first(placement.kinds, together)
}

/** Judges allocations that were not placed, records what is new, and returns those that still count as demand. */
export function withoutUnplaceable(
  context: PlacementContext,
  group: WorkGroup,
  refusers: string[],
): PendingAllocation[] {
  if (refusers.length === 0) return group.work
  const counted: PendingAllocation[] = []
  const unplaceable: PendingAllocation[] = []
  const marks = new Map<string, MarkDecision>()
  // Most allocations are refused for the first time, all by the same agents.
  const firstTwo = refusers.slice(0, 2)
  const firstKey = [...firstTwo, undefined].join()
  for (const work of group.work) {
    const verdict = verdictOn(context, work.id, refusers, firstTwo)
    if (verdict.counts) counted.push(work)
    else unplaceable.push(work)
    const { agents = [], trial } = verdict
    if (agents.length === 0 && trial === undefined) continue
    const key = agents === firstTwo ? firstKey : [...agents, trial].join()
    const mark: MarkDecision = marks.get(key) ?? {
      kind: 'mark',
      work: [],
      agents,
      ...(trial === undefined ? {} : { trial }),
      reason: { code: 'UNPLACED_ON_FREE_AGENT', numbers: { slots: group.slots, agents: agents.length } },
    }
    marks.set(key, mark)
    mark.work.push(work.id)
  }
  for (const mark of marks.values()) context.placement.marks.push({ ...mark, work: mark.work.sort() })
  unserve(context.placement, 'WORK_UNPLACEABLE', { work: unplaceable, left: unplaceable.length })
  return counted
}

interface Verdict {
  counts: boolean
  /** Agents that were not given the allocation for the first time. */
  agents?: string[]
  trial?: string
}

function verdictOn(
  { placement, snapshot, trial }: PlacementContext,
  id: string,
  refusers: string[],
  firstTwo: string[],
): Verdict {
  const known = snapshot.unplaced.get(id)
  const remembered = known?.agents ?? []
  // The pause is over, and these agents were at hand the last time too. With several VMs any of them may be at fault.
  const again = known?.trial === undefined ? refusers.find((agent) => remembered.includes(agent)) : undefined
  if (again === undefined) {
    const fresh = known ? refusers.filter((agent) => !remembered.includes(agent)).slice(0, 2) : firstTwo
    const counts = remembered.length + fresh.length === 1
    if (fresh.length > 0) {
      if (counts) placement.suspects.add(fresh[0]!)
      return { counts, agents: fresh }
    }
  }
  // Its trial is in progress, or another allocation's trial is and this one has to wait.
  if (trial.agent !== undefined) return { counts: known?.trial === trial.agent }
  trial.agent = again ?? refusers[0]!
  placement.suspects.add(trial.agent)
  return { counts: true, trial: trial.agent }
}
