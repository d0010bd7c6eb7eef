// Everything plan() knows: the cloud, the master and our own memory at one moment. All times are by our clock.

import type { FleetCode } from '../problems/fleet-codes.ts'
import type { AgentState, PendingAllocation } from './demand.ts'
import type { FailureClass, Instance, Offering } from './instance.ts'

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
  launchedLastHour: number
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
  /** VMs launched per hour. */
  launchRate: number
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
