// The pure decision: from what is known at one moment to what should be done, each step with its reason.

import type { Decision, ReasonCode } from './decision.ts'
import { type Census, takeCensus } from './inventory.ts'
import { launches, manualLaunches } from './launches.ts'
import { placeWork, sortWork } from './placement.ts'
import type { Placement } from './placing.ts'
import { chooseRemovals, forcedEnds, type Removals, stepsOf } from './removals.ts'
import { isDemandFresh, isListingUsable } from './rules.ts'
import type { Policy, Snapshot } from './snapshot.ts'

/**
 * Decides for one pool. Same input, same output, in whatever order instances, agents and work are given.
 * `now` is milliseconds since the epoch, by the clock of the snapshot.
 */
export function plan(snapshot: Snapshot, policy: Policy, now: number): Decision[] {
  return deliberate(snapshot, policy, now).decisions
}

/** The decisions with what led to them. Without a fresh enough view of both worlds there is nothing to go by. */
export interface Deliberation {
  decisions: Decision[]
  grounds?: { census: Census; placement: Placement }
}

/** What plan() decides, and from what: `provision explain` tells it. */
export function deliberate(snapshot: Snapshot, policy: Policy, now: number): Deliberation {
  const holds = snapshot.holds.map(({ code, numbers = {} }) => hold(code, numbers))
  const stopped = (move: 'launch' | 'remove') => snapshot.holds.some(({ stops }) => stops.includes(move))
  const blind = blindness(snapshot, policy, now)
  if (blind) {
    const ends = stopped('remove') ? [] : forcedEnds(snapshot, policy, now)
    return { decisions: [...ends, ...requested([], snapshot, policy, now), ...holds, blind] }
  }

  const census = takeCensus(snapshot, policy, now)
  const placement = placeWork(sortWork(snapshot, policy, now), census, snapshot, policy, now)
  const removals: Removals = stopped('remove') ? new Map() : chooseRemovals(census, placement, policy, now)
  const launched = stopped('launch') ? [] : launches(placement, census, snapshot, policy)
  const decisions = [
    ...stepsOf(census, removals, snapshot, policy, now),
    ...placement.marks,
    ...launched,
    ...requested(launched, snapshot, policy, now, census),
    ...holds,
    ...placement.unserved.map(({ code, work, numbers }) => hold(code, numbers, work)),
  ]
  return { decisions, grounds: { census, placement } }
}

/** Manual launches are rare, and may be granted without a view of the master. */
function requested(
  launched: Decision[],
  snapshot: Snapshot,
  policy: Policy,
  now: number,
  census?: Census,
): Decision[] {
  if (snapshot.requests.length === 0) return []
  return manualLaunches(launched, census ?? takeCensus(snapshot, policy, now), snapshot, policy, now)
}

/** Why nothing can be decided: the view of the master or of the cloud is missing or too old. */
function blindness({ demandAt, listing }: Snapshot, policy: Policy, now: number): Decision | undefined {
  if (!isDemandFresh(demandAt, policy, now))
    return hold('DEMAND_MISSING', demandAt === undefined ? {} : { age: now - demandAt })
  if (!isListingUsable(listing, policy, now))
    return hold('LISTING_MISSING', listing === undefined ? {} : { age: now - listing.completeAt })
  return undefined
}

function hold(code: ReasonCode, numbers: Record<string, number>, work: string[] = []): Decision {
  return { kind: 'hold', reason: work.length > 0 ? { code, numbers, work } : { code, numbers } }
}
