// Instances and agents side by side: what the live table shows.

import type { PoolStatus } from '../fleet/status.ts'
import type { TrustPlan } from '../pki/trust-plan.ts'
import type { Instance } from '../planner/instance.ts'
import type { PreparedPool } from '../provisioner/prepare-pool.ts'
import type { FleetRow } from './fleet-row.ts'

/** An agent that has joined at least once. */
export interface AgentView {
  id: string
  state: 'joined' | 'lost'
  slots: number
  /** Of its connection, where the master tells. `name` is what it asked for; undefined when it dialled by address. */
  tls?: { version: string; name?: string }
}

/** As far as demand tells of them. */
export function agentViews({ snapshot }: PoolStatus): AgentView[] {
  return (snapshot?.agents ?? []).map(({ id, connected, slots }) => ({
    id,
    state: connected ? 'joined' : 'lost',
    slots,
  }))
}

/** Rows of one pool, oldest VM first. */
export function fleetRows(
  { instances }: PoolStatus,
  agents: AgentView[],
  { pool, setup }: PreparedPool,
): FleetRow[] {
  const local = pool.provider.type === 'local'
  const byId = new Map(agents.map((agent) => [agent.id, agent]))
  return instances
    .toSorted((a, b) => a.launchedAt - b.launchedAt || a.id.localeCompare(b.id))
    .map((instance) => ({ ...rowOf(instance, byId.get(instance.id), setup.trust), local }))
}

function rowOf(
  { id, pool, state, launchedAt }: Instance,
  agent: AgentView | undefined,
  trust: TrustPlan,
): Omit<FleetRow, 'local'> {
  const row = { pool, instance: id, state, launchedAt }
  if (!agent) return { ...row, agent: 'waiting' }
  return {
    ...row,
    agent: agent.state,
    slots: agent.slots,
    tlsVersion: agent.tls?.version,
    // What it asked for, rather than what it was told: the two may differ after a renewal.
    certificateName: agent.tls && (agent.tls.name ?? trust.certificateName),
  }
}
