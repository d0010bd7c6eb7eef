// Work that free agents were not given: is the agent at fault, or the work? One refusal speaks against the agent,
// refusals by several agents against the work. (The origin buys a VM at each arrival: scale_decider.go.)
import type { PendingAllocation } from '../model/demand.ts'
import { idleLeft } from './capacity.ts'
import { type Placing, unserve } from './placing.ts'
import type { Kind } from './shelf.ts'
import type { WorkGroup } from './work.ts'

export interface Refusal {
  /** At most two agents, by id, that could have been given the work long ago. */
  agents: string[]
  /** They could have taken it only together. */
  together: boolean
}

export function refusalOf(kinds: readonly Kind[], slots: number): Refusal {
  const alone = idleLeft(kinds, (kind) => kind.free >= slots)
  if (alone.length > 0) return { agents: firstTwo(alone), together: false }
  const sizes = new Set(kinds.map((kind) => kind.size))
  for (const size of sizes) {
    if (size === 0 || slots % size !== 0) continue
    const whole = idleLeft(kinds, (kind) => kind.size === size && kind.free === size)
    if (whole.length >= slots / size) return { agents: firstTwo(whole), together: true }
  }
  return { agents: [], together: false }
}

export function firstTwo(ids: readonly string[]): string[] {
  let two: string[] = []
  for (const id of ids) if (two.length < 2 || id < two[1]!) two = [...two, id].sort().slice(0, 2)
  return two
}

/** Marks what the refusal says, and returns the work that still counts as demand. */
export function withoutUnplaceable(
  { placement, snapshot }: Placing,
  { slots, work }: WorkGroup,
  { agents, together }: Refusal,
): PendingAllocation[] {
  if (agents.length === 0) return work
  const counted: PendingAllocation[] = []
  const unplaceable: PendingAllocation[] = []
  const marks = new Map<string, { agents: string[]; work: string[] }>()
  for (const each of work) {
    const known = snapshot.unplaced.get(each.id)?.agents ?? []
    const fresh = agents.filter((agent) => !known.includes(agent))
    const refusals = known.length + fresh.length
    const atFault = refusals > 1 && (fresh.length > 0 || together)
    if (atFault) unplaceable.push(each)
    else counted.push(each)
    if (fresh.length === 0 && !atFault) continue
    if (refusals === 1) placement.suspects.add(agents[0]!)
    const told = fresh.length > 0 ? fresh : agents
    const mark = marks.get(told.join()) ?? { agents: told, work: [] }
    marks.set(told.join(), mark)
    mark.work.push(each.id)
  }
  for (const { agents, work } of marks.values()) {
    const reason = { code: 'UNPLACED_ON_FREE_AGENT', numbers: { work: work.length, slots } } as const
    placement.marks.push({ kind: 'mark', work: work.sort(), agents, reason })
  }
  unserve(placement, 'WORK_UNPLACEABLE', { work: unplaceable, left: unplaceable.length })
  return counted
}
