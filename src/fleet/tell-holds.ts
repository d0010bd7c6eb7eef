// Reasons why something that is wanted is not done: told when they change, not at every turn.
import type { Decision } from '../planner/decision.ts'
import type { ReasonCode } from '../planner/reasons.ts'
import type { PoolRun } from './run.ts'

/** These come and go with every launch. */
const passing: readonly ReasonCode[] = ['LAUNCH_IN_FLIGHT', 'LAUNCH_UNSETTLED']

/** Tells of the holds if their codes differ from those told before; returns what to hand in next time. */
export function tellHolds(run: PoolRun, decisions: readonly Decision[], before: string): string {
  const reasons = decisions.flatMap(({ kind, reason }) =>
    kind === 'hold' && !passing.includes(reason.code) ? [reason] : [],
  )
  const codes = [...new Set(reasons.map(({ code }) => code))].sort().join(' ')
  if (codes !== before) run.emit({ kind: 'held', reasons })
  return codes
}
