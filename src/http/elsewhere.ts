// What the endpoints below /v1 need about pools that other provisioners of the cluster lead.
import type { FleetControl } from './fleet-control.ts'
import type { Order } from './fleet-orders.ts'
import type { OrphansView } from './orphan-view.ts'
import type { PoolOverview } from './pool-view.ts'
import type { ProblemView } from './reason-view.ts'
import type { Reply } from './router.ts'
import type { OrphansSummary, SharedPool } from './shared-view.ts'

export interface SharedFleet extends FleetControl {
  readonly elsewhere: Elsewhere
}

/** A pool, or the search for orphans: each has one leader. */
export type OrderPlace = { pool: string } | 'orphans'

/** What other provisioners of the cluster lead, as they have published it; nothing where one process leads everything. */
export interface Elsewhere {
  /** It is not led here, and orders for it go to its leader. */
  has(place: OrderPlace): boolean
  /** The pools that are not led here: `standby` where nothing can be read. Never rejects. */
  summaries(): Promise<PoolOverview[]>
  /** All of them; those of which nothing can be read are missing. `problems`: why it may be old, or some are missing. Never rejects. */
  pools(): Promise<{ pools: SharedPool[]; problems: ProblemView[] }>
  /** Throws POOL_NOT_RUNNING where nothing can be read. */
  pool(name: string): Promise<SharedPool>
  /** Undefined where they are searched here. Never rejects. */
  orphansSummary(): Promise<OrphansSummary | undefined>
  /** Undefined where they are searched here. */
  orphans(): Promise<OrphansView | undefined>
  /** Instances that are managed elsewhere, by id. */
  instances(): Promise<ReadonlyMap<string, { place: OrderPlace; busy: boolean }>>
  /** Passes the order to the leader and waits for its reply. Throws ORDER_UNANSWERED. */
  order(place: OrderPlace, order: Order): Promise<Reply>
}
