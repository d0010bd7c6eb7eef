// Work that free agents were not given: is the agent at fault, or the work? One refusal speaks against the agent, which
// is replaced; refusals by several agents against the work, which is left alone for a while. After that one of the
// agents is replaced on trial, one in the whole pool at a time. (The origin buys a VM at each arrival: scale_decider.go.)

import type { Kind } from './bins.ts'
import { idleLeft } from './capacity.ts'
import type { MarkDecision } from './decision.ts'
import type { PendingAllocation } from './demand.ts'
import { type Placing, unserve } from './placing.ts'
import type { WorkGroup } from './work.ts'

/** Agents by id, not all of them, that could have been given work of this size long ago, alone or together. */
export function refusersOf(kinds: readonly Kind[], slots: number): string[] {
  const alone = idleLeft(kinds, (kind) => kind.free >= slots)
  if (alone.length > 0) return firstFew(alone)
  for (const size of new Set(kinds.map((kind) => kind.size))) {
    if (size === 0 || slots % size !== 0) continue
    const whole = idleLeft(kinds, (kind) => kind.size === size && kind.free === size)
    if (whole.length >= slots / size) return firstFew(whole)
  }
  return []
}

const few = 8

export function firstFew(ids: readonly string[]): string[] {
  let first: string[] = []
  for (const id of ids)
    if (first.length < few || id < first[few - 1]!) first = [...first, id].sort().slice(0, few)
  return first
}

/** Judges work that was refused, marks what is new about it, and returns the work that still counts as demand. */
export function withoutUnplaceable(
  placing: Placing,
  group: WorkGroup,
  refusers: string[],
): PendingAllocation[] {
  if (refusers.length === 0) return group.work
  const counted: PendingAllocation[] = []
  const unplaceable: PendingAllocation[] = []
  const marks = new Map<string, MarkDecision>()
  for (const work of group.work) {
    const verdict = verdictOn(placing, work.id, refusers)
    if (verdict.counts) counted.push(work)
    else unplaceable.push(work)
    const { agents = [], trial } = verdict
    if (agents.length === 0 && trial === undefined) continue
    const key = [...agents, trial].join()
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
  for (const mark of marks.values()) placing.placement.marks.push({ ...mark, work: mark.work.sort() })
  unserve(placing.placement, 'WORK_UNPLACEABLE', { work: unplaceable, left: unplaceable.length })
  return counted
}

interface Verdict {
  counts: boolean
  /** Agents that are new among those which were not given the work. */
  agents?: string[]
  trial?: string
}

function verdictOn({ placement, snapshot, trial }: Placing, id: string, refusers: string[]): Verdict {
  const known = snapshot.unplaced.get(id)
  const fresh = refusers.filter((agent) => !known?.agents.includes(agent)).slice(0, 2)
  // Its time has come, and these were at hand the last time too: of work on several VMs any of them may be at fault.
  const again = refusers.find((agent) => known?.trial === undefined && known?.agents.includes(agent))
  const refusals = (known?.agents.length ?? 0) + fresh.length
  if (fresh.length > 0 && again === undefined) {
    if (refusals === 1) placement.suspects.add(fresh[0]!)
    return { counts: refusals === 1, agents: fresh }
  }
  // Its trial is under way; or that of other work is, and it has to wait.
  if (trial.agent !== undefined) return { counts: known?.trial === trial.agent }
  trial.agent = again ?? refusers[0]!
  placement.suspects.add(trial.agent)
  return { counts: true, trial: trial.agent }
}
