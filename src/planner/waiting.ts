// Why each waiting allocation waits, from what plan() found at one moment. The numbers come from the plan itself.
import type { ActReason, Decision, ReasonCode } from './decision.ts'
import type { Inventory } from './inventory.ts'
import type { Placed, Placement, Unserved } from './placement-context.ts'
import type { KnownAgent, Offering, PendingAllocation, Policy, Snapshot } from './snapshot.ts'

/** Reasons to wait that block nothing, with their descriptions. Those that block are in problems/fleet-codes.ts. */
export const waitReasons = {
  NOT_PLANNED_YET: 'the provisioner has not planned for the job yet',
  AGENT_FREE: 'an agent has room for the job; the scheduler decides when it starts',
  INSTANCE_STARTING: 'an instance for the job is starting, and its agent has not joined yet',
  NO_PROVIDER: 'the pool launches no instances: the job waits for an agent that joins with room',
} as const

type WaitCode = ReasonCode | keyof typeof waitReasons

export interface WaitReason {
  code: WaitCode
  /** The numbers that led to it, by name; times are milliseconds since the epoch. */
  numbers: Record<string, number>
  /** Instances that it waits for: the first three by launch. */
  instances?: string[]
  /** Milliseconds since the epoch; left out when it is not known from the snapshot. */
  since?: number
  /** When it is tried again, or given up, if that is known. */
  nextAt?: number
}

/**
 * The reason of each allocation that waits in the snapshot, by its id, from what plan() decided on it. Of several with the
 * same slots the oldest are assumed to get room first; only the scheduler knows.
 */
export function waitReasonsOf(
  {
    decisions,
    trace,
  }: { decisions: readonly Decision[]; trace?: { inventory: Inventory; placement: Placement } },
  snapshot: Snapshot,
  policy: Policy,
): Map<string, WaitReason> {
  const reasons = new Map<string, WaitReason>()
  const set = (work: readonly PendingAllocation[], reason: WaitReason) => {
    for (const { id } of work) if (!reasons.has(id)) reasons.set(id, reason)
  }
  if (!trace) {
    set(snapshot.pending, ofHold(blindHold(decisions)))
    return reasons
  }
  const stop = snapshot.holds.find(({ stops }) => stops.includes('launch'))
  const stopped: WaitReason | undefined = stop && ofHold(stop)
  for (const entry of trace.placement.unserved)
    set(
      lastOf(entry),
      stopped && !outlasting.includes(entry.code) ? stopped : withRetry(entry.code, entry.numbers),
    )
  const byTier: Record<Tier, WaitReason> = {
    ready: { code: 'AGENT_FREE', numbers: {} },
    drained: { code: 'NEEDED_AGAIN' satisfies ActReason, numbers: {} },
    coming: starting(trace.inventory, policy),
    bought: stopped ?? launching(decisions),
  }
  for (const placed of trace.placement.placed) placeEach(placed, reasons, byTier)
  return reasons
}

/** These hold also once launches are possible again. */
const outlasting: readonly ReasonCode[] = [
  ...(['NEVER_FITS', 'EXCEEDS_MAX', 'AUX_NOT_ALLOWED', 'NO_OFFERING'] as const),
  ...(['JOB_AT_MAX_SLOTS', 'WORK_UNPLACEABLE', 'MAX_REACHED'] as const),
]

type Tier = keyof Placed['filled']
const inOrder: readonly Tier[] = ['ready', 'drained', 'coming', 'bought']

function blindHold(decisions: readonly Decision[]): Decision['reason'] {
  // plan() puts it last.
  return decisions.at(-1)!.reason
}

function ofHold({ code, numbers = {} }: { code: ReasonCode; numbers?: Record<string, number> }): WaitReason {
  return withRetry(code, numbers)
}

function withRetry(code: WaitCode, numbers: Record<string, number>): WaitReason {
  const { retryAt } = numbers
  return { code, numbers, ...(retryAt === undefined ? {} : { nextAt: retryAt }) }
}

