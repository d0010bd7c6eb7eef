// The agents of a pool as the queue sees them.
import { runsCommands } from '../protocol/own-agent.ts'
import { type Agent, takesWork } from './agent.ts'
import type { Placed } from './allocation.ts'
import type { PoolHost } from './queue.ts'

/** Those that take work. `heldOn` gives an agent's containers that have not ended; `auxLimit` is the pool's, per agent. */
export function hostsOf(
  agents: Agent[],
  heldOn: (agentId: string) => Placed[],
  auxLimit: number,
): PoolHost[] {
  return agents.filter(takesWork).map((agent) => hostOf(agent, heldOn(agent.id), auxLimit))
}

export function hostOf(agent: Agent, containers: Placed[], auxLimit: number): PoolHost {
  const all = agent.devices.filter((device) => device.type !== '')
  const taken = new Set(containers.flatMap((container) => container.devices.map((device) => device.id)))
  const aux = containers.filter((container) => container.devices.length === 0).length
  return {
    id: agent.id,
    all,
    free: all.filter((device) => !taken.has(device.id)),
    slots: all.length,
    allAux: auxLimit,
    freeAux: Math.max(0, auxLimit - aux),
    busy: containers.length > 0,
    runsCommands: runsCommands(agent.version),
  }
}
