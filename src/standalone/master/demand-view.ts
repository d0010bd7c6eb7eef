// What a pool's demand is, and since when each of its agents has had nothing to do.
import type { AgentState, Demand } from '../../planner/demand.ts'
import type { Clock } from '../../platform/ports.ts'
import { type Agent, hasJoined, shownDraining, shownEnabled } from './agent.ts'
import type { AgentEvent } from './events.ts'
import { hostOf } from './hosts.ts'
import type { WorkStore } from './store.ts'

export interface DemandView {
  demandOf(pool: string): Demand
  /** An agent has nothing to do any more. */
  onFree(agentId: string): void
  onAgent(event: AgentEvent): void
}

export interface DemandViewOptions {
  clock: Clock
  store: () => WorkStore
  agents: () => Agent[]
  auxLimit: (pool: string) => number
}

export function createDemandView({ clock, store, agents, auxLimit }: DemandViewOptions): DemandView {
  /** Milliseconds since the epoch; what it says of an agent counts only while that is not busy. */
  const idleSince = new Map<string, number>()

  function stateOf(agent: Agent, now: number): AgentState {
    const { slots, free, freeAux, busy } = hostOf(agent, store().heldOn(agent.id), auxLimit(agent.pool))
    return {
      ...{ id: agent.id, slots, freeSlots: free.length, freeAux, busy },
      ...(!busy && { idleSince: idleSince.get(agent.id) ?? now }),
      connected: agent.phase !== 'away',
      enabled: shownEnabled(agent),
      draining: shownDraining(agent),
    }
  }

  return {
    demandOf(pool) {
      const now = clock.now()
      const members = agents().filter((agent) => agent.pool === pool && hasJoined(agent))
      const pending = store()
        .active()
        .filter((allocation) => allocation.pool === pool && allocation.state === 'pending')
        .map(({ id, slots, submittedAt: since }) => ({ id, slots, since }))
      return { pool, at: now, pending, agents: members.map((agent) => stateOf(agent, now)) }
    },
    onFree: (agentId) => void idleSince.set(agentId, clock.now()),
    onAgent({ kind, agent, at }) {
      if (kind === 'removed') idleSince.delete(agent.id)
      // Also for one from before a restart, whose idle time nobody has written down.
      else if (!idleSince.has(agent.id)) idleSince.set(agent.id, at)
    },
  }
}
