// Everything plan() knows: the cloud, the master and our own memory at one moment. All times are by our clock.
import type { FleetCode } from '../problems/index.ts'

// A VM as the cloud tells it.

/** The origin's states, less the clouds' own words for them (origin: provisioner/aws.go, gcp.go). */
export const instanceStates = ['starting', 'running', 'stopping', 'stopped', 'terminated', 'unknown'] as const

export type InstanceState = (typeof instanceStates)[number]

export const capacityTypes = ['on_demand', 'spot'] as const

export type CapacityType = (typeof capacityTypes)[number]

export interface Instance {
  /** EC2 instance id, GCE instance name: also the id of the agent on it. */
  id: string
  pool: string
  state: InstanceState
  /** Milliseconds since the epoch, by the cloud's clock. */
  launchedAt: number
  instanceType: string
  zone: string
  capacityType: CapacityType
  /** The intent that launched it, from its tags; undefined when the tag is missing. */
  intentId?: string
  /** The provisioner that launched it, from its tags. */
  writerId?: string
  /** Why it is in this state, in the cloud's words (EC2 StateReason; a local VM's exit status). */
  stateReason?: string
  /** Set when the cloud has said it will take the VM back (spot notice). */
  interruptedAt?: number
}

/** One way to buy a VM: what is tried, and what is remembered when the cloud refuses. */
export interface Offering {
  instanceType: string
  /** Availability zone (GCP) or subnet (AWS); empty for the cloud's choice. */
  zone: string
  capacityType: CapacityType
  /** Accelerators (or the one CPU slot) an agent on it has. */
  slots: number
}

export function offeringKey(offering: Omit<Offering, 'slots'>): string {
  return `${offering.capacityType}/${offering.instanceType}/${offering.zone || 'any'}`
}

/** How a refusal is treated: what is waited for, and what is remembered. */
export const failureClasses = ['capacity', 'quota', 'throttle', 'config', 'auth', 'transient'] as const

export type FailureClass = (typeof failureClasses)[number]

// Work that waits, and the agents there are to do it: one pool at one moment.

export interface PendingAllocation {
  id: string
  /** Slots wanted; 0 is auxiliary work. */
  slots: number
  /** Allocations of one job share its `maxSlots`; left out when the scheduler does not hold jobs to it. */
  job?: string
  maxSlots?: number
  /** Slots that allocations of the same job hold already: they count against `maxSlots` too. */
  jobRunningSlots?: number
  /** Milliseconds since the epoch. */
  since: number
}

export interface AgentState {
  id: string
  slots: number
  freeSlots: number
  /** Auxiliary allocations it can still take; undefined when the source cannot tell. */
  freeAux?: number
  /** Containers or allocations of any size, auxiliary ones too. */
  busy: boolean
  /** When it was first seen without work; undefined while busy. */
  idleSince?: number
  connected: boolean
  enabled: boolean
  draining: boolean
  /**
   * Somebody else than we took it out, and only they give it back. Left out where it is not so, or not known; an agent
   * that is disabled and not draining counts as one in any case, for our drains and lost connections show as draining.
   */
  disabledByPerson?: boolean
  /**
   * The master gives it no work, because it is not known as an instance: its slots are no room. Left out where it is not
   * so, or where the master admits agents by rules of its own.
   */
  getsNoWork?: boolean
}

export interface Demand {
  pool: string
  /**
   * Milliseconds since the epoch, by this process's clock, at which this was true. Put together from several
   * reads, it is the start of the first: whatever happened before `at` is in it.
   */
  at: number
  pending: PendingAllocation[]
  agents: AgentState[]
}

/** A VM of ours, listed or launched a moment ago, with what is remembered of it. */
export interface KnownInstance extends Instance {
  /** When its launch was answered, or else when it was first listed. The cloud's clock is not trusted with it. */
  knownSince: number
  /** Slots its offering promises; undefined when nobody remembers. */
  slots?: number
  /** When its agent was first seen connected. */
  joinedAt?: number
  /** Since when the agent, once connected, is not. */
  lostSince?: number
  /** When the master acknowledged our drain. */
  drainedAt?: number
  /** When a drain of ours was last taken back, by us or by a person. */
  undrainedAt?: number
  /** The cloud has been told to end it. */
  ending?: boolean
  /** Start of the first complete listing of several in a row that did not show it any more. */
  missingSince?: number
  /** A person told us to remove it; `even_if_busy` does not wait for its work. */
  ordered?: 'when_idle' | 'even_if_busy'
}

