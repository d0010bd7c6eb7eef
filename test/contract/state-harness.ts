// What a store of the state must provide so that the contract can be run on it.
import type { Clock } from '../../src/platform/ports.ts'
import type { IdentityPart, StateStore } from '../../src/state/store.ts'
import type { ChildSettings } from '../support/state-child.ts'

/**
 * - `processes`: other processes can open it, at the same time and after a crash
 * - `tears`: the end of the last record can be lost on its own
 * - `fills`: its disk can be full
 * - `slows`: its disk can be slow
 * - `disconnects`: it can be out of reach
 * - `fences`: a process that has lost the right can write no more
 */
export const stateAbilities = ['processes', 'tears', 'fills', 'slows', 'disconnects', 'fences'] as const
export type StateAbility = (typeof stateAbilities)[number]

/** Members named after an ability are needed only by harnesses that claim it. */
export interface StateHarness {
  /** The same state each time; nothing is held yet. Closed by the harness at the end. */
  open(clock?: Clock): Promise<StateStore>
  /** Puts a text in place of a part of the identity. */
  damage(part: IdentityPart, text: string): Promise<void>
  /** The identity was written so many minutes earlier, where the store notes when it was. */
  grow?(minutes: number): Promise<void>
  /** How much the state takes: bytes, or rows. */
  size(): Promise<number>
  dispose(): Promise<void>

  /** How a child process opens it. */
  settings?: ChildSettings
  /** Milliseconds after which the state of a killed process is free. */
  freeAfter?: number
  /** Cuts the end of the last record of this pool's journal. */
  tear?(pool: string): Promise<void>
  /** A new state with room for some 100 KiB or more, and what a shell runs before a child that uses it. */
  small?(): Promise<{ settings: ChildSettings; before: string }>
  /** Each write takes at least so many milliseconds from now on; call the result to undo it. */
  slow?(ms: number): Promise<() => Promise<void>>
  /** Nobody reaches it until the result is called. */
  disconnect?(): Promise<() => Promise<void>>
  /** Gives the right to nobody, as if another process had taken it and gone. */
  takeRight?(): Promise<void>
}

export interface StateSubject {
  can: readonly StateAbility[]
  open(): Promise<StateHarness>
}
