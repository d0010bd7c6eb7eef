// Explains how plan() reaches its decisions. The numbers come from the plan itself; nothing is computed again.
import { codeInfo } from '../problems/index.ts'
import type { Tier } from './bins.ts'
import { type ActReason, actReasons, type Decision, type ReasonCode } from './decision.ts'
import { planWithTrace } from './index.ts'
import type { Inventory } from './inventory.ts'
import type { Placement } from './placement-context.ts'
import { type Rollout, type RolloutWait, rolloutView, rolloutWaits } from './rollout.ts'
import { type KnownInstance, offeringKey, type Policy, type Snapshot } from './snapshot.ts'

/** `now` is milliseconds since the epoch, by the clock of the snapshot. */
export function explain(snapshot: Snapshot, policy: Policy, now: number): Explanation {
  const { decisions, trace } = planWithTrace(snapshot, policy, now)
  const { pool, demandAt, listing } = snapshot
  return {
    pool,
    at: now,
    views: {
      ...(demandAt === undefined ? {} : { demandAge: now - demandAt }),
      ...(listing ? { listingAge: now - listing.completeAt, listingComplete: listing.complete } : {}),
    },
    demand: demandOf(snapshot, policy, now),
    ...(trace ? { instances: countInstances(trace.inventory, policy), room: roomOf(trace.placement) } : {}),
    ...(trace?.rollout && { rollout: explainedRollout(trace.rollout) }),
    decisions: decisions.map(explained),
  }
}

function explainedRollout(rollout: Rollout): ExplainedRollout {
  const { outdated, leaving, waits } = rolloutView(rollout)
  return {
    outdated,
    leaving,
    waits: Object.entries(waits).map(([code, instances]) => ({
      code,
      instances,
      meaning: rolloutWaits[code as RolloutWait],
    })),
  }
}

function demandOf({ pending }: Snapshot, { placementGrace }: Policy, now: number): Explanation['demand'] {
  const sizes = new Map<number, { slots: number; allocations: number; fresh: number }>()
  for (const { slots, since } of pending) {
    const size = sizes.get(slots) ?? { slots, allocations: 0, fresh: 0 }
    size.allocations++
    if (now - since < placementGrace) size.fresh++
    sizes.set(slots, size)
  }
  return {
    allocations: pending.length,
    slots: pending.reduce((sum, { slots }) => sum + slots, 0),
    aux: sizes.get(0)?.allocations ?? 0,
    sizes: [...sizes.values()].filter(({ slots }) => slots > 0).sort((a, b) => b.slots - a.slots),
  }
}

function countInstances(inventory: Inventory, policy: Policy): InstanceCounts {
  const counts: InstanceCounts = {
    min: policy.minInstances,
    max: policy.maxInstances,
    live: inventory.live,
    inFlight: inventory.inFlight,
    coming: inventory.coming,
    busy: 0,
    idle: 0,
    away: 0,
    leaving: 0,
    faulty: {},
    drifted: { instances: 0, keys: {} },
    foreignAgents: inventory.foreignAgents.length,
  }
  for (const { phase, agent, fault, instance } of inventory.members) {
    countDrift(counts.drifted, instance)
    if (phase === 'ready') counts[agent?.busy ? 'busy' : 'idle']++
    else if (phase === 'away' || phase === 'leaving') counts[phase]++
    else if (fault) counts.faulty[fault] = (counts.faulty[fault] ?? 0) + 1
  }
  return counts
}

function countDrift(counts: InstanceCounts['drifted'], { drifted = [] }: KnownInstance): void {
  if (drifted.length > 0) counts.instances++
  for (const key of drifted) counts.keys[key] = (counts.keys[key] ?? 0) + 1
}

const rooms: [Tier, Room['where']][] = [
  ['ready', 'free'],
  ['drained', 'drained'],
  ['coming', 'coming'],
  ['bought', 'to_buy'],
]

