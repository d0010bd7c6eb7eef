// Demand of the built-in master, which this process runs and serves.
import { builtInDemand } from '../demand/built-in.ts'
import type { AgentView } from '../http/fleet-rows.ts'
import type { Agent } from '../standalone/master/agent.ts'
import { openBuiltInMaster } from './built-in-master.ts'
import type { DemandContext, OpenedDemand } from './demand.ts'

/** Throws a ProvisionError when the master cannot listen or remember. */
export async function openBuiltInDemand(context: DemandContext): Promise<OpenedDemand> {
  const { master, address, port, renew, close } = await openBuiltInMaster(context)
  const source = builtInDemand(master)
  return {
    source,
    agents: () => master.agents().flatMap(viewOf),
    onAgent: master.onAgent,
    forget(ids, reason) {
      for (const id of ids) master.forget(id, reason)
    },
    renew,
    listener: { address, port },
    async close() {
      await source.close()
      await close()
    },
  }
}

function viewOf({ id, phase, devices, link: { tls } }: Agent): AgentView[] {
  if (phase === 'connecting') return []
  const state = phase === 'away' ? 'lost' : 'joined'
  return [{ id, state, slots: devices.length, tls: tls && { version: tls.version, name: tls.serverName } }]
}
