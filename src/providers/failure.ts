// Errors of clouds by class: one code for each class, independent of the cloud's own codes.
import type { FailureClass } from '../planner/index.ts'
import { notSentIn } from '../platform/index.ts'
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
  /** Default: the remedy of the problem's code. */
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

/** For a connection that a proxy did not open. */
export const proxyRemedy =
  'Let the proxy connect to the host in the message, correct the proxy and its password in the variable, or add the host to NO_PROXY. The call is retried.'

export interface CloudError {
  /** The cloud's own code. */
  code: string
  message: string
  /** Data for programs, in addition to the code. */
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

/**
 * The failure in a problem found before the cloud was called, such as a missing image; undefined for other errors. A request
 * that `mayAct` stopped is no mistake of the configuration: whoever may act can send it.
 */
export function ownFailure(error: unknown): Failure | undefined {
  if (!(error instanceof ProvisionError)) return undefined
  return { class: notSentIn(error) ? 'transient' : 'config', problem: error.problems[0]! }
}

/** Whether a call has failed because no answer of the cloud arrived, as while a link is cut: more calls cannot burden the cloud. */
export function isUnanswered({ code, cause }: Problem): boolean {
  let isAnswered = code !== 'PROVIDER_TRANSIENT' || cause === undefined
  for (let inner = cause; inner instanceof Error; inner = inner.cause) {
    const { status, $metadata } = inner as { status?: unknown; $metadata?: { httpStatusCode?: unknown } }
    isAnswered ||= typeof (status ?? $metadata?.httpStatusCode) === 'number'
  }
  return !isAnswered
}

/** For a call whose result cannot contain a failure: throws it as a ProvisionError. */
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

// Collects the results of `provision check` on a cloud: every item, also after one that failed.

/**
 * Adds one item to the list: without a problem, with the one that `judge` finds, or with the cloud's error. Resolves with
 * the response, or with undefined after an error.
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

/** An error in the provider block that only the cloud could find. */
export function fault(message: string, remedy?: string): Problem {
  return problem('PROVIDER_CONFIG', message, remedy ? { remedy } : {})
}
