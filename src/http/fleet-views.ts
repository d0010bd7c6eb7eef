// A pool for people and programs outside: in short for lists, and whole for whoever wants to know why.
import type { PoolStatus } from '../fleet/status.ts'
import type { FailedPool } from '../provisioner/pools.ts'
import { snapshotFileOf } from '../provisioner/snapshot-file.ts'
import { decisionViews, problemView, reasonView } from './reason-view.ts'

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