/** Those of an unserved batch that get nothing: its youngest. */
function lastOf({ batch, left }: Unserved): readonly PendingAllocation[] {
  return left >= batch.length ? batch : byAge(batch).slice(batch.length - left)
}

function byAge(work: readonly PendingAllocation[]): PendingAllocation[] {
  return [...work].sort((a, b) => a.since - b.since || (a.id < b.id ? -1 : 1))
}

/** The oldest of a group get the room that is used first. */
function placeEach(
  { work, slots, filled }: Placed,
  reasons: Map<string, WaitReason>,
  byTier: Record<Tier, WaitReason>,
): void {
  const left = work.filter(({ id }) => !reasons.has(id))
  const each = Math.max(1, slots)
  for (const [before, { id }] of byAge(left).entries()) {
    let room = 0
    const tier = inOrder.find((one) => {
      room += filled[one]
      return room >= (before + 1) * each
    })
    if (tier) reasons.set(id, byTier[tier])
  }
}

function starting({ members, inFlight }: Inventory, { bootTimeout }: Policy): WaitReason {
  const coming = members
    .filter(({ phase }) => phase === 'coming')
    .map(({ instance }) => instance)
    .sort((a, b) => a.knownSince - b.knownSince || (a.id < b.id ? -1 : 1))
  const [first] = coming
  // Only the call is out: the cloud has named no instance yet.
  if (!first) return { code: 'WORK_WAITS', numbers: { inFlight } }
  return {
    code: 'INSTANCE_STARTING',
    numbers: { starting: coming.length, ...(inFlight > 0 ? { inFlight } : {}) },
    instances: coming.slice(0, 3).map(({ id }) => id),
    since: first.knownSince,
    nextAt: first.knownSince + bootTimeout,
  }
}

/** What limits the launches that are wanted for it, or that one is in progress. */
function launching(decisions: readonly Decision[]): WaitReason {
  const limit = decisions.find(({ kind, reason }) => kind === 'hold' && limiting.includes(reason.code))
  return limit ? ofHold(limit.reason) : { code: 'WORK_WAITS', numbers: {} }
}

const limiting: readonly ReasonCode[] = [
  'LAUNCH_RATE_SPENT',
  'BREAKER_OPEN',
  'BREAKER_PROBING',
  'PROBE_FIRST',
  'LAUNCH_IN_FLIGHT',
]

/**
 * Why a job of so many slots could never run in the pool as it is, or undefined: the same rules as in the plan, with every
 * offering available. Agents that may still join from elsewhere are not known.
 */
export function neverRuns(
  slots: number,
  { agents, instances, offerings }: KnownRoom,
  { maxInstances, maxAuxPerAgent }: Pick<Policy, 'maxInstances' | 'maxAuxPerAgent'>,
): 'AUX_NOT_ALLOWED' | 'EXCEEDS_MAX' | 'NEVER_FITS' | undefined {
  if (slots === 0) return maxAuxPerAgent === 0 ? 'AUX_NOT_ALLOWED' : undefined
  const own = new Set(instances.map(({ id }) => id))
  const foreign = agents.filter(({ id }) => !own.has(id))
  const others = (size: number) => foreign.filter((agent) => agent.slots === size).length
  const sizes = offerings.map((offering) => offering.slots)
  if ([...sizes, ...agents.map((agent) => agent.slots)].some((size) => size >= slots)) return undefined
  const isEnough = (size: number, count: number) => slots % size === 0 && slots / size <= count
  if (sizes.some((size) => isEnough(size, maxInstances + others(size)))) return undefined
  if (foreign.some(({ slots: size }) => isEnough(size, others(size)))) return undefined
  return sizes.some((size) => slots % size === 0) ? 'EXCEEDS_MAX' : 'NEVER_FITS'
}

interface KnownRoom {
  agents: readonly Pick<KnownAgent, 'id' | 'slots'>[]
  /** Those that the pool manages. */
  instances: readonly { id: string }[]
  offerings: readonly Pick<Offering, 'slots'>[]
}
