// A pool as the API shows it: a summary for lists, and a detailed view.
// Times are milliseconds since the epoch, periods milliseconds.

import * as z from 'zod/mini'
import type { PoolStatus } from '../fleet/index.ts'
import type { Decision } from '../planner/index.ts'
import { type Problem, problem } from '../problems/index.ts'
import {
  type LeaderView,
  leaderSchema,
  problemSchema,
  problemView,
  reasonSchema,
  reasonView,
  standbySchema,
} from './reason-view.ts'
import { rolloutSchema, rolloutView } from './rollout-view.ts'
import type { Written } from './view.ts'

const time = z.number()
const count = z.number()

/**
 * Of a pool that another provisioner leads: milliseconds since that one has written what is shown here. Of an unavailable one
 * that was led here: since the last decision.
 */
const age = z.optional(z.number())

const runningPoolSchema = z.object({
  pool: z.string(),
  provider: z.string(),
  leader: z.optional(leaderSchema),
  age,
  /** `unavailable`: the state cannot be used, so nobody is known to lead the pool; what is shown is what was known last. */
  state: z.enum(['ok', 'blocked', 'paused', 'unavailable']),
  at: z.optional(time),
  paused: z.optional(z.boolean()),
  minInstances: count,
  maxInstances: count,
  /** Instances that can run, and those of them whose agents have joined. */
  live: count,
  joined: count,
  inFlight: count,
  pending: count,
  slots: count,
  freeSlots: count,
  breaker: z.optional(z.object({ state: z.string(), until: z.optional(time), failures: z.optional(count) })),
  foreignWriters: z.array(z.string()),
  /** Missing from versions without rollouts. */
  rollout: z.optional(rolloutSchema),
  /** Why wanted changes are not made now. */
  blocked: z.array(reasonSchema),
  problems: z.array(problemSchema),
  demandAt: z.optional(time),
  listing: z.optional(z.object({ completeAt: time, complete: z.boolean() })),
})

/** A pool that could not be started has no loop, and only problems to show. */
const failedPoolSchema = z.object({
  pool: z.string(),
  provider: z.string(),
  leader: z.optional(leaderSchema),
  age,
  state: z.literal('failed'),
  problems: z.array(problemSchema),
})

/** A pool that no provisioner leads, or another one of which nothing can be read yet; with the problem, if there is one. */
const standbyPoolSchema = z.object({
  pool: z.string(),
  provider: z.string(),
  leader: z.optional(leaderSchema),
  state: z.literal('standby'),
  problems: z.array(problemSchema),
})

/** What the leader of a pool publishes for lists. */
export const sharedSummarySchema = z.discriminatedUnion('state', [runningPoolSchema, failedPoolSchema])

/** `GET /v1/status` */
export const statusSchema = z.object({
  version: z.string(),
  clusterId: z.string(),
  writerId: z.optional(z.string()),
  /** Kind of the demand source. */
  demand: z.string(),
  startedAt: time,
  now: time,
  /** Missing where the one that answers leads, or several lead beside each other. */
  standby: z.optional(standbySchema),
  pools: z.array(z.discriminatedUnion('state', [runningPoolSchema, failedPoolSchema, standbyPoolSchema])),
  /** Instances of the cluster that belong to no configured pool: `GET /v1/orphans`. */
  orphans: z.optional(count),
  /** Of the whole provisioner, such as a location that cannot be listed. */
  problems: z.optional(z.array(problemSchema)),
})

/** `GET /v1/pools/{pool}` */
export const poolStatusSchema = z.object({
  pool: z.extend(runningPoolSchema, {
    /** Limits and periods in force, by name. */
    policy: z.optional(z.record(z.string(), z.number())),
    decisions: z.optional(z.array(z.looseObject({ kind: z.string(), reason: reasonSchema }))),
    /** The snapshot of the last turn, as `provision explain --snapshot` reads it; none before the first turn. */
    snapshot: z.optional(z.custom<object>((value) => typeof value === 'object' && value !== null)),
  }),
})

