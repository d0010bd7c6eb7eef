// Problems and reasons as they leave the process: with a sentence for people, without what only this process can read.
import type { PoolStatus } from '../fleet/status.ts'
import type { Decision } from '../planner/decision.ts'
import { actReasons, type Reason } from '../planner/reasons.ts'
import { problemCodes } from '../problems/codes.ts'
import type { Problem } from '../problems/problem.ts'

export function problemView({ code, severity, message, remedy, details }: Problem) {
  return { code, severity, message, remedy, details }
}

/** `meaning` is what the code always means; `problem` says more in this case, where there is more to say. */
export function reasonView({ code, numbers, work, problem }: Reason & { problem?: Problem }) {
  const told = code in problemCodes ? problemCodes[code as keyof typeof problemCodes] : undefined
  return {
    code,
    meaning: told?.meaning ?? `${actReasons[code as keyof typeof actReasons]}.`,
    remedy: told?.remedy,
    numbers,
    work,
    problem: problem && problemView(problem),
  }
}

/** What the last turn did, and what it held back, each with its reason. */
export function decisionViews({ decisions, holds }: PoolStatus) {
  const made = decisions.filter(
    (decision): decision is Exclude<Decision, { kind: 'hold' }> => decision.kind !== 'hold',
  )
  return [
    ...made.map(({ reason, ...decision }) => ({ ...decision, reason: reasonView(reason) })),
    ...holds.map((hold) => ({ kind: 'hold' as const, reason: reasonView(hold) })),
  ]
}
