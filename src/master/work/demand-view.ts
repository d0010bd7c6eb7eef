// What a pool's demand is, and since when each of its agents has had nothing to do.
import type { AgentState, Demand } from '../../model/demand.ts'
import type { Clock } from '../../model/ports.ts'
import { type Agent, hasJoined, shownDraining, shownEnabled } from '../agents/agent.ts'
import { hostOf } from './hosts.ts'
import type { WorkStore } from './store.ts'

export interface DemandView {
  demandOf(pool: string): Demand
  /** To be called whenever work or agents of the pool have changed: idle times count from then. */
  observe(pool: string): void
}

export interface DemandViewOptions {
  clock: Clock
  store: WorkStore
  agents: () => Agent[]
  auxLimit: (pool: string) => number
}

export function createDemandView({ clock, store, agents, auxLimit }: DemandViewOptions): DemandView {
  const idle = new Map<string, number>()

  function demandOf(pool: string): Demand {
    const now = clock.now()
    const held = store.held()
    const members = agents().filter((agent) => agent.pool === pool && hasJoined(agent))
    const pending = store
      .active()
      .filter((allocation) => allocation.pool === pool && allocation.state === 'pending')
      .map(({ id, slots, submittedAt: since }) => ({ id, slots, since }))
    const states = members.map((agent): AgentState => {
      const { slots, free, freeAux, busy } = hostOf(agent, held.get(agent.id) ?? [], auxLimit(pool))
      const idleSince = idleSinceOf(agent.id, busy, now)
      return {
        ...{ id: agent.id, slots, freeSlots: free.length, freeAux, busy },
        ...(idleSince !== undefined && { idleSince }),
        connected: agent.phase !== 'away',
        enabled: shownEnabled(agent),
        draining: shownDraining(agent),
      }
    })
    forgetStrangers()
    return { pool, at: now, pending, agents: states }
  }

  function idleSinceOf(id: string, busy: boolean, now: number): number | undefined {
    if (busy) idle.delete(id)
    else if (!idle.has(id)) idle.set(id, now)
    return idle.get(id)
  }

  function forgetStrangers(): void {
    const known = agents()
    if (idle.size <= known.length) return
    const ids = new Set(known.map((agent) => agent.id))
    for (const id of idle.keys()) if (!ids.has(id)) idle.delete(id)
  }

  return { demandOf, observe: (pool) => void demandOf(pool) }
}
