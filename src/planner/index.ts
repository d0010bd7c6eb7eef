// The pure decision: takes what is known at one moment and returns what to do, each step with its reason.
// Imports problems only: no clock, no network, no environment.
// Start here: plan() decides, and explain.ts explains the decisions.

import type { FleetCode } from '../problems/index.ts'
import { inOrder } from './catalog.ts'
import type { BlockDecision, Decision, LaunchDecision, ReasonCode } from './decision.ts'
import { type Inventory, takeInventory } from './inventory.ts'
import { placeWork, sortWork } from './placement.ts'
import type { Placement, Wanted, Work } from './placement-context.ts'
import { chooseRemovals, forcedEnds, type Removals, stepsOf } from './removals.ts'
import { beginRollout, changesCapacity, planRollout, type Rollout } from './rollout.ts'
import { allowancesOf, isDemandFresh, isListingUsable, roomBelowMax } from './rules.ts'
import type { KnownOffering, ManualLaunch, Policy, Snapshot } from './snapshot.ts'
import { type WaitReason, waitReasonsOf } from './waiting.ts'

export {
  type ActReason,
  type AgentDecision,
  actReasons,
  type BlockDecision,
  type Decision,
  type LaunchDecision,
  type MarkDecision,
  type Reason,
  type ReasonCode,
} from './decision.ts'
export { type Explanation, explain } from './explain.ts'
export { type Orphan, type OrphanRules, type OrphanStep, type OrphanView, orphanStep } from './orphans.ts'
export { isDrainOver, outdatedBy } from './outdated.ts'
export { provesGeneration, type RolloutView, type RolloutWait, rolloutView, rolloutWaits } from './rollout.ts'
export {
  didNotLast,
  endNotice,
  endsSoon,
  hasNeverJoined,
  isDemandFresh,
  isForced,
  isListingCertain,
  isLive,
  isShortOfSlots,
  mayTerminate,
  roomBelowMax,
  spentAt,
} from './rules.ts'
export {
  type AgentState,
  type Breaker,
  type CapacityType,
  capacityTypes,
  type Demand,
  type FailureClass,
  failureClasses,
  fixedPeriods,
  type Hold,
  type Instance,
  type InstanceShare,
  type InstanceState,
  instanceStates,
  type KnownAgent,
  type KnownInstance,
  type KnownOffering,
  type LaunchBudget,
  type ManualLaunch,
  type NewestListing,
  type Offering,
  offeringKey,
  type PendingAllocation,
  type Policy,
  type RolloutRules,
  type RolloutState,
  rolloutModes,
  type Snapshot,
  type Unplaced,
} from './snapshot.ts'
export { neverRuns, type WaitReason, waitReasons } from './waiting.ts'

/**
 * Decides for one pool. The same input gives the same output; the order of instances, agents and allocations does not matter.
 * `now` is milliseconds since the epoch, by the clock of the snapshot.
 */
export function plan(snapshot: Snapshot, policy: Policy, now: number): Decision[] {
  return planWithTrace(snapshot, policy, now).decisions
}

/** The decisions with their trace. Nothing is decided without a fresh view of the master and of the cloud. */
export interface TracedPlan {
  decisions: Decision[]
  trace?: { inventory: Inventory; placement: Placement; rollout?: Rollout }
}

/** What plan() decides, and from what: the output of `provision explain`. */
export function planWithTrace(snapshot: Snapshot, policy: Policy, now: number): TracedPlan {
  const holds = snapshot.holds.map(({ code, numbers = {} }) => hold(code, numbers))
  const stopped = (move: 'launch' | 'remove') => snapshot.holds.some(({ stops }) => stops.includes(move))
  const blind = blindness(snapshot, policy, now)
  if (blind) {
    const ends = stopped('remove') ? [] : forcedEnds(snapshot)
    return { decisions: [...ends, ...requested([], snapshot, policy, now), ...holds, blind] }
  }

  const work = sortWork(snapshot, policy, now)
  const { inventory, placement, rollout } = placedWithRollout(work, snapshot, policy, now)
  const removals: Removals = stopped('remove') ? new Map() : chooseRemovals(inventory, placement, policy, now)
  const launched = stopped('launch') ? [] : launches(placement, inventory, snapshot, policy, now)
  const decisions = [
    ...stepsOf(inventory, removals, snapshot, policy, now),
    ...placement.marks,
    ...launched,
    ...requested(launched, snapshot, policy, now, inventory),
    ...holds,
    ...placement.unserved.map(({ code, work, numbers }) => hold(code, numbers, work)),
    ...rolloutHolds(rollout),
  ]
  return { decisions, trace: { inventory, placement, ...(rollout && { rollout }) } }
}

