// The safety rules, each written once: plan() applies them when it decides, the fleet applies them again right before
// it acts.
//
// Between the decision and the call the fleet reads the master again and applies the same rule to the newer view. Where
// the two sides differ, the parameters show it, and the callers explain why.

import type { FleetCode } from '../problems/index.ts'
import type { AgentState, InstanceState, KnownInstance, LaunchBudget, Policy, Snapshot } from './snapshot.ts'

// Terminating: "idle agents are drained, re-checked, then terminated" (planner rules); a busy one is never terminated.

/**
 * Whether the agent's state allows terminating the VM. It does if the agent is idle and shown as drained in a view of the
 * master that is younger than the master's answer to our drain, if the master knows of no connected agent, or if a person
 * forced it. A drain counts only if no request that undoes it is under way. `demandAt` is when the view that `agent` comes from was true.
 */
export function mayTerminate(
  instance: Pick<KnownInstance, 'ordered' | 'drainedAt' | 'undrainDoubt'>,
  agent: Pick<AgentState, 'busy' | 'connected' | 'draining'> | undefined,
  demandAt = 0,
): boolean {
  if (isForced(instance)) return true
  if (agent?.busy) return false
  if (!agent?.connected) return true
  if (instance.undrainDoubt) return false
  return instance.drainedAt !== undefined && agent.draining && demandAt > instance.drainedAt
}

/** Milliseconds that an agent stays in service after a drain was undone. */
const inService = 30_000

/** It was not undrained a moment ago: drain and undrain of one agent must not alternate with every new view. */
export function mayDrain(
  { undrainedAt }: Pick<KnownInstance, 'undrainedAt'>,
  demandAt: number,
  now: number,
): boolean {
  return undrainedAt === undefined || (demandAt > undrainedAt && now - undrainedAt >= inService)
}

/** A person forced its termination: no view of the master is needed, which may be gone for good. */
export function isForced({ ordered }: Pick<KnownInstance, 'ordered'>): boolean {
  return ordered === 'even_if_busy'
}

// A listing of ten thousand instances may take minutes, and so may an answer of the master. What is read may therefore be
// old when it arrives. Ages are judged beside the time that reading took: a slow cloud delays a step, and never stops it.

/** Milliseconds that a view may be old: the newest one until the next one is read, each of which takes `took`. */
function allowedAge(most: number, took = 0): number {
  return most + 2 * took
}

/**
 * Whether the newest listing of the cloud allows terminating the VM: it is complete, and began after the VM was drained.
 * Its age is no condition: right before a termination the provider looks the VM up by its id.
 */
export function isListingCertain(
  listing: Snapshot['listing'],
  instance: Pick<KnownInstance, 'drainedAt' | 'ordered'> = {},
): boolean {
  if (listing?.complete !== true) return false
  return isForced(instance) || instance.drainedAt === undefined || listing.completeAt > instance.drainedAt
}

/**
 * There is a complete listing recent enough to launch by, even if the newest one was partial. It may be older than one
 * to terminate by: launches are bounded by the ledger of intents as well.
 */
export function isListingUsable(
  listing: Snapshot['listing'],
  { maxListingAge }: Pick<Policy, 'maxListingAge'>,
  now: number,
): boolean {
  return listing !== undefined && now - listing.completeAt <= allowedAge(maxListingAge, listing.took)
}

/** The view of the master is fresh enough to act on. `took`: milliseconds that reading it took. */
export function isDemandFresh(
  demandAt: number | undefined,
  { maxSnapshotAge }: Pick<Policy, 'maxSnapshotAge'>,
  now: number,
  took?: number,
): boolean {
  return demandAt !== undefined && now - demandAt <= allowedAge(maxSnapshotAge, took)
}

// Failed VMs, which never became usable agents (planner rules: they are broken, not capacity; fleet rules: they open the
// breaker). `at` is when the newest view of the master was true: a VM is not judged by what the master has not reported
// since.

/** Its boot timeout is over and its agent has never connected. */
export function hasNeverJoined(
  { joinedAt, knownSince }: Pick<KnownInstance, 'joinedAt' | 'knownSince'>,
  { bootTimeout }: Pick<Policy, 'bootTimeout'>,
  at: number,
): boolean {
  return joinedAt === undefined && knownSince + bootTimeout <= at
}

/** Its agent has fewer slots than its offering promises, and has had enough time to report them. */
export function isShortOfSlots(
  { slots = 0, joinedAt }: Pick<KnownInstance, 'slots' | 'joinedAt'>,
  agent: Pick<AgentState, 'slots'> | undefined,
  { placementGrace }: Pick<Policy, 'placementGrace'>,
  at: number,
): boolean {
  // An agent that is connected without an observed join has joined just now.
  return agent !== undefined && agent.slots < slots && (joinedAt ?? at) + placementGrace <= at
}

// Instances whose time is limited.

/** Milliseconds before the cloud terminates an instance: its jobs may finish, and it gets no more. */
export const endNotice = 40 * 60_000