/** An agent with what is remembered of it. `idleSince` is by our clock here. */
export interface KnownAgent extends AgentState {
  /** Since when connection, readiness and free slots are as they are. */
  settledSince: number
}

/** A launch that was asked for and of which `missing` VMs are not known yet. */
export interface LaunchInFlight {
  intentId: string
  offerings: readonly Offering[]
  missing: number
}

export interface KnownOffering extends Offering {
  /** Lower is tried first; among equals the one that wastes fewer slots. */
  preference: number
  /** Set while the cloud's last refusal is remembered. */
  refused?: { class: FailureClass; until: number; failures: number }
}

/** Opens after several VMs in a row that never joined. */
export type Breaker =
  | { state: 'closed' }
  | { state: 'open'; until: number; failures: number }
  /** One VM at a time, until one joins. */
  | { state: 'probing'; failures: number }

/** Work that free agents were not given, and which agents those were. */
export interface Unplaced {
  agents: readonly string[]
  /** Until then the work is taken to be unplaceable, and nothing is bought for it, unless there is a trial. */
  until: number
  /** One of those agents that is replaced, to see whether it was at fault and not the work. */
  trial?: string
}

/** VMs a person asks for beside those that work needs: all of them, now, or none. */
export interface ManualLaunch {
  /** Of the request, and of the intent that is opened for it. */
  id: string
  count: number
}

/**
 * A token bucket for launches in vain: an instance that never joined, that joined without its slots, or that did not last.
 * Instances that worked take nothing from it, however short their work was.
 */
export interface LaunchBudget {
  /** Tokens taken and not yet refilled, at that time. */
  spent: number
  /** Milliseconds since the epoch. */
  at: number
}

/** Something outside the plan that forbids moves. */
export interface Hold {
  code: FleetCode
  stops: readonly ('launch' | 'remove')[]
  numbers?: Record<string, number>
}

export interface Snapshot {
  pool: string
  /** Start of the newest complete listing, and whether the newest listing was complete. */
  listing: { completeAt: number; complete: boolean } | undefined
  /** `Demand.at`; undefined while the master was never asked with success. */
  demandAt: number | undefined
  instances: readonly KnownInstance[]
  agents: readonly KnownAgent[]
  /** `since` is when we first saw the work waiting. */
  pending: readonly PendingAllocation[]
  unplaced: ReadonlyMap<string, Unplaced>
  inFlight: readonly LaunchInFlight[]
  offerings: readonly KnownOffering[]
  breaker: Breaker
  /** Agents could not prove the master's certificate yet: one VM at a time until one joins. */
  probe: boolean
  /** What launch_rate has left. */
  budget: LaunchBudget
  holds: readonly Hold[]
  /** Manual launches to be granted or blocked by this plan. */
  requests: readonly ManualLaunch[]
}

// What the owner of a pool wants: limits and periods. Periods are milliseconds.

export interface Policy {
  minInstances: number
  maxInstances: number
  /** An agent without work for longer is removed. */
  maxIdle: number
  /** From launch to the first connection of the agent. */
  bootTimeout: number
  /** An agent that lost its connection for longer is removed. */
  maxDisconnected: number
  /** How long the master keeps the place of an agent that lost its connection (`agent_reconnect_wait`). */
  reconnectWait: number
  /** How long the scheduler may take to place work on an agent that can hold it. */
  placementGrace: number
  /** `max_aux_containers_per_agent`; 0: agents of this pool take no auxiliary work. */
  maxAuxPerAgent: number
  /** Launches in vain that are allowed an hour; undefined: as many as there are (instances on this machine cost nothing). */
  launchRate?: number | undefined
  /** With demand older than this nothing is done, on the word of an older listing no VM is ended. */
  maxSnapshotAge: number
  /** With no complete listing for longer than this, nothing is launched either. */
  maxListingAge: number
}

/** What no key of the file sets. */
export const fixedPeriods = {
  /** Origin: provisioner.go, maxDisconnectPeriod. */
  maxDisconnected: 10 * 60_000,
  maxSnapshotAge: 15_000,
  /** Launches are bounded by the ledger as well, so they may go on for a while without a listing. */
  maxListingAge: 2 * 60_000,
} as const