function roomOf({ kinds }: Placement): Room[] {
  return rooms.flatMap(([tier, where]) => {
    const room: Room = { where, instances: 0, slots: 0, filled: 0, filledAux: 0 }
    for (const kind of kinds) {
      if (kind.tier !== tier || (kind.free === 0 && kind.filledAux === 0)) continue
      room.instances += kind.count
      room.slots += kind.count * kind.free
      room.filled += kind.filled
      room.filledAux += kind.filledAux
    }
    return room.instances > 0 ? [room] : []
  })
}

function explained(decision: Decision): ExplainedDecision {
  const { kind, reason } = decision
  const ids = idsOf(decision)
  return {
    kind,
    count: kind === 'launch' ? decision.count : ids.length,
    ids,
    offerings: kind === 'launch' ? decision.offerings.map(offeringKey) : [],
    allocations: reason.work ?? (kind === 'mark' ? decision.work.slice(0, 10) : []),
    code: reason.code,
    numbers: reason.numbers,
    ...wordsOf(reason.code),
  }
}

function idsOf(decision: Decision): string[] {
  switch (decision.kind) {
    case 'mark':
      return decision.agents
    case 'terminate':
    case 'drain':
    case 'undrain':
      return decision.ids
    default:
      return []
  }
}

function wordsOf(code: ReasonCode): { meaning: string; remedy?: string } {
  if (isActReason(code)) return { meaning: actReasons[code] }
  const { meaning, remedy } = codeInfo(code)
  return { meaning, remedy }
}

function isActReason(code: ReasonCode): code is ActReason {
  return code in actReasons
}

// What plan() decides, in a readable form: demand, instances, what was subtracted from what, decisions.

/** Times are milliseconds since the epoch, ages are milliseconds; both by the clock of the snapshot. */
export interface Explanation {
  pool: string
  at: number
  /** Milliseconds since the views were true; left out when there was none. */
  views: { demandAge?: number; listingAge?: number; listingComplete?: boolean }
  demand: {
    allocations: number
    slots: number
    /** Allocations that need no slots. */
    aux: number
    /** Largest first. `fresh` of `allocations` arrived within `placement_grace`: the scheduler may not have handled them yet. */
    sizes: { slots: number; allocations: number; fresh: number }[]
  }
  /** Left out when there was no view to decide on. */
  instances?: InstanceCounts
  /** Where waiting allocations find room, in the order in which room is used. Unused room is listed too. */
  room?: Room[]
  /** Left out where no instance is outdated. */
  rollout?: ExplainedRollout
  decisions: ExplainedDecision[]
}

export interface ExplainedRollout {
  /** Outdated instances by the reason, those that leave included. */
  outdated: Partial<Record<string, number>>
  leaving: number
  /** What the others wait for. */
  waits: { code: string; instances: number; meaning: string }[]
}

export interface InstanceCounts {
  min: number
  max: number
  /** Can run and bill. */
  live: number
  inFlight: number
  coming: number
  busy: number
  idle: number
  away: number
  leaving: number
  /** Failed instances by the code of what is wrong. */
  faulty: Record<string, number>
  /** Instances that differ from what is launched now; and by each key of the configuration, how many of them do. */
  drifted: { instances: number; keys: Record<string, number> }
  /** Agents of the pool on machines that the provisioner does not manage. */
  foreignAgents: number
}

export interface Room {
  where: 'free' | 'drained' | 'coming' | 'to_buy'
  /** Instances with room, or to be launched. */
  instances: number
  slots: number
  /** Slots of waiting allocations put there, and the number of auxiliary allocations. */
  filled: number
  filledAux: number
}

export interface ExplainedDecision {
  kind: Decision['kind']
  /** Instances concerned; 0 for a hold and for a blocked manual launch. */
  count: number
  ids: string[]
  /** Offerings of a launch, in the order in which they are tried. */
  offerings: string[]
  /** Allocations concerned, the first ten. */
  allocations: string[]
  code: string
  numbers: Record<string, number>
  meaning: string
  /** What a person can do about it, where there is something. */
  remedy?: string
}
