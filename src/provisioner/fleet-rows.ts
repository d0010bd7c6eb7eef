// Instances with their agents: the rows of the live table and the API.

import type { MasterConfig } from '../config/index.ts'
import type { DemandSource } from '../demand/index.ts'
import type { PoolStatus } from '../fleet/index.ts'
import type { FleetRow, PoolAgents } from '../http/index.ts'
import type { TrustPlan } from '../pki/index.ts'
import type { Instance } from '../planner/index.ts'
import { isProvided, type ReadyPlan } from './prepare.ts'

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

/** Milliseconds: a person waits for the answer. */
const othersTimeout = 5_000

/**
 * Agents of the pools without a provider, of one or all. A pool that cannot be read is omitted, and why is in the status of the pools
 * that run.
 */
export async function otherAgents(
  { resource_pools }: Pick<MasterConfig, 'resource_pools'>,
  demand: Pick<DemandSource, 'read'>,
  wanted: string | undefined,
): Promise<PoolAgents[]> {
  const names = resource_pools
    .filter((pool) => !isProvided(pool) && (wanted === undefined || pool.pool_name === wanted))
    .map(({ pool_name }) => pool_name)
  const signal = AbortSignal.timeout(othersTimeout)
  const read = await Promise.allSettled(names.map((pool) => demand.read(pool, signal)))
  return read.flatMap((result) =>
    result.status === 'fulfilled' ? [{ pool: result.value.pool, agents: result.value.agents }] : [],
  )
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
