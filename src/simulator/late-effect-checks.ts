// Promise 3 at the moment at which a termination takes effect, which may be long after it was sent.
import type { Observations, ObservedWorld } from './observations.ts'
import { mayEndBusy } from './rollout-checks.ts'

/** Called for each VM of a call, before the call is sent. */
export function noteCondemned(world: ObservedWorld, seen: Observations, id: string): void {
  const { invariants } = world
  const knewAgent = seen.demand?.agents.some((agent) => agent.id === id && agent.connected) === true
  const isForced = invariants.orders.get(id) === 'even_if_busy' || mayEndBusy(world, seen, id)
  seen.condemned.set(id, { demandAt: seen.demand?.at ?? 0, knewAgent, isForced })
}

/**
 * The agent was idle and drained when the call was sent, and gets no job until it arrives. Only what nobody can prevent is
 * excused: an agent that joined, or that a person enabled, after the view of the master that the call is based on; and the
 * one gap that is left, an undrain that arrives after the drain that was sent later.
 */
export function checkTerminated(world: ObservedWorld, id: string): void {
  const { master, invariants } = world
  const agent = master.agents.get(id)
  if (!agent || agent.work.size === 0 || invariants.orders.get(id) === 'even_if_busy') return
  const callers = [...invariants.seen.values()].filter(({ condemned }) => condemned.has(id))
  // Another order may have come since.
  if (callers.length === 0 || callers.some((seen) => seen.condemned.get(id)!.isForced)) return
  const isExcused = callers.some((seen) => isUnpreventable(world, seen, id))
  if (!isExcused) invariants.violated(3, `${id} ends with ${[...agent.work.keys()]} on it`)
}

function isUnpreventable({ master }: ObservedWorld, seen: Observations, id: string): boolean {
  const { demandAt, knewAgent } = seen.condemned.get(id)!
  const agent = master.agents.get(id)!
  const isNew = !knewAgent || agent.joinedAt > demandAt
  const wasGivenBack = (master.enabledByPersonAt.get(id) ?? 0) >= demandAt
  return isNew || wasGivenBack || isLateUndrain({ master }, seen, id)
}

/** An undrain that was sent before the last drain was carried out after the last view of the master that counts. */
function isLateUndrain({ master }: Pick<ObservedWorld, 'master'>, seen: Observations, id: string): boolean {
  const late = master.lateUndrains.get(id)
  const drainedAt = seen.drains.get(id)?.at(-1)
  if (!late || drainedAt === undefined) return false
  return late.sentAt < drainedAt && late.at >= (seen.condemned.get(id)?.demandAt ?? 0)
}
