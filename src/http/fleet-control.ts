// What the endpoints below /v1 need from a running provisioner. The provisioner implements it and passes it in.

import type { OrphanStatus, PoolStatus } from '../fleet/index.ts'
import type { InstanceState } from '../planner/index.ts'
import type { Problem } from '../problems/index.ts'
import type { EventQuery, LoggedEvent } from './event-view.ts'
import type { ProcessView } from './pool-view.ts'

export interface FleetControl extends FleetOrders {
  /** About this process: what `GET /v1/status` begins with. */
  about(): ProcessView
  /** Pools in the order of the configuration; `failed` are those that could not be started. */
  status(): { pools: PoolStatus[]; failed: { pool: string; problems: Problem[] }[] }
  /** Instances of the cluster that no configured pool has. */
  orphans(): OrphanStatus
  /** One row for each VM, with its agent. */
  rows(): FleetRow[]
  /** Type of the provider of a pool; `none` for a pool that is not configured. */
  providerOf(pool: string): string
  /** What the last turn of the pool saw, as `provision explain --snapshot` reads it; undefined before the first turn. */
  snapshotOf(status: PoolStatus): object | undefined
  /** From the log of decisions, oldest first. */
  events(query: EventQuery & { limit: number }): LoggedEvent[]
}

/** What a person may order, over HTTP or as a program that embeds the provisioner. */
export interface FleetOrders {
  /** Throws POOL_UNKNOWN, or POOL_NOT_RUNNING with the reason, unless the pool runs. */
  check(pool: string): void
  /** Until `resume`, also after a restart, nothing is launched or ended in the pool. Throws POOL_UNKNOWN. */
  pause(pool: string): Promise<void>
  resume(pool: string): Promise<void>
  /** Makes the VMs that other provisioners launched in the pool ours; returns the ids of those provisioners. */
  adopt(pool: string): Promise<string[]>
  /** Makes instances of other provisioners that no configured pool has ours; returns the ids of those provisioners. */
  adoptOrphans(): Promise<string[]>
  /**
   * Launches VMs beside those work calls for, all or none; they are removed like any other when they are idle for too
   * long. Returns the id of the intent. Throws what forbids it: MAX_REACHED, PAUSED, LAUNCH_NOT_READY and others.
   */
  launch(pool: string, count: number): Promise<string>
  /** Gives these VMs no more work and ends them when they have none. Returns the ids that are ours. */
  drain(ids: readonly string[]): Promise<string[]>
  /** Takes `drain` back for VMs that are not ended yet; they get work again. Returns their ids. */
  undrain(ids: readonly string[]): Promise<string[]>
  /** Ends these VMs now, whatever they do: their work is lost. Returns the ids that are ours. */
  terminate(ids: readonly string[]): Promise<string[]>
}

/** One VM of the fleet as `provision` and `provision status` show it. */
export interface FleetRow {
  pool: string
  instance: string
  /** A process of this machine, which ends with the provisioner. */
  local: boolean
  state: InstanceState
  agent: 'waiting' | 'joined' | 'lost'
  /** Slots the agent has shown; undefined before it joined. */
  slots?: number
  /** Containers there whose jobs the master does not know, because its state was lost. */
  unknownContainers?: number
  /** As `TLSv1.3`; undefined before it joined, and for a master without TLS. */
  tlsVersion?: string
  /** What the agent verifies the master's certificate against. */
  certificateName?: string
  /** Milliseconds since the epoch. */
  launchedAt: number
}