/** What jobs need shows which outdated instances can leave, and without those the jobs are placed again. */
function placedWithRollout(work: Work, snapshot: Snapshot, policy: Policy, now: number) {
  const inventory = takeInventory(snapshot, policy, now)
  const placement = placeWork(work, inventory, snapshot, policy, now)
  const rollout = planRollout(inventory, placement, snapshot, policy, now)
  if (!rollout || !changesCapacity(rollout)) return { inventory, placement, rollout }
  const rest = beginRollout(rollout, inventory, policy, now)
  return { inventory: rest, placement: placeWork(work, rest, snapshot, policy, now, rollout.surge), rollout }
}

/** Why each allocation of the snapshot waits, by its id. `now` is by the clock of the snapshot. */
export function whyAllWait(snapshot: Snapshot, policy: Policy, now: number): Map<string, WaitReason> {
  return waitReasonsOf(planWithTrace(snapshot, policy, now), snapshot, policy)
}

/** A rollout that waits for a person. */
function rolloutHolds({ waits: { FAILED = 0, PAUSED = 0 } }: Pick<Rollout, 'waits'> = { waits: {} }) {
  const holds: Decision[] = []
  if (FAILED > 0) holds.push(hold('ROLLOUT_STOPPED', { instances: FAILED }))
  if (PAUSED > 0) holds.push(hold('ROLLOUT_PAUSED', { instances: PAUSED }))
  return holds
}

/** Manual launches are rare, and may be granted without a view of the master. */
function requested(
  launched: Decision[],
  snapshot: Snapshot,
  policy: Policy,
  now: number,
  inventory?: Inventory,
): Decision[] {
  if (snapshot.requests.length === 0) return []
  return manualLaunches(launched, inventory ?? takeInventory(snapshot, policy, now), snapshot, policy, now)
}

/** Why nothing can be decided: the view of the master or of the cloud is missing or too old. */
function blindness(
  { demandAt, demandTook, listing }: Snapshot,
  policy: Policy,
  now: number,
): Decision | undefined {
  if (!isDemandFresh(demandAt, policy, now, demandTook))
    return hold('DEMAND_MISSING', demandAt === undefined ? {} : { age: now - demandAt })
  if (!isListingUsable(listing, policy, now))
    return hold('LISTING_MISSING', listing === undefined ? {} : { age: now - listing.completeAt })
  return undefined
}

function hold(code: ReasonCode, numbers: Record<string, number>, work: string[] = []): Decision {
  return { kind: 'hold', reason: work.length > 0 ? { code, numbers, work } : { code, numbers } }
}

// From the VMs that are wanted to the launches that are allowed now: for jobs, for min_instances, and for a person.

function launches(
  { wanted }: Placement,
  inventory: Inventory,
  snapshot: Snapshot,
  policy: Policy,
  now: number,
): Decision[] {
  const allowances = allowancesOf('work', inventory, snapshot, policy, now)
  const decisions: Decision[] = []
  const held = new Map<ReasonCode, number>()
  for (const entry of [...wanted].sort(bySize)) {
    const { size, forJobs, forMin, forRollout, gangs } = entry
    if (size.free.length === 0) {
      decisions.push(
        hold('LAUNCH_IN_FLIGHT', { instances: forJobs + forMin + forRollout, slots: size.slots }),
      )
      continue
    }
    for (const { forJobs, forMin, forRollout, isGang } of launchesOf(entry)) {
      const [tightest] = allowances.toSorted((a, b) => a.vms - b.vms)
      const all = forJobs + forMin + forRollout
      const count = Math.min(all, tightest?.vms ?? Number.POSITIVE_INFINITY)
      const rest = all - count
      if (tightest && rest > 0) held.set(tightest.code, (held.get(tightest.code) ?? 0) + rest)
      if (count === 0) continue
      for (const allowance of allowances) allowance.vms -= count
      const code = forJobs > 0 ? 'WORK_WAITS' : forMin > 0 ? 'BELOW_MIN' : 'ROLLOUT_SURGE'
      const numbers = { forJobs, forMin, ...(forRollout > 0 && { forRollout }) }
      const reason = { code, numbers } as const
      const offerings = size.free.map(bare)
      const gang = isGang && count > 1 ? ({ gang: true } as const) : {}
      decisions.push({ kind: 'launch', count, offerings, ...gang, reason } satisfies LaunchDecision)
    }
    const later = gangs.slice(gangsAtOnce).reduce((sum, vms) => sum + vms, 0)
    if (later > 0) decisions.push(hold('LAUNCH_IN_FLIGHT', { instances: later, slots: size.slots }))
  }
  for (const { code, numbers } of allowances)
    if (held.has(code)) decisions.push(hold(code, { ...numbers, instances: held.get(code)! }))
  return decisions
}

