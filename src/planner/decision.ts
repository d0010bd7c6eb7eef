// What plan() answers. Ids are sorted; the order of decisions is the order to act in.
import type { Offering } from './instance.ts'
import type { Reason } from './reasons.ts'

export type Decision = LaunchDecision | AgentDecision | MarkDecision | HoldDecision

/** All offerings have the same slots; they are in order of preference. */
export interface LaunchDecision {
  kind: 'launch'
  count: number
  offerings: Offering[]
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
