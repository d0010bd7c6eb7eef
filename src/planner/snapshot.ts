// The input of plan(): the cloud, the master and our own memory at one moment. All times are by our clock.
import type { FleetCode } from '../problems/index.ts'

// A VM as the cloud reports it.

/** The states of Determined's provisioner, without the clouds' own names for them (its provisioner/aws.go, gcp.go). */
export const instanceStates = ['starting', 'running', 'stopping', 'stopped', 'terminated', 'unknown'] as const

export type InstanceState = (typeof instanceStates)[number]

/** `reserved`: capacity that is paid for already, used or not. */
export const capacityTypes = ['on_demand', 'spot', 'reserved'] as const

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
  /** Why it is in this state, as reported by the cloud (EC2 StateReason; a local VM's exit status). */
  stateReason?: string
  /** Set when the cloud announced that it will interrupt the VM (spot notice). */
  interruptedAt?: number
  /**
   * When the cloud starts to terminate it because its time is limited, in milliseconds since the epoch: the end of the capacity
   * it runs in, or of the duration that it was launched for.
   */
  endsAt?: number
  /**
   * Its private and public IPv4 and IPv6 addresses, in the form that sockets report; missing where they are unknown. They identify a
   * VM that joins: no decision depends on them, and they are never stored.
   */
  addresses?: readonly string[]
  /** The `zone` of the offering it was launched by, as far as the cloud shows that. */
  offeredZone?: string
  /** The machine image, as far as the cloud shows it. */
  image?: string
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

/** How a refusal is handled: what to wait for, and what to remember. */
export const failureClasses = ['capacity', 'quota', 'throttle', 'config', 'auth', 'transient'] as const

export type FailureClass = (typeof failureClasses)[number]

// Waiting allocations, and the agents of the pool, at one moment.

export interface PendingAllocation {
  id: string
  /** Requested slots; 0 for an auxiliary allocation. */
  slots: number
  /** Allocations of one job share its `maxSlots`; omitted when the scheduler does not enforce it. */
  job?: string
  maxSlots?: number
  /** Slots that allocations of the same job already use: they also count against `maxSlots`. */
  jobRunningSlots?: number
  /** Milliseconds since the epoch. */
  since: number
}

export interface AgentState {
  id: string
  slots: number
  freeSlots: number
  /** Auxiliary allocations it can still take; undefined when the source does not know. */
  freeAux?: number
  /** Containers or allocations of any size, auxiliary ones too. */
  busy: boolean
  /** When it was first observed idle; undefined while busy. */
  idleSince?: number
  connected: boolean
  enabled: boolean
  draining: boolean
  /**
   * Somebody else took it out of service, and only they enable it again. Left out where that is false or unknown. An agent
   * that is disabled and not draining always counts as one, because our drains and lost connections show as draining.
   */
  disabledByPerson?: boolean
  /**
   * The master schedules nothing on it, because it is not a known instance: its slots are no room. Left out where that is
   * false, or where the master has its own admission rules.
   */
  getsNoWork?: boolean
}

export interface Demand {
  pool: string
  /**
   * Milliseconds since the epoch, by this process's clock, at which this was true. Combined from several
   * reads, it is the start of the first: everything that happened before `at` is included.
   */
  at: number
  pending: PendingAllocation[]
  agents: AgentState[]
}

/** A managed VM, listed or launched a moment ago, with what is remembered about it. */
export interface KnownInstance extends Instance {
  /** When its launch was answered, or else when it was first listed; not by the cloud's clock, which is not trusted. */
  knownSince: number
  /** Slots its offering promises; undefined when not remembered. */
  slots?: number
  /** When its agent was first observed connected. */
  joinedAt?: number
  /** Since when the agent, once connected, is not. */
  lostSince?: number
  /** When the master acknowledged our drain. */
  drainedAt?: number
  /** When our drain was last undone, by us or by a person. */
  undrainedAt?: number
  /** The cloud has been asked to terminate it. */
  ending?: boolean
  /**
   * It is written down that the cloud is asked to terminate it, and no answer says that it was refused: a request may still
   * arrive. Its agent gets no work any more, whoever leads the pool by then.
   */
  condemned?: boolean
  /** Its agent was enabled again without an answer: that may still happen. It is drained again before it is terminated. */
  undrainDoubt?: boolean
  /** Start of the first complete listing of several in a row that did not show it any more. */
  missingSince?: number
  /** The same while the master shows its agent as connected: it exists, or the master has not noticed yet that it is gone. */
  unshownSince?: number
  /** A person ordered its removal; `even_if_busy` does not wait for its jobs. */
  ordered?: 'when_idle' | 'even_if_busy'
  /** The generation it was made from; undefined when that is not known. */
  generation?: string
  /** Keys of the configuration by which it differs from what is launched now; left out where it does not, or that is not known. */
  drifted?: readonly string[]
  /** Since when a rollout replaces it: it gets no new work. */
  rolledSince?: number
}

