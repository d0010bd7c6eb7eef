// A pool for people and programs outside: in short for lists, and whole for whoever wants to know why.

import type { Track } from '../fleet/memory.ts'
import type { PoolStatus } from '../fleet/status.ts'
import type { TrustPlan } from '../pki/trust-plan.ts'
import { actReasons, type Decision, type Reason } from '../planner/decision.ts'
import type { Instance, InstanceState } from '../planner/instance.ts'
import type { KnownAgent } from '../planner/snapshot.ts'
import { problemCodes } from '../problems/codes.ts'
import type { Problem } from '../problems/problem.ts'
import type { FailedPool } from '../provisioner/pools.ts'
import type { PreparedPool } from '../provisioner/prepare.ts'
import { snapshotFileOf } from '../provisioner/snapshot-file.ts'

export type PoolState = 'ok' | 'held' | 'paused' | 'failed'

/** Times are milliseconds since the epoch, periods milliseconds. */
export function poolSummary(status: PoolStatus, provider: string) {
  const { pool, at, paused, policy, live, joined, inFlight, pending, breaker, foreignWriters } = status
  const { snapshot, holds, problems } = status
  const agents = snapshot?.agents ?? []
  return {
    pool,
    provider,
    state: stateOf(status),
    at,
    paused,
    minInstances: policy.minInstances,
    maxInstances: policy.maxInstances,
    live,
    joined,
    inFlight,
    pending,
    slots: agents.reduce((sum, agent) => sum + agent.slots, 0),
    freeSlots: agents.reduce((sum, agent) => sum + agent.freeSlots, 0),
    breaker,
    foreignWriters,
    holds: holds.map(reasonView),
    problems: problems.map(problemView),
    demandAt: snapshot?.demandAt,
    listing: snapshot?.listing,
  }
}

/** A pool that could not be started has no loop, and only its problems to show. */
export function failedSummary({ pool, problems }: FailedPool, provider: string) {
  return { pool, provider, state: 'failed' as const, problems: problems.map(problemView) }
}

/** With what the last turn saw, in the form that is kept in files: `provision explain` reads both. */
export function poolDetails(status: PoolStatus, provider: string) {
  return {
    ...poolSummary(status, provider),
    policy: status.policy,
    decisions: decisionViews(status),
    snapshot: snapshotFileOf(status),
  }
}

function stateOf({ paused, holds, problems }: PoolStatus): PoolState {
  if (paused) return 'paused'
  return holds.length > 0 || problems.length > 0 ? 'held' : 'ok'
}

// Problems and reasons as they leave the process: with a sentence for people, without what only this process can read.

export function problemView({ code, severity, message, remedy, details }: Problem) {
  return { code, severity, message, remedy, details }
}

/** `meaning` is what the code always means; `problem` says more in this case, where there is more to say. */
export function reasonView({ code, numbers, work, problem }: Reason & { problem?: Problem }) {
  const told = code in problemCodes ? problemCodes[code as keyof typeof problemCodes] : undefined
  return {
    code,
    meaning: told?.meaning ?? `${actReasons[code as keyof typeof actReasons]}.`,
    remedy: told?.remedy,
    numbers,
    work,
    problem: problem && problemView(problem),
  }
}

/** What the last turn did, and what it held back, each with its reason. */
export function decisionViews({ decisions, holds }: PoolStatus) {
  const made = decisions.filter(
    (decision): decision is Exclude<Decision, { kind: 'hold' | 'block' }> =>
      decision.kind !== 'hold' && decision.kind !== 'block',
  )
  return [
    ...made.map((decision) => {
      // Whoever asked for a manual launch has its id already.
      const { request: _, reason, ...rest } = { request: undefined, ...decision }
      return { ...rest, reason: reasonView(reason) }
    }),
    ...holds.map((hold) => ({ kind: 'hold' as const, reason: reasonView(hold) })),
  ]
}

// VMs and agents, one by one, for people and programs outside. Times are milliseconds since the epoch.

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

// Instances and agents side by side: what the live table shows.

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

// One VM of the fleet as `provision` and `provision status` show it.

export interface FleetRow {
  pool: string
  instance: string
  /** A process of this machine, which ends with the provisioner. */
  local: boolean
  state: InstanceState
  agent: 'waiting' | 'joined' | 'lost'
  /** Slots the agent has shown; undefined before it joined. */
  slots?: number
  /** As `TLSv1.3`; undefined before it joined, and for a master without TLS. */
  tlsVersion?: string
  /** What the agent verifies the master's certificate against. */
  certificateName?: string
  /** Milliseconds since the epoch. */
  launchedAt: number
}
