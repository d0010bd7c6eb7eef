// What Google's APIs answer instead of a result, in one shape whatever layer it comes from.

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
