// The origin's demand formula (origin: agentrm/scaling.go).
import type { PendingAllocation } from '../planner/demand.ts'

/** VMs wanted for the pending work, with so many slots and at most so much auxiliary work on each. */
export function originDesired(
  pending: readonly PendingAllocation[],
  slotsPerInstance: number,
  maxAuxPerAgent: number,
): number {
  let aux = 0
  const jobs = new Map<string, { slots: number; maxSlots: number }>()
  for (const { id, slots, job, maxSlots } of pending) {
    if (slots === 0) {
      aux++
      continue
    }
    if (slotsPerInstance === 0) continue
    if (slots > slotsPerInstance && slots % slotsPerInstance !== 0) continue
    const key = job === undefined ? `allocation ${id}` : `job ${job}`
    const sum = jobs.get(key) ?? { slots: 0, maxSlots: maxSlots ?? Number.POSITIVE_INFINITY }
    sum.slots += slots
    jobs.set(key, sum)
  }
  const slots = [...jobs.values()].reduce((total, job) => total + Math.min(job.slots, job.maxSlots), 0)
  const forAux = aux > 0 && maxAuxPerAgent > 0 ? Math.ceil(aux / maxAuxPerAgent) : 0
  const forSlots = slotsPerInstance > 0 ? Math.ceil(slots / slotsPerInstance) : 0
  return Math.max(forAux, forSlots)
}
