// What Compute Engine said, at once or inside an operation, as a problem of ours with its class.
import type { FailureClass } from '../../planner/instance.ts'
import type { ProblemCode } from '../../problems/codes.ts'
import { type Problem, type ProblemOptions, ProvisionError, problem } from '../../problems/problem.ts'
import { gceErrorIn } from './errors.ts'
import { rowOf } from './failure-table.ts'

export interface GceFailure {
  class: FailureClass
  problem: Problem
}

const codes = {
  capacity: 'PROVIDER_CAPACITY',
  quota: 'PROVIDER_QUOTA',
  throttle: 'PROVIDER_THROTTLED',
  config: 'PROVIDER_CONFIG',
  auth: 'PROVIDER_AUTH',
  transient: 'PROVIDER_TRANSIENT',
} as const satisfies Record<FailureClass, ProblemCode>

/** `doing` completes "could not …", such as `launch 3 g2-standard-8`. */
export function gceFailure(error: unknown, doing: string): GceFailure {
  if (error instanceof ProvisionError) return { class: 'config', problem: error.problems[0]! }
  const known = gceErrorIn(error)
  const message = error instanceof Error ? error.message : String(error)
  return refusal(codeOf(error), known?.message ?? message, doing, {
    status: known?.status,
    cause: error,
  })
}

/** The same for the errors inside an operation. */
export function refusal(
  reason: string,
  message: string,
  doing: string,
  { status, cause }: { status?: number | undefined; cause?: unknown } = {},
): GceFailure {
  const { class: kind, remedy } = rowOf(reason, message, status)
  const options: ProblemOptions = { details: { code: reason }, cause }
  if (remedy) options.remedy = remedy
  return { class: kind, problem: problem(codes[kind], `could not ${doing}: ${reason}: ${message}`, options) }
}

/** Google's reason, or `unknown`. */
export function codeOf(error: unknown): string {
  return gceErrorIn(error)?.reason ?? 'unknown'
}

export function isNotFound(error: unknown): boolean {
  return gceErrorIn(error)?.status === 404
}
