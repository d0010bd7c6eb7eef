// VMs and agents, one by one, for people and programs outside. Times are milliseconds since the epoch.
import type { Track } from '../fleet/memory.ts'
import type { PoolStatus } from '../fleet/status.ts'
import type { KnownAgent } from '../planner/snapshot.ts'
import type { FleetRow } from './fleet-row.ts'

export type Doing = 'ending' | 'draining' | 'ordered' | undefined

/** Oldest first, as `rows` has them. */
export function instanceViews(statuses: readonly PoolStatus[], rows: readonly FleetRow[]) {
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

function instanceView(row: FleetRow, track: Track, agent: KnownAgent | undefined) {
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
  }
}

function doingOf({ ending, drainedAt, ordered, busyWith }: Track): Doing {
  if (ending || busyWith === 'end') return 'ending'
  if (drainedAt !== undefined || busyWith === 'drain') return 'draining'
  return ordered ? 'ordered' : undefined
}

/** Agents the master shows, by pool and id; also those that do not run on a VM of ours. */
export function agentRows(statuses: readonly PoolStatus[], rows: readonly FleetRow[]) {
  const known = new Map(rows.map((row) => [`${row.pool} ${row.instance}`, row]))
  return statuses.flatMap(({ pool, snapshot }) =>
    (snapshot?.agents ?? [])
      .map((agent) => agentView(pool, agent, known.get(`${pool} ${agent.id}`)))
      .toSorted((a, b) => a.id.localeCompare(b.id)),
  )
}

function agentView(pool: string, agent: KnownAgent, row: FleetRow | undefined) {
  const { id, slots, freeSlots, freeAux, busy, idleSince, connected, enabled, draining } = agent
  return {
    id,
    pool,
    state: connected ? ('joined' as const) : ('lost' as const),
    slots,
    freeSlots,
    freeAux,
    busy,
    idleSince,
    enabled,
    draining,
    /** Runs on a VM that is ours to end. */
    ours: row !== undefined,
    tlsVersion: row?.tlsVersion,
    certificateName: row?.certificateName,
  }
}
