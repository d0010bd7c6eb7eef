// The pure decision: from what is known at one moment to what should be done, each step with its reason.

import type { Decision, ReasonCode } from './decision.ts'
import { type Census, takeCensus } from './inventory.ts'
import { launches } from './launches.ts'
import { placeWork } from './placement.ts'
import type { Placement } from './placing.ts'
import { chooseRemovals, forcedEnds, type Removals, stepsOf } from './removals.ts'
import type { Policy, Snapshot } from './snapshot.ts'
import { sortWork } from './work.ts'

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
  const blind = blindness(snapshot, policy, now)
  const stopped = (move: 'launch' | 'remove') => snapshot.holds.some(({ stops }) => stops.includes(move))
  if (blind)
    return { decisions: [...(stopped('remove') ? [] : forcedEnds(snapshot, policy, now)), ...holds, blind] }

  const census = takeCensus(snapshot, policy, now)
  const placement = placeWork(sortWork(snapshot, policy, now), census, snapshot, policy, now)
  const removals: Removals = stopped('remove') ? new Map() : chooseRemovals(census, placement, policy, now)
  const decisions = [
    ...stepsOf(census, removals, snapshot, policy, now),
    ...placement.marks,
    ...(stopped('launch') ? [] : launches(placement, census, snapshot, policy)),
    ...holds,
    ...placement.unserved.map(({ code, work, numbers }) => hold(code, numbers, work)),
  ]
  return { decisions, grounds: { census, placement } }
}

/** Why nothing can be decided: the view of the master or of the cloud is missing or too old. */
function blindness({ demandAt, listing }: Snapshot, policy: Policy, now: number): Decision | undefined {
  if (demandAt === undefined || now - demandAt > policy.maxSnapshotAge)
    return hold('DEMAND_MISSING', demandAt === undefined ? {} : { age: now - demandAt })
  if (listing === undefined || now - listing.completeAt > policy.maxListingAge)
    return hold('LISTING_MISSING', listing === undefined ? {} : { age: now - listing.completeAt })
  return undefined
}

function hold(code: ReasonCode, numbers: Record<string, number>, work: string[] = []): Decision {
  return { kind: 'hold', reason: work.length > 0 ? { code, numbers, work } : { code, numbers } }
}
