// Drains agents and gives them back as they were: one that somebody had disabled before stays disabled.
import type { DemandSource } from '../source.ts'
import type { Api } from './api.ts'
import type { Looker } from './looker.ts'

export function createDrains(api: Api, looker: Looker): Pick<DemandSource, 'drain' | 'undrain'> {
  /** What we drained, and whether it took work before. */
  const drained = new Map<string, { wasEnabled: boolean }>()

  return {
    async drain(agentId, signal) {
      signal?.throwIfAborted()
      const seen = looker.last()?.view.agents.find(({ id }) => id === agentId)
      const known = await api.drain(agentId, signal)
      if (!known) drained.delete(agentId)
      else if (seen?.enabled || !drained.has(agentId))
        drained.set(agentId, { wasEnabled: seen?.enabled ?? true })
      return known
    },
    async undrain(agentId, signal) {
      signal?.throwIfAborted()
      const before = drained.get(agentId)
      const known = before?.wasEnabled === false || (await api.enable(agentId, signal))
      drained.delete(agentId)
      return known
    },
  }
}
