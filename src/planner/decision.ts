// The output of plan(). Ids are sorted; the order of decisions is the order in which to act.

import type { FleetCode } from '../problems/index.ts'
import type { FailureClass, Offering, PendingAllocation } from './snapshot.ts'

export type Decision = LaunchDecision | AgentDecision | MarkDecision | HoldDecision | BlockDecision

/** All offerings have the same slots; they are in order of preference. */
export interface LaunchDecision {
  kind: 'launch'
  count: number
  offerings: Offering[]
  /** The instances are for one gang: an allocation that takes all of them, several, completely. Only with `separateGangs`. */
  gang?: true
  /** The manual launch that is granted by it. */
  request?: string
  reason: Reason
}

export interface AgentDecision {
  kind: 'terminate' | 'drain' | 'undrain'
  ids: string[]
  reason: Reason
}

/** These free agents were not given this allocation: to be remembered. */
export interface MarkDecision {
  kind: 'mark'
  work: string[]
  agents: string[]
  /** One of the agents remembered before, which is replaced now: the allocation gets another chance. */
  trial?: string
  reason: Reason
}

/** A step that is wanted and blocked, with the reason. */
export interface HoldDecision {
  kind: 'hold'
  reason: Reason
}

/** A manual launch that is refused. The reason goes to the person who requested it; the request is not kept. */
export interface BlockDecision {
  kind: 'block'
  request: string
  reason: Reason<FleetCode>
}

// Why something is decided. Reasons that block a step are in problems/fleet-codes.ts, with a remedy. The others are
// here.

/** Reasons to act that are not faults, with their descriptions. */
export const actReasons = {
  WORK_WAITS: 'waiting jobs do not fit on free or starting instances',
  BELOW_MIN: 'there are fewer instances than min_instances',
  LAUNCH_IN_FLIGHT: 'a launch call is in progress; what is still needed is launched after it',
  STOPPED: 'the instance is stopped',
  LONG_DISCONNECTED: 'the agent lost its connection and did not reconnect in time',
  LONG_IDLE: 'the agent was idle for longer than max_idle_agent_period',
  ABOVE_MAX: 'there are more instances than max_instances',
  ROOM_FOR_OTHER_WORK: 'the agent is idle, and a waiting job needs an instance of a different size instead',
  SPOT_INTERRUPTED: 'the cloud is about to interrupt the instance',
  TIME_LIMIT: 'the cloud terminates the instance soon, because its time is limited',
  ORDERED: 'it was requested manually',
  CONDEMNED: 'its termination was begun, and a request may still reach the cloud',
  DRIFTED: 'the instance was made from another configuration than new ones are',
  MAX_LIFETIME: 'the instance is older than max_lifetime allows',
  DRAIN_TIMEOUT: 'the instance is outdated, and its jobs did not end within drain_timeout',
  ROLLOUT_SURGE: 'an instance must join before an outdated one can leave',
  NEEDED_AGAIN: 'the agent is needed again',
} as const

export type ActReason = keyof typeof actReasons
export type ReasonCode = ActReason | FleetCode

export interface Reason<Code extends ReasonCode = ReasonCode> {
  code: Code
  /** The numbers that led to it, by name. */
  numbers: Record<string, number>
  /** Allocations concerned, the first ten. */
  work?: string[]
}

/** The reason for waiting jobs when every offering that fits them was refused with this class. */
export const refusalReasons = {
  capacity: 'OFFERINGS_OUT_OF_CAPACITY',
  quota: 'OFFERINGS_OVER_QUOTA',
  throttle: 'OFFERINGS_THROTTLED',
  config: 'OFFERINGS_MISCONFIGURED',
  auth: 'OFFERINGS_NOT_AUTHORIZED',
  transient: 'OFFERINGS_FAILING',
} as const satisfies Record<FailureClass, FleetCode>

const sampleSize = 10

/** Allocation ids for a reason: the first ones by id, enough to find them. */
export function sampleOf(work: readonly PendingAllocation[]): string[] {
  return firstIds(work, sampleSize)
}

/** The first ids in their order: at most `most` of them. */
export function firstIds(things: Iterable<{ id: string }>, most: number): string[] {
  const first: string[] = []
  for (const { id } of things) {
    if (first.length === most && id >= first[most - 1]!) continue
    let at = first.length
    while (at > 0 && first[at - 1]! > id) at--
    first.splice(at, 0, id)
    if (first.length > most) first.pop()
  }
  return first
}
