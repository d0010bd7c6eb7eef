// Instances with their agents: the rows of the live table and the API.

import type { PoolStatus } from '../fleet/index.ts'
import type { FleetRow } from '../http/index.ts'
import type { TrustPlan } from '../pki/index.ts'
import type { Instance } from '../planner/index.ts'
import type { ReadyPlan } from './prepare.ts'

/** An agent that has joined at least once. */
export interface JoinedAgent {
  id: string
  state: 'joined' | 'lost'
  slots: number
  /** Containers that keep it busy and whose jobs the master does not know. */
  unknownContainers?: number
  /** Of its connection, if the master reports it. `name` is the requested server name; undefined when it dialled by address. */
  tls?: { version: string; name?: string }
}

/** As far as demand reports them. */
export function joinedAgents({ snapshot }: PoolStatus): JoinedAgent[] {
  return (snapshot?.agents ?? []).map(({ id, connected, slots }) => ({
    id,
    state: connected ? 'joined' : 'lost',
    slots,
  }))
}

/** Rows of one pool, oldest VM first. */
export function fleetRows(
  { instances }: PoolStatus,
  agents: JoinedAgent[],
  { onThisMachine: local, setup }: Pick<ReadyPlan, 'onThisMachine' | 'setup'>,
): FleetRow[] {
  const byId = new Map(agents.map((agent) => [agent.id, agent]))
  return instances
    .toSorted((a, b) => a.launchedAt - b.launchedAt || a.id.localeCompare(b.id))
    .map((instance) => ({ ...rowOf(instance, byId.get(instance.id), setup.trust), local }))
}

function rowOf(
  { id, pool, state, launchedAt }: Instance,
  agent: JoinedAgent | undefined,
  trust: TrustPlan,
): Omit<FleetRow, 'local'> {
  const row = { pool, instance: id, state, launchedAt }
  if (!agent) return { ...row, agent: 'waiting' }
  return {
    ...row,
    agent: agent.state,
    slots: agent.slots,
    unknownContainers: agent.unknownContainers,
    tlsVersion: agent.tls?.version,
    // The name it requested, rather than the one in its user data: the two may differ after a renewal.
    certificateName: agent.tls && (agent.tls.name ?? trust.certificateName),
  }
}
