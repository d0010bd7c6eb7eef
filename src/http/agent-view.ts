// Agents known to the master, including those that do not run on a VM of this provisioner: `GET /v1/agents`.

import * as z from 'zod/mini'
import type { AgentState } from '../planner/index.ts'
import type { FleetRow, PoolAgents } from './fleet-control.ts'
import { listNotes } from './reason-view.ts'
import type { Written } from './view.ts'

const agentSchema = z.object({
  id: z.string(),
  pool: z.string(),
  state: z.enum(['joined', 'lost']),
  slots: z.number(),
  freeSlots: z.number(),
  freeAux: z.optional(z.number()),
  busy: z.boolean(),
  /**
   * Containers that keep it busy and whose jobs the master does not know, because its state was lost. Omitted: none.
   */
  unknownContainers: z.optional(z.number()),
  /** Milliseconds since the epoch. */
  idleSince: z.optional(z.number()),
  enabled: z.boolean(),
  draining: z.boolean(),
  /** Runs on a VM that this provisioner manages and may terminate. */
  managed: z.boolean(),
  tlsVersion: z.optional(z.string()),
  certificateName: z.optional(z.string()),
})

export const agentsSchema = z.object({ agents: z.array(agentSchema), ...listNotes })

export type AgentList = z.output<typeof agentsSchema>
export type AgentView = z.output<typeof agentSchema>

/** By pool, and by id within a pool. */
export function agentViews(pools: readonly PoolAgents[], rows: readonly FleetRow[]): Written<AgentView>[] {
  const known = new Map(rows.map((row) => [`${row.pool} ${row.instance}`, row]))
  return pools.flatMap(({ pool, agents }) =>
    agents
      .map((agent) => agentView(pool, agent, known.get(`${pool} ${agent.id}`)))
      .toSorted((a, b) => a.id.localeCompare(b.id)),
  )
}

function agentView(pool: string, agent: AgentState, row: FleetRow | undefined): Written<AgentView> {
  const { id, slots, freeSlots, freeAux, busy, idleSince, connected, enabled, draining } = agent
  return {
    id,
    pool,
    state: connected ? 'joined' : 'lost',
    slots,
    freeSlots,
    freeAux,
    busy,
    unknownContainers: row?.unknownContainers,
    idleSince,
    enabled,
    draining,
    managed: row !== undefined,
    tlsVersion: row?.tlsVersion,
    certificateName: row?.certificateName,
  }
}
