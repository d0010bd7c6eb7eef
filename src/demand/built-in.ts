// Demand of the built-in master, which runs in this process: nothing is polled, and it is always reachable.
import type { Demand } from '../planner/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import type { DemandSource } from './source.ts'

/** What the source needs of the master. */
export interface BuiltInMaster {
  /** undefined when the pool does not exist. */
  demandOf(pool: string): Demand | undefined
  onDemand(listener: (pool: string) => void): () => void
  /** False when the agent is unknown. */
  drain(agentId: string): boolean
  undrain(agentId: string): boolean
}

export function builtInDemand(master: BuiltInMaster): DemandSource {
  const stops = new Set<() => void>()
  return {
    kind: 'built-in',
    async read(pool, signal) {
      signal?.throwIfAborted()
      const demand = master.demandOf(pool)
      if (demand) return demand
      throw new ProvisionError(problem('MASTER_POOL_UNKNOWN', `the master has no resource pool ${pool}`))
    },
    onChange(listener) {
      const stop = master.onDemand(listener)
      stops.add(stop)
      return () => {
        stops.delete(stop)
        stop()
      }
    },
    drain: async (agentId) => master.drain(agentId),
    undrain: async (agentId) => master.undrain(agentId),
    async close() {
      for (const stop of stops) stop()
      stops.clear()
    },
  }
}
