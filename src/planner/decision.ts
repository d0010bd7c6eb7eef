// What plan() answers. Ids are sorted; the order of decisions is the order to act in.

import type { FleetCode } from '../problems/index.ts'
import type { FailureClass, Offering, PendingAllocation } from './snapshot.ts'

export type Decision = LaunchDecision | AgentDecision | MarkDecision | HoldDecision | BlockDecision

/** All offerings have the same slots; they are in order of preference. */
export interface LaunchDecision {
  kind: 'launch'
  count: number
  offerings: Offering[]
  /** The manual launch that is granted by it. */
  request?: string
  reason: Reason
}

export interface AgentDecision {
  kind: 'terminate' | 'drain' | 'undrain'
  ids: string[]
  reason: Reason
}

/** These free agents were not given this work: to be remembered. */
export interface MarkDecision {
  kind: 'mark'
  work: string[]
  agents: string[]
  /** One of the agents remembered before, which is replaced now: the work gets another chance. */
  trial?: string
  reason: Reason
}

/** Something that would be done, or ought to be known, and why it is not done. */
export interface HoldDecision {
  kind: 'hold'
  reason: Reason
}

/** A manual launch that is not granted. The reason is for whoever asked: nothing waits for it to go away. */
export interface BlockDecision {
  kind: 'block'
  request: string
  reason: Reason<FleetCode>
}

// Why something is decided. What stops us is in problems/fleet-codes.ts, with a remedy; the rest needs none and is here.

/** Reasons to act that are nobody's fault, and what each says to people. */
export const actReasons = {
  WORK_WAITS: 'work waits that nothing free or coming can take',
  BELOW_MIN: 'there are fewer VMs than min_instances',
  LAUNCH_IN_FLIGHT: 'a launch call is under way; what is still needed after it is launched then',
  STOPPED: 'the VM is stopped',
  LONG_DISCONNECTED: 'the agent lost its connection and did not come back',
  LONG_IDLE: 'the agent had no work for longer than max_idle_agent_period',
  ABOVE_MAX: 'there are more VMs than max_instances',
  ROOM_FOR_OTHER_WORK: 'the agent is idle, and waiting work needs a VM of another size in its place',
  SPOT_INTERRUPTED: 'the cloud takes the VM back',
  ORDERED: 'a person asked for it',
  NEEDED_AGAIN: 'the agent is wanted again',
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

/** What it means for waiting work that all offerings which could hold it were refused for this reason. */
export const refusalReasons = {
  capacity: 'OFFERINGS_OUT_OF_CAPACITY',
  quota: 'OFFERINGS_OVER_QUOTA',
  throttle: 'OFFERINGS_THROTTLED',
  config: 'OFFERINGS_MISCONFIGURED',
  auth: 'OFFERINGS_NOT_AUTHORIZED',
  transient: 'OFFERINGS_FAILING',
} as const satisfies Record<FailureClass, FleetCode>

const sampleSize = 10

/** Names of work for a reason, the first by id: enough to find it, not a page of them. */
export function sampleOf(work: readonly PendingAllocation[]): string[] {
  let sample: string[] = []
  for (const { id } of work) {
    if (sample.length === sampleSize && id > sample[sampleSize - 1]!) continue
    sample = [...sample, id].sort().slice(0, sampleSize)
  }
  return sample
}