/** An agent with what is remembered about it. `idleSince` is by our clock here. */
export interface KnownAgent extends AgentState {
  /** Since when connection, readiness and free slots are unchanged. */
  settledSince: number
}

/** A requested launch of which `missing` VMs are not known yet. */
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

/** An allocation that free agents were not given, and which agents those were. */
export interface Unplaced {
  agents: readonly string[]
  /** Until then the allocation is presumed unplaceable, and nothing is bought for it, unless there is a trial. */
  until: number
  /** One of those agents, which is replaced to find out whether it was at fault and not the allocation. */
  trial?: string
}

/** VMs a person requests in addition to those that jobs need: all of them, now, or none. */
export interface ManualLaunch {
  /** Id of the request, and of the intent that is opened for it. */
  id: string
  count: number
}

/**
 * A token bucket for failed launches: instances that never joined, joined without their slots, or did not last.
 * Instances that ran a job take nothing from it, however short the job was.
 */
export interface LaunchBudget {
  /** Tokens taken and not yet refilled, at that time. */
  spent: number
  /** Milliseconds since the epoch. */
  at: number
}

/** A condition outside the plan that blocks moves. */
export interface Hold {
  code: FleetCode
  stops: readonly ('launch' | 'remove')[]
  numbers?: Record<string, number>
}

/** What is known about replacing outdated instances. */
export interface RolloutState {
  /** The generation of what is launched now. */
  generation: string
  /** An instance of it has proven itself: nothing waits for a first one. */
  proven: boolean
  /** One of its first instances failed, in this way: nothing is replaced by it. */
  failed?: FleetCode
  /** A person paused it: nothing more is begun. */
  paused: boolean
  /** The schedule allows to begin now. */
  open: boolean
  /** When the schedule allows it next, if it does not now. */
  opensAt?: number
}

export interface NewestListing {
  /** Start of the newest complete listing, and how many milliseconds that took. */
  completeAt: number
  took?: number
  /** Whether the newest listing was complete. */
  complete: boolean
}

export interface Snapshot {
  pool: string
  listing: NewestListing | undefined
  /** `Demand.at`; undefined until the master was first read successfully. */
  demandAt: number | undefined
  /** Milliseconds that reading it took. */
  demandTook?: number
  instances: readonly KnownInstance[]
  agents: readonly KnownAgent[]
  /** `since` is when we first observed the allocation waiting. */
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
  /** Without it nothing is replaced because it is outdated. */
  rollout?: RolloutState
  /** Manual launches to be granted or blocked by this plan. */
  requests: readonly ManualLaunch[]
}

// What the owner of a pool wants: limits and periods. Periods are milliseconds.

export interface Policy {
  minInstances: number
  maxInstances: number
  /** An agent without jobs for longer is removed. */
  maxIdle: number
  /** From launch to the first connection of the agent. */
  bootTimeout: number
  /** An agent that lost its connection for longer is removed. */
  maxDisconnected: number
  /** How long the master waits for an agent that lost its connection (`agent_reconnect_wait`). */
  reconnectWait: number
  /** How long the scheduler may take to place an allocation on an agent that can hold it. */
  placementGrace: number
  /** `max_aux_containers_per_agent`; 0: agents of this pool take no auxiliary allocations. */
  maxAuxPerAgent: number
  /** Each gang, an allocation that takes several whole instances, gets a launch of its own. Default: it shares launches. */
  separateGangs?: boolean | undefined
  /** Failed launches that are allowed an hour; undefined: unlimited (instances on this machine cost nothing). */
  launchRate?: number | undefined
  /** How outdated instances are replaced; undefined: not at all. */
  rollout?: RolloutRules | undefined
  /** With demand older than this, and twice the time that reading it takes, nothing is done. */
  maxSnapshotAge: number
  /** Without a complete listing for longer than this, and twice the time that a listing takes, nothing is done. */
  maxListingAge: number
}

/** - `idle`: instances leave when they are idle and no waiting work needs them
 * - `budget`: busy ones get no new work either, as many at once as the budget allows, and leave when their work has ended
 */
export const rolloutModes = ['idle', 'budget', 'never'] as const

/** A number of instances, or a percentage of those of the pool. */
export type InstanceShare = { count: number } | { percent: number }

export interface RolloutRules {
  when: (typeof rolloutModes)[number]
  /** Instances that may be out of service at once. */
  maxUnavailable: InstanceShare
  /** Instances that may be launched in addition, so that one joins before another leaves. */
  surge: InstanceShare
  /** An instance that was launched longer ago is replaced, some up to a tenth earlier. */
  maxLifetime?: number | undefined
  /** A busy one is terminated so long after it got no new work any more; undefined: never. */
  drainTimeout?: number | undefined
}

/** Periods that no configuration key sets. */
export const fixedPeriods = {
  /** As in Determined's provisioner: provisioner.go, maxDisconnectPeriod. */
  maxDisconnected: 10 * 60_000,
  maxSnapshotAge: 15_000,
  /** Launches are bounded by the ledger as well, so they may continue for a while without a listing. */
  maxListingAge: 2 * 60_000,
} as const
