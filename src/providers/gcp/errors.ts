// What Google's APIs answer instead of a result, in one shape whatever layer it comes from.
import { type Failure, type FailureRow, failureFrom, ownFailure } from '../failure.ts'

export interface GceErrorOptions {
  /** HTTP status; undefined when there was no answer. */
  status?: number | undefined
  /** Milliseconds the server asks to wait. */
  retryAfterMs?: number | undefined
  cause?: unknown
}

export class GceError extends Error {
  /** Google's reason, such as `quotaExceeded`, or our own word where there is none. */
  readonly reason: string
  readonly status: number | undefined
  readonly retryAfterMs: number | undefined

  constructor(reason: string, message: string, { status, retryAfterMs, cause }: GceErrorOptions = {}) {
    super(message, { cause })
    this.name = 'GceError'
    this.reason = reason
    this.status = status
    this.retryAfterMs = retryAfterMs
  }
}

interface ErrorBody {
  error?: {
    code?: number
    message?: string
    status?: string
    errors?: { reason?: string; message?: string }[]
  }
}

/** https://cloud.google.com/compute/docs/api/how-tos/errors: the reason is inside, the status alone says little. */
export function errorOfAnswer(status: number, headers: Headers, body: string): GceError {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN)
  const options = { status, retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined }
  let parsed: ErrorBody = {}
  try {
    parsed = JSON.parse(body) as ErrorBody
  } catch {
    // A gateway's page says nothing of use.
  }
  const { errors: [first] = [], message, status: word } = parsed.error ?? {}
  const reason = first?.reason ?? word ?? `HTTP ${status}`
  return new GceError(reason, first?.message ?? message ?? `HTTP ${status} without a word`, options)
}

/** The client wraps what its transport threw. */
export function gceErrorIn(error: unknown): GceError | undefined {
  for (let inner = error; inner instanceof Error; inner = inner.cause)
    if (inner instanceof GceError) return inner
  return undefined
}

/** `doing` completes "could not …", such as `launch 3 g2-standard-8`. */
export function gceFailure(error: unknown, doing: string): Failure {
  const own = ownFailure(error)
  if (own) return own
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
): Failure {
  return failureFrom(rowOf(reason, message, status), doing, { code: reason, message, cause })
}

/** Google's reason, or `unknown`. */
export function codeOf(error: unknown): string {
  return gceErrorIn(error)?.reason ?? 'unknown'
}

export function isNotFound(error: unknown): boolean {
  return gceErrorIn(error)?.status === 404
}

const otherOfferings =
  'Nothing to do: it is tried again later. More zones, machine types or on-demand VMs help.'
const credentials =
  'Give the provisioner credentials: `gcloud auth application-default login`, GOOGLE_APPLICATION_CREDENTIALS, or the service account of the VM it runs on.'

const capacity: FailureRow = { class: 'capacity', remedy: otherOfferings }
const quota: FailureRow = {
  class: 'quota',
  remedy: 'Ask for more of the quota the message names (IAM & Admin, Quotas), or lower max_instances.',
}
const throttle: FailureRow = { class: 'throttle' }
const transient: FailureRow = { class: 'transient' }
const config: FailureRow = {
  class: 'config',
  remedy: 'Correct what the message names in the provider block.',
}
const role: FailureRow = {
  class: 'auth',
  remedy: 'Give the account the permission the message names; docs/gcp.md has the least role.',
}
const noCredentials: FailureRow = { class: 'auth', remedy: credentials }

/**
 * One table for both kinds of reasons: `camelCase` comes as an answer, `UPPER_CASE` inside an operation
 * (https://cloud.google.com/compute/docs/troubleshooting/troubleshooting-vm-creation).
 */
const failureTable: Record<string, FailureRow> = {
  ZONE_RESOURCE_POOL_EXHAUSTED: capacity,
  ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS: capacity,
  REGION_RESOURCE_POOL_EXHAUSTED: capacity,
  RESOURCE_POOL_EXHAUSTED: capacity,
  resourcePoolExhausted: capacity,
  insufficientCapacity: capacity,
  stockout: capacity,
  IP_SPACE_EXHAUSTED: { class: 'capacity', remedy: 'Use a larger subnetwork.' },
  IP_SPACE_EXHAUSTED_WITH_DETAILS: { class: 'capacity', remedy: 'Use a larger subnetwork.' },
  // Says only that there are fewer than one VM; the reasons are told by the VMs themselves.
  VM_MIN_COUNT_NOT_REACHED: capacity,
  // A spot VM that was taken back before it had started.
  UNSUPPORTED_OPERATION: capacity,

  QUOTA_EXCEEDED: quota,
  quotaExceeded: quota,
  limitExceeded: quota,
  RESOURCE_QUOTA_EXCEEDED: quota,

  rateLimitExceeded: throttle,
  userRateLimitExceeded: throttle,
  RATE_LIMIT_EXCEEDED: throttle,
  RESOURCE_OPERATION_RATE_EXCEEDED: throttle,
  resourceOperationRateExceeded: throttle,
  concurrentLimitExceeded: throttle,

  credentials: noCredentials,
  authError: noCredentials,
  UNAUTHENTICATED: noCredentials,
  forbidden: role,
  required: role,
  PERMISSION_DENIED: role,
  PERMISSIONS_ERROR: role,
  insufficientPermissions: {
    class: 'auth',
    remedy:
      'Let the VM the provisioner runs on have the scope https://www.googleapis.com/auth/cloud-platform.',
  },
  accessNotConfigured: { class: 'auth', remedy: 'Enable the API the message names in the project.' },
  SERVICE_DISABLED: { class: 'auth', remedy: 'Enable the API the message names in the project.' },
  BILLING_DISABLED: { class: 'auth', remedy: 'Enable billing for the project.' },
  SERVICE_ACCOUNT_ACCESS_DENIED: {
    class: 'auth',
    remedy: 'Grant the provisioner roles/iam.serviceAccountUser on the service account of the VMs.',
  },

  invalid: config,
  badRequest: config,
  notFound: config,
  RESOURCE_NOT_FOUND: config,
  INVALID_USAGE: config,
  INVALID_FIELD_VALUE: config,
  CONDITION_NOT_MET: config,
  conditionNotMet: config,
  resourceInUseByAnotherResource: {
    class: 'config',
    remedy: 'Turn off the deletion protection of the VM, or delete it by hand.',
  },

  RESOURCE_NOT_READY: transient,
  resourceNotReady: transient,
  INTERNAL_ERROR: transient,
  internalError: transient,
  backendError: transient,
  SERVICE_UNAVAILABLE: transient,
  timeout: transient,
  network: transient,
  notJson: transient,
}

/** For reasons the table does not name: what the message says, then the HTTP status. */
function rowOf(reason: string, message: string, status: number | undefined): FailureRow {
  const known = Object.hasOwn(failureTable, reason) ? failureTable[reason] : undefined
  // A quota and a limit of requests come with the same status, and some reasons are no more than that.
  if (/\bquota\b.*\bexceeded\b/i.test(message) && known?.class !== 'throttle') return quota
  if (known) return known
  if (/RESOURCE_POOL_EXHAUSTED|does not have enough resources/.test(`${reason} ${message}`)) return capacity
  if (/quota/i.test(reason)) return quota
  if (status === undefined || status >= 500) return transient
  if (status === 429) return throttle
  if (status === 401) return noCredentials
  return status === 403 ? role : config
}
