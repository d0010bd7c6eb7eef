// Errors of Google's APIs, or of a proxy in between, in one format.
import { proxyErrorCode, reasonOf } from '../../platform/index.ts'
import { type Failure, type FailureRow, failureFrom, ownFailure, proxyRemedy } from '../failure.ts'

export interface GceErrorOptions {
  /** HTTP status of Google's own response; undefined when there was no response, or another server answered. */
  status?: number | undefined
  /** Milliseconds that the server asks to wait. */
  retryAfterMs?: number | undefined
  cause?: unknown
}

export class GceError extends Error {
  /** Google's reason, such as `quotaExceeded`, or one of the provisioner's where there is none. */
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

export interface HttpAnswer {
  status: number
  headers: Headers
  text: string
  /** Host of the requested URL. */
  host: string
}

/**
 * https://cloud.google.com/compute/docs/api/how-tos/errors: the body contains the reason; the status alone is not
 * enough. A response without Google's JSON error comes from a gateway, a proxy or a portal, and proves nothing.
 */
export function errorOfAnswer(answer: HttpAnswer): GceError {
  const { status, headers } = answer
  const seconds = Number(headers.get('retry-after') ?? Number.NaN)
  const retryAfterMs = Number.isFinite(seconds) ? seconds * 1000 : undefined
  const { error } = (jsonOf(answer.text) ?? {}) as ErrorBody
  if (typeof error !== 'object' || error === null) return foreignAnswer(answer, retryAfterMs)
  const { errors: [first] = [], message, status: word } = error
  const reason = first?.reason ?? word ?? `HTTP ${status}`
  return new GceError(reason, first?.message ?? message ?? `HTTP ${status} without a message`, {
    status,
    retryAfterMs,
  })
}

/** The parsed body. Throws for one with status 200 that is not Google's: a web page must not be read as an empty response. */
export function bodyOfKind(answer: HttpAnswer, kind: string | undefined): unknown {
  const body = jsonOf(answer.text)
  if (kind === undefined ? isPermissions(body) : isMapping(body) && body['kind'] === kind) return body
  throw foreignAnswer(answer, undefined, kind)
}

/** The Resource Manager answers `{}` when none of the permissions is granted. */
function isPermissions(body: unknown): boolean {
  return isMapping(body) && Object.keys(body).every((name) => name === 'permissions')
}

function foreignAnswer({ status, headers, text, host }: HttpAnswer, retryAfterMs?: number, wanted?: string) {
  const instead = wanted ? ` instead of ${wanted}` : ''
  const message = `${host} answered HTTP ${status} with ${contentOf(text, headers)}${instead}: that is not Google's API`
  return new GceError('foreignAnswer', message, { retryAfterMs })
}

function contentOf(text: string, headers: Headers): string {
  if (!text.trim()) return 'an empty body'
  if (/^\s*<(?:!doctype|html)/i.test(text) || /\bhtml\b/.test(headers.get('content-type') ?? ''))
    return 'an HTML page'
  const body = jsonOf(text)
  if (!isMapping(body)) return body === undefined ? 'a body that is not JSON' : 'JSON that is not an object'
  return typeof body['kind'] === 'string' ? `a ${body['kind']}` : 'JSON without a known kind'
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

// Errors of Google's library for credentials: errors of the token server are temporary, a refusal is not.

/** @param file the value of GOOGLE_APPLICATION_CREDENTIALS */
export function credentialsError(error: unknown, file?: string): GceError {
  const { response, config, code } = error as TokenError
  const url = response?.config?.url ?? response?.url ?? config?.url
  const host = url && URL.canParse(String(url)) ? new URL(String(url)).host : 'the token server'
  if (response?.status !== undefined) {
    const { status } = response
    const headers = response.headers instanceof Headers ? response.headers : new Headers()
    const text = typeof response.data === 'string' ? response.data : JSON.stringify(response.data ?? '')
    const refusal = refusalIn(jsonOf(text))
    if (refusal && status < 500 && status !== 429)
      return new GceError('credentials', `${host} rejected the credentials: ${refusal}`, { cause: error })
    const said = refusal ?? contentOf(text === '""' ? '' : text, headers)
    return new GceError('tokenServer', `${host} returned no token: HTTP ${status} with ${said}`, {
      cause: error,
    })
  }
  if (typeof code === 'string' && /^ERR_OSSL|^ERR_CRYPTO/.test(code))
    return new GceError(
      'credentials',
      `the private key in ${file || 'the credentials file'} cannot be read`,
      { cause: error },
    )
  if (isProxyError(error)) return new GceError('proxy', reasonOf(error), { cause: error })
  // A request was sent and not answered; errors of the library itself have no URL.
  if (config)
    return new GceError('tokenServer', `${host} returned no token: ${reasonOf(error)}`, { cause: error })
  return new GceError('credentials', reasonOf(error), { cause: error })
}

/** A proxy could not be reached, or refused. */
export function isProxyError(error: unknown): boolean {
  for (let inner = error; inner instanceof Error; inner = inner.cause)
    if ('code' in inner && inner.code === proxyErrorCode) return true
  return false
}

/** The part of gaxios's error that is read. */
interface TokenError {
  code?: unknown
  config?: { url?: string | URL }
  response?: {
    status?: number
    url?: string
    headers?: unknown
    data?: unknown
    config?: { url?: string | URL }
  }
}

/** `invalid_grant: why` (RFC 6749, 5.2), or Google's own error; undefined for anything else. */
function refusalIn(body: unknown): string | undefined {
  if (!isMapping(body)) return undefined
  const { error, error_description: description } = body
  if (typeof error === 'string') return typeof description === 'string' ? `${error}: ${description}` : error
  if (!isMapping(error)) return undefined
  const { status, message } = error
  return [status, message].filter((part) => typeof part === 'string').join(': ') || undefined
}

/** Finds the error of the transport, which the client wraps. */
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

const otherOfferings = 'The launch is retried. Add zones, machine types or on-demand instances.'
const credentials =
  'Provide credentials: `gcloud auth application-default login`, GOOGLE_APPLICATION_CREDENTIALS, or the service account of the instance it runs on.'

const capacity: FailureRow = { class: 'capacity', remedy: otherOfferings }
const quota: FailureRow = {
  class: 'quota',
  remedy:
    'Request a higher limit for the quota in the message (IAM & Admin, Quotas), or lower max_instances.',
}
/** It is missing, used up, or for other machines: the next offering is tried. */
const reservation: FailureRow = {
  class: 'capacity',
  remedy: 'Compare it with `gcloud compute reservations describe`, or remove capacity.',
}
const throttle: FailureRow = { class: 'throttle' }
const transient: FailureRow = { class: 'transient' }
const config: FailureRow = {
  class: 'config',
  remedy: 'Correct the field in the message in the provider block.',
}
const role: FailureRow = {
  class: 'auth',
  remedy: 'Grant the account the permission in the message; docs/gcp.md describes the minimal role.',
}
const noCredentials: FailureRow = { class: 'auth', remedy: credentials }

/**
 * One table for both kinds of reasons: `camelCase` in a response, `UPPER_CASE` inside an operation
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
  // Only means that fewer than one VM was created; the operations of the VMs have the reasons.
  VM_MIN_COUNT_NOT_REACHED: capacity,
  // A spot VM that was interrupted before it had started.
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
      'Grant the instance on which the provisioner runs the scope https://www.googleapis.com/auth/cloud-platform.',
  },
  accessNotConfigured: { class: 'auth', remedy: 'Enable the API named in the message for the project.' },
  SERVICE_DISABLED: { class: 'auth', remedy: 'Enable the API named in the message for the project.' },
  BILLING_DISABLED: { class: 'auth', remedy: 'Enable billing for the project.' },
  SERVICE_ACCOUNT_ACCESS_DENIED: {
    class: 'auth',
    remedy: 'Grant the provisioner roles/iam.serviceAccountUser on the service account of the instances.',
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
    remedy: 'Turn off the deletion protection of the instance, or delete it by hand.',
  },

  RESOURCE_NOT_READY: transient,
  resourceNotReady: transient,
  INTERNAL_ERROR: transient,
  internalError: transient,
  backendError: transient,
  SERVICE_UNAVAILABLE: transient,
  timeout: transient,
  network: transient,
  foreignAnswer: transient,
  tokenServer: transient,
  proxy: { class: 'transient', remedy: proxyRemedy },
}

/** For reasons that are not in the table: uses the message, then the HTTP status. */
function rowOf(reason: string, message: string, status: number | undefined): FailureRow {
  const known = Object.hasOwn(failureTable, reason) ? failureTable[reason] : undefined
  // Exceeded quotas and rate limits have the same status, and some reasons contain no more than that. Those of requests
  // name a time, such as "limit 'Queries per minute'".
  if (status === 429 || /\bquota\b.*\bper (?:second|minute|day|\d+ seconds)\b/i.test(message)) return throttle
  if (/\bquota\b.*\bexceeded\b/i.test(message) && known?.class !== 'throttle') return quota
  if (known?.class === 'config' && /\breservation/i.test(message)) return reservation
  if (known) return known
  if (/RESOURCE_POOL_EXHAUSTED|does not have enough resources/.test(`${reason} ${message}`)) return capacity
  if (/quota/i.test(reason)) return quota
  if (status === undefined || status >= 500) return transient
  if (status === 429) return throttle
  if (status === 401) return noCredentials
  return status === 403 ? role : config
}
