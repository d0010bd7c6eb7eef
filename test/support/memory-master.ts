// A master that is only a list: the simplest source of demand, for tests that need one.
import type { DemandSource } from '../../src/demand/source.ts'
import type { AgentState, PendingAllocation } from '../../src/planner/snapshot.ts'
import { ProvisionError, problem } from '../../src/problems/index.ts'

interface Work extends PendingAllocation {
  pool: string
  agentId?: string
}

type Agent = Pick<AgentState, 'id' | 'slots' | 'connected' | 'draining'> & {
  pool: string
  idleSince: number
  /** An operator's order, not the provisioner's drain. */
  disabled?: 'at_once' | 'when_done'
}

export interface MemoryMaster {
  work: Map<string, Work>
  agents: Map<string, Agent>
  reachable: boolean
  now: number
  /** Reports a change of the pool. */
  changed(pool: string): void
  open(): DemandSource
}

export function memoryMaster(): MemoryMaster {
  const listeners = new Set<(pool: string) => void>()
  const master: MemoryMaster = {
    work: new Map(),
    agents: new Map(),
    reachable: true,
    now: 1_000,
    changed(pool) {
      master.now++
      for (const listener of listeners)
        try {
          listener(pool)
        } catch {
          // Listeners cannot affect the caller.
        }
    },
    open: () => source(master, listeners),
  }
  return master
}

function source(master: MemoryMaster, listeners: Set<(pool: string) => void>): DemandSource {
  const own = new Set<(pool: string) => void>()

  function setDraining(id: string, draining: boolean): boolean {
    const agent = master.agents.get(id)
    if (agent) agent.draining = draining
    if (agent) master.changed(agent.pool)
    return agent !== undefined
  }

  function stateOf(agent: Agent): AgentState {
    const held = [...master.work.values()].filter((work) => work.agentId === agent.id)
    const used = held.reduce((sum, work) => sum + work.slots, 0)
    const { pool: _, idleSince, disabled, ...state } = agent
    const busy = held.length > 0
    return {
      ...{ ...state, freeSlots: agent.slots - used, busy, enabled: disabled === undefined },
      draining: state.draining || disabled === 'when_done',
      ...(!busy && { idleSince }),
      ...(disabled && { disabledByPerson: true }),
    }
  }

  return {
    kind: 'built-in',
    async read(pool, signal) {
      signal?.throwIfAborted()
      if (!master.reachable) throw new ProvisionError(problem('INTERNAL', 'the master is out of reach'))
      const waiting = [...master.work.values()].filter((work) => work.pool === pool && !work.agentId)
      const agents = [...master.agents.values()].filter((agent) => agent.pool === pool)
      const pending = waiting.map(({ id, slots, since }) => ({ id, slots, since }))
      return { pool, at: master.now, pending, agents: agents.map(stateOf) }
    },
    onChange(listener) {
      listeners.add(listener)
      own.add(listener)
      return () => void listeners.delete(listener)
    },
    drain: async (id) => setDraining(id, true),
    undrain: async (id) => setDraining(id, false),
    async close() {
      for (const listener of own) listeners.delete(listener)
    },
  }
}
