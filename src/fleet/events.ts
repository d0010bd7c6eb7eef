// What happens to a pool, as data: for the log, the command line and the journal of decisions.

import type { Reason } from '../planner/reasons.ts'
import type { Problem } from '../problems/problem.ts'

export type FleetEvent = { at: number; pool: string } & (
  | {
      kind: 'decided'
      move: 'launch' | 'drain' | 'undrain' | 'terminate' | 'mark'
      ids: string[]
      count: number
      reason: Reason
    }
  /** What is wanted and not done has changed; an empty list: nothing is held back any more. */
  | { kind: 'held'; reasons: Reason[] }
  | { kind: 'launched'; intentId: string; ids: string[]; missing: number }
  | { kind: 'joined'; ids: string[] }
  | { kind: 'ended'; ids: string[] }
  /** Something went wrong that a person may want to know. */
  | { kind: 'problem'; problem: Problem }
)
