// Instances as the API shows them: `GET /v1/instances`. Times are milliseconds since the epoch.

import * as z from 'zod/mini'
import type { ManagedInstance, PoolStatus } from '../fleet/index.ts'
import type { KnownAgent } from '../planner/index.ts'
import type { FleetRow } from './fleet-control.ts'
import { listNotes } from './reason-view.ts'
import type { Written } from './view.ts'

const instanceSchema = z.object({
  id: z.string(),
  pool: z.string(),
  /** A process on the provisioner's machine. */
  local: z.optional(z.boolean()),
  state: z.string(),
  stateReason: z.optional(z.string()),
  instanceType: z.string(),
  zone: z.string(),
  capacityType: z.string(),
  launchedAt: z.number(),
  joinedAt: z.optional(z.number()),
  interruptedAt: z.optional(z.number()),
  agent: z.enum(['waiting', 'joined', 'lost']),
  slots: z.optional(z.number()),
  busy: z.boolean(),
  doing: z.optional(z.enum(['ending', 'draining', 'ordered'])),
  /** Keys of the configuration by which it differs from what is launched now; missing where it does not, or that is not known. */
  drifted: z.optional(z.array(z.string())),
})

export const instancesSchema = z.object({ instances: z.array(instanceSchema), ...listNotes })

export type InstanceList = z.output<typeof instancesSchema>
export type InstanceView = z.output<typeof instanceSchema>

/** Oldest first, as `rows` has them. */
export function instanceViews(
  statuses: readonly PoolStatus[],
  rows: readonly FleetRow[],
): Written<InstanceView>[] {
  const tracks = new Map(
    statuses.flatMap(({ pool, instances }) => instances.map((track) => [`${pool} ${track.id}`, track])),
  )
  const agents = new Map(
    statuses.flatMap(({ pool, snapshot }) =>
      (snapshot?.agents ?? []).map((agent) => [`${pool} ${agent.id}`, agent]),
    ),
  )
  return rows.flatMap((row) => {
    const key = `${row.pool} ${row.instance}`
    const track = tracks.get(key)
    return track ? [instanceView(row, track, agents.get(key))] : []
  })
}

function instanceView(
  row: FleetRow,
  track: ManagedInstance,
  agent: KnownAgent | undefined,
): Written<InstanceView> {
  const { instanceType, zone, capacityType, launchedAt, joinedAt, stateReason, interruptedAt } = track
  return {
    id: row.instance,
    pool: row.pool,
    local: row.local,
    state: row.state,
    stateReason,
    instanceType,
    zone,
    capacityType,
    launchedAt,
    joinedAt,
    interruptedAt,
    agent: row.agent,
    slots: row.slots,
    busy: agent?.busy ?? false,
    doing: doingOf(track),
    drifted: track.drifted && [...track.drifted],
  }
}

function doingOf({ ending, drainedAt, ordered, busyWith }: ManagedInstance): InstanceView['doing'] {
  if (ending || busyWith === 'end') return 'ending'
  if (drainedAt !== undefined || busyWith === 'drain') return 'draining'
  return ordered ? 'ordered' : undefined
}
