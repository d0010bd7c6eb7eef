// Events of a pool, as data: for the log, the command line and the decision log.
import type { Reason } from '../planner/index.ts'
import type { Problem } from '../problems/index.ts'

export type FleetEvent = { at: number; pool: string } & (
  | {
      kind: 'decided'
      move: 'launch' | 'drain' | 'undrain' | 'terminate' | 'mark'
      ids: string[]
      count: number
      reason: Reason
    }
  /** The blocked steps have changed; an empty list: nothing is blocked any more. */
  | { kind: 'blocked'; reasons: Reason[] }
  | { kind: 'launched'; intentId: string; ids: string[]; missing: number }
  | { kind: 'joined'; ids: string[] }
  | { kind: 'terminated'; ids: string[] }
  /** Something went wrong that a person may want to know. */
  | { kind: 'problem'; problem: Problem }
)
