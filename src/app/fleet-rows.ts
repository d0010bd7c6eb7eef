// Instances and agents side by side: what the live table shows.
import type { Agent } from '../master/agents/agent.ts'
import type { FleetRow } from '../model/fleet-row.ts'
import type { Instance } from '../model/instance.ts'
import type { TrustPlan } from '../model/trust-plan.ts'
import type { PreparedPool } from './prepare-pool.ts'

/** Rows of one pool, oldest VM first. */
export function fleetRows(instances: Instance[], agents: Agent[], { pool, setup }: PreparedPool): FleetRow[] {
  const local = pool.provider.type === 'local'
  const byId = new Map(agents.map((agent) => [agent.id, agent]))
  return instances
    .toSorted((a, b) => a.launchedAt - b.launchedAt || a.id.localeCompare(b.id))
    .map((instance) => ({ ...rowOf(instance, byId.get(instance.id), setup.trust), local }))
}

function rowOf(instance: Instance, agent: Agent | undefined, trust: TrustPlan): Omit<FleetRow, 'local'> {
  const { id, pool, state, launchedAt } = instance
  const row: Omit<FleetRow, 'local'> = { pool, instance: id, state, agent: 'waiting', launchedAt }
  if (!agent || agent.phase === 'connecting') return row
  return {
    ...row,
    agent: agent.phase === 'away' ? 'lost' : 'joined',
    slots: agent.devices.length,
    tlsVersion: agent.link.tls?.version,
    // What it asked for, rather than what it was told: the two may differ after a renewal.
    certificateName: agent.link.tls && (agent.link.tls.serverName ?? trust.certificateName),
  }
}
