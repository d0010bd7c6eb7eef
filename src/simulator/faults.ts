// How the simulated cloud misbehaves. By default it does not: it answers at once and gives all there is.
import type { Instance, Offering } from '../planner/instance.ts'

export type CallKind = 'launch' | 'list' | 'terminate' | 'console'

/**
 * - `done`: acts and answers
 * - `refused`, `throttled`, `failed`: does nothing and says so (credentials, too many calls, a fault of its own)
 * - `reply_lost`: acts; the answer never comes
 * - `effect_late`: acts long after the caller has given up
 * - `silent`: does nothing and never answers
 */
export type Fate = 'done' | 'refused' | 'throttled' | 'failed' | 'reply_lost' | 'effect_late' | 'silent'

export interface Faults {
  fate(call: CallKind): Fate
  /** Milliseconds until the cloud acts, and from then until its answer is there. */
  latency(call: CallKind): { there: number; back: number }
  /** Milliseconds until the client of the cloud gives up a call without an answer. */
  clientTimeout: number
  /** Milliseconds until a late effect, from the call. */
  lateness(): number
  /** VMs of this offering the cloud can give now. */
  stock(offering: Offering): number
  /** VMs the account may have at once. */
  quota(): number
  /** Fewer VMs than there are, without a word. */
  gives(count: number): number
  /** Milliseconds until listings show a new VM. */
  hiddenFor(): number
  /** Milliseconds until a new VM runs; undefined: it stays starting. */
  startsAfter(): number | undefined
  /** Milliseconds from the end of a VM until listings drop it, and whether they show it as terminated before. */
  lingersFor(): number
  /** What a listing shows of these VMs; `complete` says whether it claims to be whole. */
  listing(instances: Instance[]): { instances: Instance[]; complete: boolean }
  /** Milliseconds the cloud's clock is ahead of ours. */
  clockSkew: number
}

export const noFaults: Faults = {
  fate: () => 'done',
  latency: () => ({ there: 0, back: 0 }),
  clientTimeout: 30_000,
  lateness: () => 60_000,
  stock: () => Number.POSITIVE_INFINITY,
  quota: () => Number.POSITIVE_INFINITY,
  gives: (count) => count,
  hiddenFor: () => 0,
  startsAfter: () => 0,
  lingersFor: () => 0,
  listing: (instances) => ({ instances, complete: true }),
  clockSkew: 0,
}
