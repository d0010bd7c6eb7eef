// Everything plan() knows: the cloud, the master and our own memory at one moment. All times are by our clock.
import type { AgentState, PendingAllocation } from './demand.ts'
import type { FailureClass, Instance, Offering } from './instance.ts'
import type { ReasonCode } from './reasons.ts'

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

/** Something outside the plan that forbids moves. */
export interface Hold {
  code: ReasonCode
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
}