/** Launches for gangs that are sent at once: clouds limit how many launches they accept in a short time. */
const gangsAtOnce = 20

/** One launch for each gang, and one for everything else. */
function launchesOf({ forJobs, forMin, forRollout, gangs }: Wanted) {
  const ofGangs = gangs.reduce((sum, vms) => sum + vms, 0)
  return [
    ...gangs.slice(0, gangsAtOnce).map((vms) => ({ forJobs: vms, forMin: 0, forRollout: 0, isGang: true })),
    { forJobs: forJobs - ofGangs, forMin, forRollout, isGang: false },
  ]
}

function bySize(a: Wanted, b: Wanted): number {
  return a.size.preference - b.size.preference || b.size.slots - a.size.slots
}

function bare({ instanceType, zone, capacityType, slots }: KnownOffering) {
  return { instanceType, zone, capacityType, slots }
}

// Manual launches. A person may launch VMs that no job needs, but the safety rules still apply. Manual launches need no
// demand: the view of the master may be missing.

/** A person may retry what has failed too often for an automatic retry. */
const passable: readonly FleetCode[] = ['LAUNCH_ERROR']

/** Grants each request completely or blocks it, after what is already `planned` for jobs. */
function manualLaunches(
  planned: readonly Decision[],
  inventory: Inventory,
  snapshot: Snapshot,
  policy: Policy,
  now: number,
): (LaunchDecision | BlockDecision)[] {
  let { inFlight } = inventory
  const count = (vms: number) => {
    inFlight += vms
  }
  for (const decision of planned) if (decision.kind === 'launch') count(decision.count)
  return snapshot.requests.map((request) => {
    const reason = blockOf(request, { ...inventory, inFlight }, snapshot, policy, now)
    if (reason) return { kind: 'block', request: request.id, reason }
    const offerings = firstChoice(snapshot.offerings, now)
    if (offerings.length === 0)
      return { kind: 'block', request: request.id, reason: { code: 'NO_OFFERING', numbers: {} } }
    count(request.count)
    return {
      kind: 'launch',
      count: request.count,
      offerings: offerings.map(bare),
      request: request.id,
      reason: { code: 'ORDERED', numbers: { count: request.count } },
    }
  })
}

/** Why the request must not be granted now, or not for so many VMs. */
function blockOf(
  { count }: ManualLaunch,
  inventory: Inventory,
  snapshot: Snapshot,
  policy: Policy,
  now: number,
): BlockDecision['reason'] | undefined {
  const { listing, holds } = snapshot
  if (!isListingUsable(listing, policy, now)) return { code: 'LISTING_MISSING', numbers: {} }
  const stop = holds.find(({ code, stops }) => stops.includes('launch') && !passable.includes(code))
  if (stop) return { code: stop.code, numbers: stop.numbers ?? {} }
  const room = Math.max(0, roomBelowMax(inventory, policy))
  if (count > room) return { code: 'MAX_REACHED', numbers: { max: policy.maxInstances, room } }
  const tight = allowancesOf('person', inventory, snapshot, policy, now).find(({ vms }) => count > vms)
  return tight && { code: tight.code, numbers: { ...tight.numbers, left: tight.vms } }
}

/** The offerings that are tried first and have the same slots. Offerings refused lately are used only when all were refused. */
function firstChoice(offerings: readonly KnownOffering[], now: number): KnownOffering[] {
  const sorted = inOrder(offerings)
  const open = sorted.filter(({ refused }) => (refused?.until ?? 0) <= now)
  const choice = open.length > 0 ? open : sorted
  return choice.filter(({ slots }) => slots === choice[0]!.slots)
}

/** Ids of agents on unmanaged machines whose free slots the plan counts as room. */
export function foreignRoom(snapshot: Snapshot, policy: Policy, now: number): string[] {
  return takeInventory(snapshot, policy, now).foreignAgents.map(({ id }) => id)
}
