// The memory of failures: refused offerings, VMs that never joined, consecutive failed launches and those of an hour.
import {
  type Breaker,
  type FailureClass,
  type Instance,
  type LaunchBudget,
  type Offering,
  offeringKey,
  type Policy,
  spentAt,
} from '../planner/index.ts'
import { delayAfter, type Growth } from '../platform/index.ts'
import type { Problem } from '../problems/index.ts'
import type { LaunchFailure } from '../providers/index.ts'

// Offerings the cloud refused, and for how long each is not tried.

export interface Refusal {
  class: FailureClass
  /** Refusals in a row. */
  failures: number
  /** Not tried again before. */
  until: number
}

/** By `offeringKey`. */
export type OfferingMemory = Map<string, Refusal>

/**
 * Learns from one launch call: a refused offering is remembered longer each time, one that gave a VM is forgotten.
 * A failure without an offering concerns the whole call.
 */
export function learn(
  memory: OfferingMemory,
  asked: readonly Offering[],
  instances: readonly Instance[],
  failures: readonly LaunchFailure[],
  now: number,
  random: () => number,
): void {
  const refused = new Map<string, FailureClass>()
  for (const failure of failures)
    for (const offering of failure.offering ? [failure.offering] : asked)
      refused.set(offeringKey(offering), failure.class)
  for (const offering of asked) {
    const key = offeringKey(offering)
    const gave = instances.some((instance) => isFrom(instance, offering))
    if (gave && !refused.has(key)) memory.delete(key)
  }
  for (const [key, failureClass] of refused) {
    const count = (memory.get(key)?.failures ?? 0) + 1
    const until = now + delayAfter(count, refusalGrowth[failureClass], random)
    memory.set(key, { class: failureClass, failures: count, until })
  }
}

/** The zone is the cloud's name and may differ from the offering's (a subnet on EC2). */
function isFrom({ instanceType, capacityType }: Instance, offering: Offering): boolean {
  return instanceType === offering.instanceType && capacityType === offering.capacityType
}

// The breaker. It stops launches when VMs in a row never become usable agents, then tries one at a time with growing
// pauses.

export interface BreakerMemory {
  /** VMs in a row that never became usable. */
  failures: number
  /** How often it opened since a VM was last usable; 0: closed. */
  openings: number
  openedAt: number
  until: number
}

const failuresToOpen = 3
export const breakerPause = { first: 60_000, most: 1_800_000 }

export function closedBreaker(): BreakerMemory {
  return { failures: 0, openings: 0, openedAt: 0, until: 0 }
}

/** A VM became a usable agent. */
export function recordUsable(memory: BreakerMemory): void {
  Object.assign(memory, closedBreaker())
}

/** A VM known since `knownSince` never became usable. Returns whether the breaker opened because of it. */
export function recordFailedInstances(
  memory: BreakerMemory,
  knownSince: number,
  now: number,
  random: () => number,
): boolean {
  memory.failures++
  // VMs launched before it opened fail one after the other; they are no new information.
  const opens = memory.openings === 0 ? memory.failures >= failuresToOpen : knownSince >= memory.openedAt
  if (!opens) return false
  memory.openings++
  memory.openedAt = now
  memory.until = now + delayAfter(memory.openings, breakerPause, random)
  return true
}

export function breakerView({ failures, openings, until }: BreakerMemory, now: number): Breaker {
  if (openings === 0) return { state: 'closed' }
  return now < until ? { state: 'open', until, failures } : { state: 'probing', failures }
}

// How long a refusal is remembered: longer with each one in a row, with jitter so that pools do not retry together.

/** How long an allocation that several agents were not given is ignored. */
export const unplaceableGrowth = { first: 600_000, most: 1_800_000 }

/** For an instance that is protected from termination: only a person can change that. */
export const keptGrowth = { first: 60_000, most: 3_600_000 }

/** The longest time until launches are tried again: that of a refused offering. */
export const launchErrorPause = 1_800_000 * 1.25

/**
 * Failures that pass by themselves are retried soon, those that need a person or capacity later. With these numbers an
 * offering is tried at most ten times in the first hour, whatever the refusal.
 */
export const refusalGrowth: Record<FailureClass, Growth> = {
  transient: { first: 5_000, most: 1_800_000 },
  throttle: { first: 5_000, most: 1_800_000 },
  capacity: { first: 30_000, most: 1_800_000 },
  quota: { first: 30_000, most: 1_800_000 },
  config: { first: 30_000, most: 1_800_000 },
  auth: { first: 30_000, most: 1_800_000 },
}

// `launch_error_timeout` and `launch_error_retries`: when failed launches become an error others may act on.

export interface LaunchErrorRules {
  /** Milliseconds; 0: never. */
  timeout: number
  retries: number
}

export interface LaunchErrorMemory {
  failures: number
  lastAt: number
  /** When the provisioner was ready to try again; its own pause does not count as time without a failure. */
  readyAt: number
  problem?: Problem
}

export function noLaunchError(): LaunchErrorMemory {
  return { failures: 0, lastAt: 0, readyAt: 0 }
}

/** Launches failed in a row, each within `timeout` of the last, as in Determined's pkg/errors/errors.go. */
export function recordLaunchFailure(
  memory: LaunchErrorMemory,
  { timeout }: LaunchErrorRules,
  problem: Problem,
  now: number,
  readyAt: number,
): void {
  const inRow = memory.failures > 0 && now - Math.max(memory.lastAt, Math.min(memory.readyAt, now)) <= timeout
  memory.failures = inRow ? memory.failures + 1 : 1
  memory.lastAt = now
  memory.readyAt = readyAt
  memory.problem = problem
}

export function forgetLaunchFailures(memory: LaunchErrorMemory): void {
  Object.assign(memory, noLaunchError(), { problem: undefined })
}

/** The error while it sticks: after more failures than `retries`, until `timeout` after the last. */
export function launchErrorOf(
  { failures, lastAt, problem }: LaunchErrorMemory,
  { timeout, retries }: LaunchErrorRules,
  now: number,
): Problem | undefined {
  return timeout > 0 && failures > retries && now < lastAt + timeout ? problem : undefined
}

// `launch_rate`: failed launches take tokens, which refill with time.

export function fullBudget(): LaunchBudget {
  return { spent: 0, at: 0 }
}

/** Records a failed launch of one instance. */
export function spend(budget: LaunchBudget, policy: Pick<Policy, 'launchRate'>, now: number): void {
  Object.assign(budget, { spent: spentAt(budget, policy, now) + 1, at: now })
}