/** The cloud terminates it soon. */
export function endsSoon({ endsAt }: Pick<KnownInstance, 'endsAt'>, at: number): boolean {
  return endsAt !== undefined && endsAt - endNotice <= at
}

/** Its capacity is paid for until its end: removing it while it is idle would save nothing. */
export function isPrepaid(
  { capacityType, endsAt }: Pick<KnownInstance, 'capacityType' | 'endsAt'>,
  at: number,
): boolean {
  return capacityType === 'reserved' && endsAt !== undefined && endsAt > at
}

// Launching: live and in-flight VMs never exceed max_instances (invariant 1). launch_rate, the first probe and the
// breaker
// bound failed launches; instances that run a job are bounded by max_instances alone.

const hour = 3_600_000
/** An instance that stops by itself within this time after joining counts as a failed launch. Milliseconds. */
const lastsAtLeast = 120_000

/** Its agent joined, and the instance stopped by itself before it could be used. */
export function didNotLast({ joinedAt }: Pick<KnownInstance, 'joinedAt'>, endedAt: number): boolean {
  return joinedAt !== undefined && !hasLasted({ joinedAt }, endedAt)
}

/** It stayed for longer than one that does not last. */
export function hasLasted({ joinedAt }: Pick<KnownInstance, 'joinedAt'>, at: number): boolean {
  return joinedAt !== undefined && at - joinedAt >= lastsAtLeast
}

/** The most failed launches at once: a pool may always be filled once. */
export function launchBurst({ maxInstances }: Pick<Policy, 'maxInstances'>): number {
  return Math.max(10, maxInstances)
}

/** Tokens that are taken at `now`, after what `launchRate` an hour has refilled. */
export function spentAt(
  { spent, at }: LaunchBudget,
  { launchRate = 0 }: Pick<Policy, 'launchRate'>,
  now: number,
): number {
  return Math.max(0, spent - (Math.max(0, now - at) / hour) * launchRate)
}

/** Can run, and bill: what max_instances counts, with the launches in flight. */
export function isLive({ state }: { state: InstanceState }): boolean {
  return state === 'starting' || state === 'running' || state === 'unknown'
}

/** VMs that may still be launched below max_instances; negative while there are more. */
export function roomBelowMax(
  { live, inFlight }: { live: number; inFlight: number },
  { maxInstances }: Pick<Policy, 'maxInstances'>,
): number {
  return maxInstances - live - inFlight
}

/** How many VMs a time-dependent limit leaves. What it blocks may be launched later. */
export interface Allowance {
  vms: number
  code: FleetCode
  numbers: Record<string, number>
}

/** Each instance that has not joined yet may turn out to be a failed launch, and holds a token until then. */
function rateAllowance(
  unsettled: number,
  budget: LaunchBudget,
  policy: Pick<Policy, 'launchRate' | 'maxInstances'>,
  now: number,
): Allowance {
  const { launchRate: perHour = 0 } = policy
  const burst = launchBurst(policy)
  const spent = spentAt(budget, policy, now)
  const vms = Math.max(0, Math.floor(burst - spent) - unsettled)
  // When the next whole token is available, if no starting instance joins before.
  const wanting = Math.max(0, spent + unsettled + vms + 1 - burst)
  const retryAt = Math.ceil(now + (Math.min(wanting, spent) / perHour) * hour)
  const numbers = { failed: Math.ceil(spent), unsettled, burst, perHour, ...(spent > 0 ? { retryAt } : {}) }
  return { code: 'LAUNCH_RATE_SPENT', vms, numbers }
}

/**
 * How many launches the time-dependent limits leave. Launches for jobs share one probe. A person may launch another
 * probe, and earlier than the breaker would: the person may have repaired something that the provisioner cannot see.
 */
export function allowancesOf(
  asker: 'work' | 'person',
  { coming, inFlight }: { coming: number; inFlight: number },
  { breaker, probe, budget }: Pick<Snapshot, 'breaker' | 'probe' | 'budget'>,
  policy: Pick<Policy, 'launchRate' | 'maxInstances'>,
  now: number,
): Allowance[] {
  const probes = asker === 'person' ? 1 : Math.max(0, 1 - coming - inFlight)
  const allowances: Allowance[] = []
  if (policy.launchRate !== undefined) allowances.push(rateAllowance(coming + inFlight, budget, policy, now))
  if (probe) allowances.push({ code: 'PROBE_FIRST', vms: probes, numbers: {} })
  if (breaker.state === 'probing' || (breaker.state === 'open' && asker === 'person'))
    allowances.push({ code: 'BREAKER_PROBING', vms: probes, numbers: { failures: breaker.failures } })
  else if (breaker.state === 'open') {
    const numbers = { failures: breaker.failures, retryAt: breaker.until }
    allowances.push({ code: 'BREAKER_OPEN', vms: 0, numbers })
  }
  return allowances
}