export type FleetStatus = z.output<typeof statusSchema>
export type PoolOverview = FleetStatus['pools'][number]
export type PoolStatusView = z.output<typeof poolStatusSchema>['pool']
export type SharedSummary = z.output<typeof sharedSummarySchema>
type RunningPool = z.output<typeof runningPoolSchema>
type FailedPool = z.output<typeof failedPoolSchema>
type StandbyPool = z.output<typeof standbyPoolSchema>

/** About this process: the first fields of `GET /v1/status`. */
export type ProcessView = Written<Omit<FleetStatus, 'pools' | 'orphans' | 'problems'>>

/** What the configuration and the leases say about a pool. */
export interface PoolPlace {
  provider: string
  leader: LeaderView | undefined
}

export function poolSummary(status: PoolStatus, { provider, leader }: PoolPlace): Written<RunningPool> {
  const { pool, at, paused, policy, live, joined, inFlight, pending, breaker, foreignWriters } = status
  const { snapshot, blocked, problems } = status
  const agents = snapshot?.agents ?? []
  return {
    pool,
    provider,
    leader,
    age: undefined,
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
    rollout: rolloutView(status),
    blocked: blocked.map(reasonView),
    problems: problems.map(problemView),
    demandAt: snapshot?.demandAt,
    listing: snapshot?.listing,
  }
}

function stateOf({ paused, blocked, problems }: PoolStatus): RunningPool['state'] {
  if (paused) return 'paused'
  return blocked.length > 0 || problems.length > 0 ? 'blocked' : 'ok'
}

export function failedSummary(
  { pool, problems }: { pool: string; problems: Problem[] },
  place: PoolPlace,
): Written<FailedPool> {
  return { pool, ...place, age: undefined, state: 'failed', problems: problems.map(problemView) }
}

export function standbySummary(
  pool: string,
  place: PoolPlace,
  problems: readonly Problem[] = [],
): Written<StandbyPool> {
  return { pool, ...place, state: 'standby', problems: problems.map(problemView) }
}

/** What was known of a pool while `fault` keeps everybody from leading it, or this process from knowing who does. */
export function unavailable<Known extends RunningPool | FailedPool>(known: Known, fault: Problem): Known {
  const problems = [problemView(fault), ...known.problems]
  return known.state === 'failed'
    ? { ...known, problems }
    : { ...known, state: 'unavailable', blocked: [], problems }
}

/** Of a pool that runs in this process. `fault`: why the state cannot be used, if it cannot. */
export function ownSummary(
  status: PoolStatus,
  place: PoolPlace,
  fault: Problem | undefined,
): Written<RunningPool> {
  const summary = poolSummary(status, place)
  if (place.leader?.self) return summary
  const { at, decidedAt = at } = status
  return unavailable({ ...summary, age: at - decidedAt }, fault ?? notLed(status.pool))
}

function notLed(pool: string): Problem {
  return problem('STATE_RIGHT_LOST', `this process does not lead pool ${pool} at this moment`)
}

/** `snapshot` is that of the last turn, in the form of snapshot files. */
export function poolDetails(
  status: PoolStatus,
  place: PoolPlace,
  snapshot: object | undefined,
  fault?: Problem,
): Written<PoolStatusView> {
  const { separateGangs: _, rollout: __, ...policy } = status.policy
  return {
    ...ownSummary(status, place, fault),
    policy,
    decisions: decisionViews(status),
    snapshot,
  }
}

/** What the last turn did, and what was blocked, each with its reason. */
function decisionViews({ decisions, blocked }: PoolStatus) {
  const made = decisions.filter(
    (decision): decision is Exclude<Decision, { kind: 'hold' | 'block' }> =>
      decision.kind !== 'hold' && decision.kind !== 'block',
  )
  return [
    ...made.map((decision) => {
      // The client that asked for a manual launch already has its id.
      const { request: _, reason, ...rest } = { request: undefined, ...decision }
      return { ...rest, reason: reasonView(reason) }
    }),
    ...blocked.map((hold) => ({ kind: 'blocked' as const, reason: reasonView(hold) })),
  ]
}
