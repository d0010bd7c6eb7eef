// What a store of leases must provide so that the contract can be run on it.
import type { Clock } from '../../src/platform/ports.ts'
import type { LeaseStore } from '../../src/state/leases/port.ts'
import type { StateStore } from '../../src/state/store.ts'
import type { ChildSettings } from '../support/state-child.ts'

/**
 * - `journals`: it is that of a state, with journals and an identity
 * - `forgets`: what is long over is removed
 * - `sessions`: two connections work at the same moment
 * - `processes`: other processes can open it
 */
export const leaseAbilities = ['journals', 'forgets', 'sessions', 'processes'] as const
export type LeaseAbility = (typeof leaseAbilities)[number]

/** Members below the line are needed only by harnesses that claim the ability. */
export interface LeaseHarness {
  /** For another provisioner, over a connection of its own. */
  connect(clock?: Clock): Promise<LeaseStore>
  /** Lets time pass by the clock of the store. */
  pass(ms: number): Promise<void>
  dispose(): Promise<void>

  /** The same state each time, for another host; nothing is held yet. Closed by the harness at the end. */
  open?(clock?: Clock): Promise<StateStore>
  /** How many rows there are, of leases and of announcements. */
  rows?(): Promise<{ leases: number; candidates: number }>
  /** Inserts into the table take at least so many milliseconds from now on; call the result to undo it. */
  slow?(table: 'journal_records' | 'leases' | 'identity', ms: number): Promise<() => Promise<void>>
  /** How a child process opens it, on another host. */
  settings?(): ChildSettings
}

export interface LeaseSubject {
  can: readonly LeaseAbility[]
  open(): Promise<LeaseHarness>
}
