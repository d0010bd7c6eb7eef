// The pure decision: from what is known at one moment to what should be done, each step with its reason.

import { takeCensus } from './census.ts'
import type { Decision } from './decision.ts'
import { launches } from './launches.ts'
import { placeWork } from './placement.ts'
import type { Policy } from './policy.ts'
import type { ReasonCode } from './reasons.ts'
import { chooseRemovals, type Removals } from './removals.ts'
import type { Snapshot } from './snapshot.ts'
import { stepsOf } from './steps.ts'
import { sortWork } from './work.ts'

/**
 * Decides for one pool. Same input, same output, in whatever order instances, agents and work are given.
 * `now` is milliseconds since the epoch, by the clock of the snapshot.
 */
export function plan(snapshot: Snapshot, policy: Policy, now: number): Decision[] {
  const holds = snapshot.holds.map(({ code, numbers = {} }) => hold(code, numbers))
  const { demandAt, listing } = snapshot
  if (demandAt === undefined || now - demandAt > policy.maxSnapshotAge)
    return [...holds, hold('DEMAND_MISSING', demandAt === undefined ? {} : { age: now - demandAt })]
  if (listing === undefined || now - listing.completeAt > policy.maxListingAge)
    return [...holds, hold('LISTING_MISSING', listing === undefined ? {} : { age: now - listing.completeAt })]

  const stopped = (move: 'launch' | 'remove') => snapshot.holds.some(({ stops }) => stops.includes(move))
  const census = takeCensus(snapshot, policy, now)
  const placement = placeWork(sortWork(snapshot, policy, now), census, snapshot, policy, now)
  const removals: Removals = stopped('remove') ? new Map() : chooseRemovals(census, placement, policy, now)
  return [
    ...stepsOf(census, removals, snapshot, policy, now),
    ...placement.marks,
    ...(stopped('launch') ? [] : launches(placement, census, snapshot, policy)),
    ...holds,
    ...placement.unserved.map(({ code, work, numbers }) => hold(code, numbers, work)),
  ]
}

function hold(code: ReasonCode, numbers: Record<string, number>, work: string[] = []): Decision {
  return { kind: 'hold', reason: work.length > 0 ? { code, numbers, work } : { code, numbers } }
}
