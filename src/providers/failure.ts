// Cloud errors by class: one code for each class, independent of the cloud's own codes.
import type { FailureClass } from '../planner/index.ts'
import {
  type Problem,
  type ProblemCode,
  type ProblemOptions,
  ProvisionError,
  problem,
} from '../problems/index.ts'
import type { CheckItem } from './contract.ts'

export interface Failure {
  class: FailureClass
  problem: Problem
}

/** The meaning of a cloud's own code. */
export interface FailureRow {
  class: FailureClass
  /** Left out: that of the problem's code. */
  remedy?: string | undefined
}

/** A cloud's error as a failure; `doing` completes "could not …", such as `launch 3 g5.xlarge`. */
export type FailureOf = (error: unknown, doing: string) => Failure

const codes = {
  capacity: 'PROVIDER_CAPACITY',
  quota: 'PROVIDER_QUOTA',
  throttle: 'PROVIDER_THROTTLED',
  config: 'PROVIDER_CONFIG',
  auth: 'PROVIDER_AUTH',
  transient: 'PROVIDER_TRANSIENT',
} as const satisfies Record<FailureClass, ProblemCode>

export interface CloudError {
  /** The cloud's own code. */
  code: string
  message: string
  /** What programs should know besides the code. */
  details?: Record<string, unknown>
  cause?: unknown
}

export function failureFrom(row: FailureRow, doing: string, error: CloudError): Failure {
  const { code, message, details, cause } = error
  const options: ProblemOptions = { details: { code, ...details } }
  if (cause !== undefined) options.cause = cause
  if (row.remedy) options.remedy = row.remedy
  return {
    class: row.class,
    problem: problem(codes[row.class], `could not ${doing}: ${code}: ${message}`, options),
  }
}

/** A problem found before the cloud was asked, such as an image that does not exist; undefined for other errors. */
export function ownFailure(error: unknown): Failure | undefined {
  return error instanceof ProvisionError ? { class: 'config', problem: error.problems[0]! } : undefined
}

/** For a call whose result has no room for a failure: throws it as a ProvisionError. */
export async function orProblem<T>(
  failureOf: FailureOf,
  doing: string,
  ask: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    signal?.throwIfAborted()
    throw new ProvisionError(failureOf(error, doing).problem)
  }
}

// Collects what `provision check` finds on a cloud: every item, also after one that failed.

/**
 * Adds one item to the list: no problem, the one `judge` finds, or the cloud's refusal. Resolves with what was found,
 * or with undefined after a refusal.
 */
export type Attempt = <T>(
  items: CheckItem[],
  what: string,
  look: () => Promise<T>,
  judge?: (found: T) => Problem | undefined,
) => Promise<T | undefined>

export function attemptWith(failureOf: FailureOf): Attempt {
  return async (items, what, look, judge) => {
    try {
      const found = await look()
      const fault = judge?.(found)
      items.push(fault ? { what, problem: fault } : { what })
      return found
    } catch (error) {
      items.push({ what, problem: failureOf(error, `find ${what}`).problem })
      return undefined
    }
  }
}

/** A mistake in the provider block that only the cloud could show. */
export function fault(message: string, remedy?: string): Problem {
  return problem('PROVIDER_CONFIG', message, remedy ? { remedy } : {})
}
