// The part of the port for several provisioners: who leads which pool. A store that one process has alone has no leases.
import type { ProcessMark } from '../../platform/index.ts'

/**
 * One term of leadership of a pool. The number grows with each term; the nonce tells terms apart that a restored or promoted
 * database numbers alike. Both are compared.
 */
export interface Epoch {
  number: number
  nonce: string
  /** Nonce of the term that it followed, where it was taken and that is still known: nobody else led in between. */
  before?: string
}

export function isSameEpoch(one: Epoch | undefined, other: Epoch | undefined): boolean {
  return one !== undefined && one.number === other?.number && one.nonce === other.nonce
}

/**
 * A provisioner as it announces itself to the others. With its process (`thisProcess()`), so that another one on the same
 * machine knows when it has exited: it counts as gone at once then, and so do its leases.
 */
export interface Candidate extends ProcessMark {
  /** Of this start: see `Identity.writerId`. */
  id: string
  /** Milliseconds since the epoch, by its own clock. */
  since: number
  version: string
  /** Hash of its configuration. */
  configuration: string
  /** Names of the leases that it can have now. */
  pools: readonly string[]
  /** Of these, what it does not leave only to spread the work. */
  pinned: readonly string[]
  /** Every pool with a provider in its configuration: instances of none of them are orphans. */
  configured: readonly string[]
  /** `all`: it leads everything as long as it is there, and others only what it does not have. */
  wants: 'share' | 'all'
}

/** Times are what is left by the clock of the store, in milliseconds; at 0 or below it is over. */
export interface LeaseView {
  candidates: (Candidate & { left: number })[]
  leases: Lease[]
}

export interface Lease {
  /** Its name: see `leaseOfPool`. */
  pool: string
  epoch: Epoch
  /** `id` of its candidate. */
  holder: string
  left: number
}

export interface LeaseStore {
  /**
   * Announces this provisioner, and renews what it holds, for `ttl` milliseconds from now by the clock of the store: in one
   * statement, only where epoch and holder are still these and the time is not over. Returns everything as it is then.
   * Announces nothing while a process has the store alone.
   */
  renew(self: Candidate, held: ReadonlyMap<string, Epoch>, ttl: number): Promise<LeaseView>
  /**
   * Takes a pool whose lease is over or was never given. Resolves with the new epoch, or with undefined when another was
   * quicker, or a process has the store alone. Waits for what is being written under the epoch before; later it is refused.
   */
  take(pool: string, holder: string, ttl: number): Promise<Epoch | undefined>
  /** Ends the lease at once, and nothing is written under it any more; nothing happens where the epoch is no longer the newest. */
  release(pool: string, epoch: Epoch): Promise<void>
  /** Removes the announcement; leases are released before. */
  leave(id: string): Promise<void>
}
