// Demand that a master brings by itself: the newest push of each pool, while it is fresh.
import type { Demand } from '../planner/demand.ts'
import type { Clock } from '../platform/ports.ts'
import { ProvisionError, problem } from '../problems/problem.ts'
import { demandOf, type PushedDemand, type ReadDemand, readPush } from './pushed-demand.ts'
import type { DemandSource } from './source.ts'

export interface PushDemandOptions {
  /**
   * Stops new work from going to the agent. Resolves when that is so: every push of a later moment shows the agent as
   * draining. False when there is no such agent. May be asked again.
   */
  drain(agentId: string): boolean | Promise<boolean>
  /** Undoes `drain`. */
  undrain(agentId: string): boolean | Promise<boolean>
  clock: Clock
}

export interface PushDemand extends DemandSource {
  readonly kind: 'push'
  /** Takes the place of all that was pushed for the pool before. Throws PUSH_REFUSED when it is not as it should be. */
  push(pool: string, demand: PushedDemand): void
}

/** Nothing is launched or ended on the word of an older push (planner: maxSnapshotAge). */
const staleAfter = 15_000

export function createPushDemand(options: PushDemandOptions): PushDemand {
  const { source, take } = createPushSource(options)
  return {
    ...source,
    kind: 'push',
    push(pool, demand) {
      const read = readPush(demand)
      if (!read.ok) throw new ProvisionError(problem('PUSH_REFUSED', read.message))
      take(pool, read.pushed)
    },
  }
}

export interface PushSource {
  source: DemandSource
  /** Takes over what has been read already. */
  take(pool: string, pushed: ReadDemand): void
}

export function createPushSource({ drain, undrain, clock }: PushDemandOptions): PushSource {
  const newest = new Map<string, Demand>()
  const listeners = new Set<(pool: string) => void>()

  function isKnown(agentId: string): boolean {
    return [...newest.values()].some(({ agents }) => agents.some(({ id }) => id === agentId))
  }

  function tell(pool: string): void {
    for (const listener of [...listeners])
      try {
        listener(pool)
      } catch {
        // Whoever listens has no say in what was pushed.
      }
  }

  const source: DemandSource = {
    kind: 'push',
    async read(pool, signal) {
      signal?.throwIfAborted()
      const demand = newest.get(pool)
      if (!demand)
        throw new ProvisionError(problem('PUSH_MISSING', `no demand has been pushed for pool ${pool} yet`))
      const age = clock.now() - demand.at
      if (age <= staleAfter) return demand
      // The same words as long as it lasts: a problem is told again when its words change.
      const message = `the newest demand of pool ${pool} is more than ${staleAfter / 1000} s old`
      throw new ProvisionError(problem('PUSH_STALE', message, { details: { age } }))
    },
    onChange(listener) {
      const own = (pool: string) => listener(pool)
      listeners.add(own)
      return () => void listeners.delete(own)
    },
    drain: async (agentId) => isKnown(agentId) && drain(agentId),
    undrain: async (agentId) => isKnown(agentId) && undrain(agentId),
    async close() {
      listeners.clear()
    },
  }
  return {
    source,
    take(pool, pushed) {
      const now = clock.now()
      const before = newest.get(pool)
      // Overtaken on the way; what seems to come from the future does not count, or a clock set back would deafen us.
      if (before && before.at <= now && now - pushed.ageMs < before.at) return
      newest.set(pool, demandOf(pool, pushed, before, now))
      tell(pool)
    },
  }
}
