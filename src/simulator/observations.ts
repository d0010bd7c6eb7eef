// The input of the checks: the true state of a world, and the observations of each provisioner in it.

import type { UserData } from '../agent-setup/index.ts'
import type { PoolFleet } from '../fleet/index.ts'
import type { Demand, Policy } from '../planner/index.ts'
import {
  type BreakerEvidence,
  createBreakerEvidence,
  createFailedLaunches,
  type FailedLaunches,
} from './change-checks.ts'
import type { Cloud, CloudInstance } from './cloud.ts'
import type { FaultSchedule } from './faults.ts'
import type { Hosts } from './host.ts'
import type { Master } from './master.ts'
import type { Provisioner } from './provisioner.ts'
import { createRolloutEvidence, type RolloutEvidence } from './rollout-evidence.ts'
import { nameOfWriter, type Scenario, type TimedFaultKind } from './scenario.ts'
import type { Timeline, VirtualClock } from './virtual-clock.ts'

/** A world as the checks see it. They change nothing in it but the list of violations. */
export interface ObservedWorld {
  readonly scenario: Scenario
  readonly clock: VirtualClock
  readonly timeline: Timeline
  readonly cloud: Cloud
  readonly master: Master
  /** The pool's current limits. */
  readonly policy: Policy
  /** The user data that a VM needs now for its agent to join. */
  readonly userData: UserData
  /** Since when a launched VM could not join; undefined while it could. */
  readonly gateClosedAt: number | undefined
  /** By name. */
  readonly provisioners: ReadonlyMap<string, Provisioner>
  readonly invariants: Findings
  /** In worlds with several provisioners. */
  readonly hosts?: Hosts | undefined
  readonly faults: FaultSchedule
}

export interface Findings {
  readonly violations: readonly Violation[]
  /** By provisioner name. */
  readonly seen: ReadonlyMap<string, Observations>
  /** Manual orders by VM. */
  readonly orders: Map<string, 'when_idle' | 'even_if_busy'>
  violated(promise: number, message: string): void
}

export interface Violation {
  promise: number
  at: number
  step: number
  message: string
}

/** The loop of one process. */
export type Comparing = Pick<PoolFleet, 'status'>

/** What it has compared at the start of its last turn. */
export interface Compared {
  sha256: string
  live: ReadonlySet<string>
}

/** What one provisioner has read, written, decided and requested. */
export interface Observations {
  name: string
  upSince?: number
  stoppingAt?: number
  /** Since when its pool was asked to pause, and since when that was confirmed. */
  pausedAt?: number
  pausedSince?: number | undefined
  /** All its starts: each may lose what was not yet on the disk. */
  starts: number[]
  listing?: { completeAt: number; complete: boolean }
  /** The step of the world in which the first of the partial listings since then arrived; `asleep`: it is not read yet. */
  partialSince?: { step: number; asleep: boolean } | undefined
  /** This process has got a complete listing. */
  hasListed: boolean
  /** Live instances of other writers that its listings show, and since when. */
  foreign: Map<string, number>
  demand?: Demand
  /** Milliseconds that reading it took. */
  demandTook: number
  /** Since when its machine is suspended, and the views of the master that arrived since. */
  suspendedAt?: number | undefined
  arrivals: { demand: Demand; startedAt: number }[]
  /** VMs it has observed joining. */
  joined: Set<string>
  /** The last reason to drain or terminate a VM. */
  reasons: Map<string, string>
  /** Intents on the disk, and those of them that are closed. */
  written: Set<string>
  closed: Set<string>
  /** Those that are there in a checkpoint only: their own record may follow. */
  checkpointed: Set<string>
  /** Intents whose record the store has lost, and when. */
  lost: Map<string, number>
  /** By intent: the largest limit in force when it was sent, its request and user data, and which writers were ours. */
  sent: Map<
    string,
    { max: number; count: number; sha256: string; made: number; adopted: ReadonlySet<string> }
  >
  /** When an offering was refused, since the last call that did not refuse it. */
  refusals: Map<string, number[]>
  listCalls: number[]
  /** When an agent was drained recently. */
  drains: Map<string, number[]>
  /** Refusals remembered without jitter. */
  unspread: number
  /** The provisioner whose state it copied: it treats that one's launches before its first listing as its own. */
  original?: string
  sharedUntil?: number
  /** Intents that were open in that state: both may send them, and the cloud gives both the same response. */
  sharedIntents?: ReadonlySet<string>
  /** Writers it adopted. */
  adopted: Set<string>
  failedLaunches: FailedLaunches
  breaker: BreakerEvidence
  rollout: RolloutEvidence
  /** VMs that it reported as joined, with the slots that they promise. */
  usable: Set<string>
  /** VMs it has asked the cloud to terminate, or has written down that it will. */
  terminated: Set<string>
  /** The last of those calls about each, in a view of the master from when; whether that showed its agent as connected. */
  condemned: Map<string, { demandAt: number; knewAgent: boolean; isForced: boolean }>
  /** Those that the search for orphans terminated while the pool was away. */
  endedAsOrphans: Set<string>
  /** VMs launched for it since the last one that became a usable agent. */
  failedMade: number
  /** What each of its processes compared last; and VMs of which it knows what they were made from. */
  compared: WeakMap<Comparing, Compared>
  made: Set<string>
  /** Calls so far. */
  launches: number
  terminations: number
}

