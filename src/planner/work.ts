// Waiting work, sorted: what counts as demand now, in groups of one size, and what does not, with the reason.
import type { PendingAllocation } from './demand.ts'
import type { Policy, Snapshot, Unplaced } from './snapshot.ts'

/** Work of one size. `waited`: longer than the scheduler needs to place it where it fits. */
export interface WorkGroup {
  slots: number
  waited: boolean
  work: PendingAllocation[]
}

export interface Work {
  /** Largest first; of one size, what has waited first. */
  groups: WorkGroup[]
  /** Groups of 0 slots; empty when agents take none. */
  aux: WorkGroup[]
  auxNotAllowed: PendingAllocation[]
  atJobMax: PendingAllocation[]
  unplaceable: PendingAllocation[]
}

export function sortWork(
  { pending, unplaced }: Pick<Snapshot, 'pending' | 'unplaced'>,
  { placementGrace, maxAuxPerAgent }: Pick<Policy, 'placementGrace' | 'maxAuxPerAgent'>,
  now: number,
): Work {
  const auxNotAllowed: PendingAllocation[] = []
  const unplaceable: PendingAllocation[] = []
  const { allowed, atJobMax } = withinJobs(pending)
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

/** Leaves out what the scheduler may not start because of its job's `maxSlots`; small work of a job goes first. */
function withinJobs(pending: readonly PendingAllocation[]): {
  allowed: readonly PendingAllocation[]
  atJobMax: PendingAllocation[]
} {
  if (!pending.some((work) => work.maxSlots !== undefined)) return { allowed: pending, atJobMax: [] }
  const left = new Map<string, number>()
  const atJobMax: PendingAllocation[] = []
  const inOrder = [...pending].sort((a, b) => a.slots - b.slots || (a.id < b.id ? -1 : 1))
  const allowed = inOrder.filter((work) => {
    if (work.maxSlots === undefined) return true
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
