// What EC2 or its SDK said, as a problem of ours with its class.
import type { FailureClass } from '../../planner/instance.ts'
import type { ProblemCode } from '../../problems/codes.ts'
import { type Problem, type ProblemOptions, ProvisionError, problem } from '../../problems/problem.ts'
import { rowOf } from './failure-table.ts'

export interface Ec2Failure {
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

/** `doing` completes "could not …", such as `launch 3 g5.xlarge`. */
export function ec2Failure(error: unknown, doing: string): Ec2Failure {
  if (error instanceof ProvisionError) return { class: 'config', problem: error.problems[0]! }
  const { code, status, message } = read(error)
  return refusal(code, message, doing, { status, cause: error })
}

/** The same for the errors that come inside an answer, as a fleet's do. */
export function refusal(
  code: string,
  message: string,
  doing: string,
  { status, cause }: { status?: number | undefined; cause?: unknown } = {},
): Ec2Failure {
  const row = rowOf(code, status)
  const { text, action, encoded } = authorization(message)
  const options: ProblemOptions = { details: { code, ...(action ? { action } : {}) } }
  if (cause !== undefined) options.cause = cause
  const remedy = remedyOf(row.remedy, action, encoded)
  if (remedy) options.remedy = remedy
  return {
    class: row.class,
    problem: problem(codes[row.class], `could not ${doing}: ${code}: ${text}`, options),
  }
}

/** The EC2 error code, or the name the SDK or the operating system gives the error. */
export function codeOf(error: unknown): string {
  return read(error).code
}

interface SdkError extends Error {
  code?: unknown
  $metadata?: { httpStatusCode?: number }
}

function read(error: unknown): { code: string; status: number | undefined; message: string } {
  if (!(error instanceof Error)) return { code: 'Error', status: undefined, message: String(error) }
  const { name, code, message, $metadata } = error as SdkError
  const status = $metadata?.httpStatusCode
  // A gateway's page instead of EC2's XML, which the SDK makes nothing of.
  if (name === 'Unknown') return { code: `HTTP ${status}`, status, message: 'the answer is not from EC2' }
  // Refused connections are plain Errors with errno's name.
  const known = name === 'Error' && typeof code === 'string' ? code : name
  return { code: known, status, message: message || known }
}

/**
 * The action that is not allowed, from the sentence AWS writes; the encoded reason is cut out, because it is a screenful
 * that only AWS can read (https://docs.aws.amazon.com/STS/latest/APIReference/API_DecodeAuthorizationMessage.html).
 */
function authorization(message: string): { text: string; action?: string; encoded?: string } {
  const encoded = /Encoded authorization failure message:\s*(\S+)/.exec(message)?.[1]
  const action = /\b(?:perform|performing):?\s+([a-z0-9-]+:[A-Za-z]+)/.exec(message)?.[1]
  const text = message
    .replace(/\s*Encoded authorization failure message:\s*\S+\s*/, ' ')
    .trim()
    .replace(/\.$/, '')
  return { text, ...(action ? { action } : {}), ...(encoded ? { encoded } : {}) }
}

function remedyOf(remedy: string | undefined, action: string | undefined, encoded: string | undefined) {
  const allow = action ? `Allow ${action} in the IAM policy of the provisioner.` : remedy
  return encoded
    ? `${allow ?? ''} \`aws sts decode-authorization-message --encoded-message ${encoded}\` says why.`.trim()
    : allow
}