export function createObservations(name: string): Observations {
  return {
    name,
    starts: [],
    hasListed: false,
    foreign: new Map(),
    demandTook: 0,
    arrivals: [],
    failedLaunches: createFailedLaunches(),
    breaker: createBreakerEvidence(),
    rollout: createRolloutEvidence(),
    usable: new Set(),
    terminated: new Set(),
    condemned: new Map(),
    endedAsOrphans: new Set(),
    joined: new Set(),
    reasons: new Map(),
    written: new Set(),
    closed: new Set(),
    checkpointed: new Set(),
    lost: new Map(),
    sent: new Map(),
    refusals: new Map(),
    listCalls: [],
    unspread: 0,
    drains: new Map(),
    adopted: new Set(),
    made: new Set(),
    compared: new WeakMap(),
    failedMade: 0,
    launches: 0,
    terminations: 0,
  }
}

/** Whether this provisioner may change the VM. */
export function isOf(
  { name, adopted, original, sharedUntil, sharedIntents }: Observations,
  { instance, createdAt }: CloudInstance,
): boolean {
  const { writerId = '', intentId = '' } = instance
  const writer = nameOfWriter(writerId)
  const isEarlier = createdAt <= (sharedUntil ?? createdAt) || sharedIntents?.has(intentId)
  const isShared = writer === original && isEarlier
  return writer === name || isShared || adopted.has(writerId)
}

const listedWithin = 15_000

/** What another writer launched can be known only once listings have shown it for a while. */
export function isListed(name: string, { madeBy, visibleAt }: CloudInstance, now: number): boolean {
  return nameOfWriter(madeBy) === name || visibleAt + listedWithin < now
}

const mustWork: TimedFaultKind[] = [
  'throttle',
  'auth_lost',
  'server_errors',
  'outage',
  'reply_lost',
  'silent_calls',
  'partial_listing',
  'failed_listing',
  'flickering_listing',
  'omitted_instances',
  'empty_listings',
  'foreign_answers',
  'master_down',
  'drain_fails',
  'late_terminations',
  'late_drains',
  'store_down',
  'store_paused',
  'store_slow',
]
const afterwards = 120_000

/** Since when nothing has blocked the main provisioner; undefined while something does. */
export function ableSince(world: ObservedWorld, seen: Observations): number | undefined {
  const { scenario, clock, provisioners } = world
  const now = clock.now()
  const life = provisioners.get(seen.name)?.life
  const isUp = life?.alive && !life.suspended && seen.stoppingAt === undefined
  if (!isUp || seen.pausedAt !== undefined || seen.upSince === undefined) return undefined
  if (provisioners.get(seen.name)!.fleet.status().foreignWriters.length > 0) return undefined
  let since = seen.upSince
  for (const { kind, from, to } of scenario.timedFaults) {
    if (!mustWork.includes(kind) || from > now) continue
    if (to + afterwards > now) return undefined
    since = Math.max(since, to)
  }
  return since
}

// Whether the existing VMs meet the demand that a provisioner has read: an independent check, simpler than the planner.

/** A job that waits for longer than this may have been refused by the agents that are free. */
const freshFor = 25_000
const marginBeforeTimeout = 60_000

interface Room {
  slots: number
  aux: number
}

/** True only if it is certain: all allocations are fresh and have room, each on one agent or starting VM. */
export function demandMet(world: ObservedWorld, seen: Observations, demand: Demand): boolean {
  const now = world.clock.now()
  if (demand.pending.some(({ since }) => now - since > freshFor)) return false
  const rooms = roomsOf(world, seen, demand)
  const work = demand.pending.filter(({ slots }) => slots > 0).sort((a, b) => b.slots - a.slots)
  for (const { slots } of work) {
    const room = rooms.filter((each) => each.slots >= slots).sort((a, b) => a.slots - b.slots)[0]
    if (!room) return false
    room.slots -= slots
  }
  return demand.pending.length - work.length <= rooms.reduce((sum, { aux }) => sum + aux, 0)
}

/** Healthy agents in the master's view, and VMs that still have time to join. */
function roomsOf(
  { cloud, clock, policy, invariants }: ObservedWorld,
  seen: Observations,
  demand: Demand,
): Room[] {
  const now = clock.now()
  const rooms: Room[] = []
  const agents = new Map(demand.agents.map((agent) => [agent.id, agent]))
  for (const vm of cloud.instances.values()) {
    const { instance, endedAt, createdAt, slots } = vm
    const isDoomed = instance.interruptedAt !== undefined || invariants.orders.has(instance.id)
    if (!isOf(seen, vm) || !isListed(seen.name, vm, now) || endedAt !== undefined || isDoomed) continue
    const agent = agents.get(instance.id)
    if (agent) {
      const isOpen = agent.connected && agent.enabled && !agent.draining && agent.slots === slots
      if (isOpen && !seen.reasons.has(instance.id))
        rooms.push({ slots: agent.freeSlots, aux: agent.freeAux ?? 0 })
      continue
    }
    const mayJoin =
      createdAt + policy.bootTimeout - marginBeforeTimeout > now && !seen.joined.has(instance.id)
    if (mayJoin && seen.starts.length === 1) rooms.push({ slots, aux: policy.maxAuxPerAgent })
  }
  return rooms
}
