// What the steps of a placement share: the result so far, the room that is left, and the ways to add to it.

import { buy, type Kind, type Shelf } from './bins.ts'
import type { MarkDecision } from './decision.ts'
import type { PendingAllocation } from './demand.ts'
import type { Size } from './market.ts'
import type { Policy } from './policy.ts'
import { type ReasonCode, refusalReasons, sampleOf } from './reasons.ts'
import type { KnownAgent, Snapshot } from './snapshot.ts'

/** VMs of one size that are wanted, and for what. */
export interface Wanted {
  size: Size
  forWork: number
  forMin: number
}

/** Work that gets nothing now, and why. */
export interface Unserved {
  code: ReasonCode
  work: string[]
  numbers: Record<string, number>
}

/** VMs that waiting work of so many slots needs beyond max_instances. */
export interface Overflow {
  slots: number
  size: Size
  vms: number
}

export interface Placement {
  kinds: Kind[]
  wanted: Wanted[]
  unserved: Unserved[]
  overflow: Overflow[]
  marks: MarkDecision[]
  /** Agents that alone were not given work that fits them: taken to be broken. */
  suspects: Set<string>
}

/** Pieces of work of one size, and how many of them have no place yet. */
export interface Batch {
  slots: number
  work: readonly PendingAllocation[]
  left: number
}

/** What the steps of a placement share. */
export interface Placing {
  placement: Placement
  shelf: Shelf
  market: Size[]
  /** VMs that may still be bought below max_instances. */
  room: number
  guests: KnownAgent[]
  /** The agent that is replaced on trial, if one is. */
  trial: { agent: string | undefined }
  snapshot: Snapshot
  policy: Policy
}

/** Notes that what is left of the batch gets nothing now. Which of it the scheduler will choose is not known. */
export function unserve(
  { unserved }: Placement,
  code: ReasonCode,
  { work, left }: Pick<Batch, 'work' | 'left'>,
  numbers: Record<string, number> = {},
): void {
  if (left > 0) unserved.push({ code, work: sampleOf(work), numbers: { work: left, ...numbers } })
}

/** Writes down that VMs are wanted, as far as there is room, and puts them on the shelf; tells how many. */
export function want(placing: Placing, size: Size, vms: number, what: 'forWork' | 'forMin'): number {
  const count = Math.max(0, Math.min(vms, placing.room))
  if (count === 0) return 0
  placing.room -= count
  let entry = placing.placement.wanted.find((wanted) => wanted.size === size)
  if (!entry) {
    entry = { size, forWork: 0, forMin: 0 }
    placing.placement.wanted.push(entry)
  }
  entry[what] += count
  placing.placement.kinds.push(buy(placing.shelf, size.slots, count, placing.policy.maxAuxPerAgent))
  return count
}

/** Why none of these sizes can be bought now: the refusal that ends first, or that there is nothing to buy. */
export function refusal(sizes: readonly Size[]): { code: ReasonCode; numbers: Record<string, number> } {
  const refused = sizes.flatMap((size) => size.refused)
  const first = refused.sort((a, b) => a.refused!.until - b.refused!.until)[0]?.refused
  if (!first) return { code: 'NO_OFFERING', numbers: {} }
  const numbers = { offerings: refused.length, failures: first.failures, retryAt: first.until }
  return { code: refusalReasons[first.class], numbers }
}
