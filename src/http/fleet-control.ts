// What the endpoints below /v1 need from a running provisioner. The provisioner implements it and passes it in.

import type { OrphanStatus, PoolStatus } from '../fleet/index.ts'
import type { AgentState, InstanceState } from '../planner/index.ts'
import type { Problem } from '../problems/index.ts'
import type { EventQuery, LoggedEvent } from './event-view.ts'
import type { PoolPlace, ProcessView } from './pool-view.ts'

export interface FleetControl extends FleetOrders {
  /** About this process: the first fields of `GET /v1/status`. */
  about(): ProcessView
  /** Pools in the order of the configuration; `failed` are those that could not be started, `elsewhere` those not led here. */
  status(): { pools: PoolStatus[]; failed: { pool: string; problems: Problem[] }[]; elsewhere: string[] }
  /** Resolves once no pool that is led here is being started any more, or after some seconds. */
  begun(): Promise<void>
  /** Of the whole provisioner. */
  problems(): Problem[]
  /** Why the state that several provisioners share cannot be used now: nothing is led meanwhile. */
  fault(): Problem | undefined
  /** Instances of the cluster that belong to no configured pool. */
  orphans(): OrphanStatus
  /** One row for each VM, with its agent. */
  rows(): FleetRow[]
  /** Agents of the configured pools without a provider, of one or all, as far as the master reports them. Never rejects. */
  otherAgents(pool?: string): Promise<PoolAgents[]>
  /** Provider type of a pool, `none` for a pool that is not configured, and who leads it. */
  placeOf(pool: string): PoolPlace
  /** Pools in the order in which lists show them; others come last. */
  names?(): readonly string[]
  /** The snapshot of the pool's last turn, as `provision explain --snapshot` reads it; undefined before the first turn. */
  snapshotOf(status: PoolStatus): object | undefined
  /** From the decision log, oldest first. */
  events(query: EventQuery & { limit: number }): Promise<LoggedEvent[]>
}

/** Agents of a pool, as the master reports them. */
export interface PoolAgents {
  pool: string
  agents: readonly AgentState[]
}

/** Commands of an operator, over HTTP or from a program that embeds the provisioner. */
export interface FleetOrders {
  /** Throws POOL_UNKNOWN, or POOL_NOT_RUNNING with the reason, unless the pool runs here, or is led elsewhere and takes orders there. */
  check(pool: string): void
  /** Launches and terminates nothing in the pool until `resume`, also after a restart. Throws POOL_UNKNOWN. */
  pause(pool: string): Promise<void>
  resume(pool: string): Promise<void>
  /**
   * `pause`: takes no more outdated instances of the pool out of service, also after a restart; `restart`: until this, which also
   * tries a new configuration again whose first instance failed. Throws POOL_UNKNOWN.
   */
  rollout(pool: string, order: 'pause' | 'restart'): Promise<void>
  /** Takes over the VMs that other provisioners launched in the pool; returns the ids of those provisioners. */
  adopt(pool: string): Promise<string[]>
  /** Takes over instances of other provisioners that belong to no configured pool; returns the ids of those provisioners. */
  adoptOrphans(): Promise<string[]>
  /**
   * Waits some seconds for a pool that is being started, or has not been listed yet.
   * Launches VMs in addition to those that demand requires, all or none; they are removed like any other when they are idle
   * for too long. Returns the id of the intent. Throws the reason that blocks it: MAX_REACHED, PAUSED, LAUNCH_NOT_READY and others.
   */
  launch(pool: string, count: number): Promise<string>
  /** Gives these VMs no new jobs and terminates them when they are idle. Returns the ids of managed instances. */
  drain(ids: readonly string[]): Promise<string[]>
  /** Cancels `drain` for VMs that are not terminated yet; they get jobs again. Returns their ids. */
  undrain(ids: readonly string[]): Promise<string[]>
  /** Terminates these VMs now, even when busy: their jobs are lost. Returns the ids of managed instances. */
  terminate(ids: readonly string[]): Promise<string[]>
}

/** One instance of the fleet as `provision` and `provision status` show it. */
export interface FleetRow {
  pool: string
  instance: string
  /** A process on this machine, which is terminated with the provisioner. */
  local: boolean
  state: InstanceState
  agent: 'waiting' | 'joined' | 'lost'
  /** Slots the agent reported; undefined before it joined. */
  slots?: number
  /** Containers on it whose jobs the master does not know, because its state was lost. */
  unknownContainers?: number
  /** As `TLSv1.3`; undefined before it joined, and for a master without TLS. */
  tlsVersion?: string
  /** What the agent verifies the master's certificate against. */
  certificateName?: string
  /** Milliseconds since the epoch. */
  launchedAt: number
}
