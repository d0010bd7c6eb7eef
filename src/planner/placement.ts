// Which waiting work fits what is there or coming, and what has to be bought for the rest.

import { shelve } from './bins.ts'
import { capacityOf } from './capacity.ts'
import type { Census } from './inventory.ts'
import { marketOf, preferred } from './market.ts'
import { placeAux } from './place-aux.ts'
import { placeGroup } from './place-group.ts'
import { type Placement, type Placing, refusal, unserve, want } from './placing.ts'
import type { Policy } from './policy.ts'
import type { Snapshot } from './snapshot.ts'
import type { Work } from './work.ts'

export function placeWork(
  work: Work,
  census: Census,
  snapshot: Snapshot,
  policy: Policy,
  now: number,
): Placement {
  const { suspects, trial } = suspectsOf(snapshot, now)
  const sound = census.members.filter((member) => !suspects.has(member.instance.id))
  const kinds = capacityOf({ ...census, members: sound }, snapshot, policy, now)
  const placement: Placement = { kinds, wanted: [], unserved: [], overflow: [], marks: [], suspects }
  const placing: Placing = {
    placement,
    shelf: shelve(kinds),
    market: marketOf(snapshot.offerings, snapshot.inFlight, now),
    room: policy.maxInstances - census.live - census.inFlight,
    guests: census.guests,
    trial: { agent: trial },
    snapshot,
    policy,
  }
  for (const group of work.groups) placeGroup(placing, group)
  for (const group of work.aux) placeAux(placing, group)
  fillMin(
    placing,
    census.lasting + census.doubtful + census.inFlight - (census.members.length - sound.length),
  )
  unserve(placement, 'AUX_NOT_ALLOWED', { work: work.auxNotAllowed, left: work.auxNotAllowed.length })
  unserve(placement, 'JOB_AT_MAX_SLOTS', { work: work.atJobMax, left: work.atJobMax.length })
  unserve(placement, 'WORK_UNPLACEABLE', { work: work.unplaceable, left: work.unplaceable.length })
  return placement
}

/** Agents that alone were not given some work, and the one that is replaced on trial. */
function suspectsOf(
  { unplaced }: Snapshot,
  now: number,
): { suspects: Set<string>; trial: string | undefined } {
  const suspects = new Set<string>()
  let trial: string | undefined
  for (const entry of unplaced.values()) {
    if (entry.agents.length === 1) suspects.add(entry.agents[0]!)
    if (entry.trial !== undefined && entry.until > now) trial = entry.trial
  }
  if (trial !== undefined) suspects.add(trial)
  return { suspects, trial }
}

function fillMin(placing: Placing, present: number): void {
  const { placement, policy, market } = placing
  const bought = placement.wanted.reduce((sum, wanted) => sum + wanted.forWork, 0)
  const short = policy.minInstances - present - bought
  if (short <= 0) return
  // What is bought for min is of the size that work has no room for, or it would take that room again.
  const size = placement.overflow.find((entry) => entry.size.free.length > 0)?.size ?? preferred(market)
  if (size) want(placing, size, short, 'forMin')
  else {
    const { code, numbers } = refusal(market)
    placement.unserved.push({ code, work: [], numbers: { ...numbers, belowMin: short } })
  }
}
