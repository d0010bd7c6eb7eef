// What is asked of a provider, and what comes back. Partial success is a result, not an exception.

import type { UserData } from '../agent-setup/user-data.ts'
import type { FailureClass, Instance, Offering } from '../planner/instance.ts'
import type { Problem } from '../problems/problem.ts'
import type { Ownership } from './ownership.ts'

/** A launch that was written down before it is asked for. */
export interface Intent {
  /** UUID. Names and tokens are derived from it; a new attempt gets a new one. */
  id: string
  count: number
  /** In order of preference. A single call may offer several. */
  offerings: Offering[]
}

export interface LaunchOrder {
  intent: Intent
  owner: Ownership
  userData: UserData
}

export interface LaunchFailure {
  class: FailureClass
  /** Which offering refused; undefined when the whole call did. */
  offering?: Offering
  /** VMs asked for and not given; 0 when the cloud refused an offering but another filled in. */
  missing: number
  problem: Problem
}

export interface LaunchResult {
  instances: Instance[]
  failures: LaunchFailure[]
}

/** Failures are about offerings, not VMs: what is missing in the end is the last one's, once. */
export function withMissing(failures: LaunchFailure[], missing: number): LaunchFailure[] {
  return failures.map((failure, index) => ({
    ...failure,
    missing: index === failures.length - 1 ? Math.max(0, missing) : 0,
  }))
}

export interface Listing {
  instances: Instance[]
  /** False when a page, zone or request failed: such a listing allows no terminations. */
  complete: boolean
  problems: Problem[]
}

export interface TerminateResult {
  /** Accepted by the cloud, or already gone. */
  terminated: string[]
  failures: { id: string; class: FailureClass; problem: Problem }[]
}

/** One API call as data for people. User data, and what only the cloud knows, are placeholders in `<>`. */
export interface CloudCall {
  /** The API call, such as `RunInstances`. */
  call: string
  body: Record<string, unknown>
}

/** The request that would be sent: what `--dry-run` shows. */
export interface LaunchRequest extends CloudCall {
  /** Where it is sent when the body does not say: the AWS region. */
  region?: string
  /** Made first when what they make does not exist yet (a launch template). */
  before?: CloudCall[]
  /** Sent in this order for the VMs that the cloud had no capacity for. */
  fallbacks?: CloudCall[]
  problems: Problem[]
}
