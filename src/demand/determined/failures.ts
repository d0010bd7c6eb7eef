// Errors between the provisioner and the master as problems: of the network, the certificate, or an error response.
import * as z from 'zod/mini'
import { classify, isCertificateCode, masterUrl, rootFault, withTlsCode } from '../../pki/index.ts'
import {
  type Clock,
  delayAfter,
  type Logger,
  masterProxyRemedy,
  proxyErrorCode,
} from '../../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../../problems/index.ts'
import type { Endpoint, HttpAnswer, Order } from './connections.ts'

/** Why there was no response; `error` is what a request rejected with. */
export function connectionProblem(error: Error, { address, trust }: Endpoint): Problem {
  const fault = withTlsCode(rootFault(error as NodeJS.ErrnoException) ?? error)
  const code = classify({ phase: 'handshake', fault, timedOut: false, presented: [] })
  const options = { cause: error, details: { reason: code } }
  const message = (what: string) => `${masterUrl(address)}: ${what}`
  if (trust && isCertificateCode(code)) {
    const why =
      code === 'PREFLIGHT_WRONG_NAME'
        ? `its certificate is not valid for ${trust.name}`
        : `its certificate is rejected (${plain(fault)}); trusted: ${trust.anchors}`
    return problem('DETERMINED_CERT_REFUSED', message(why), options)
  }
  if (code === 'PREFLIGHT_NOT_TLS')
    return problem('DETERMINED_SCHEME', message('the port does not speak TLS'), options)
  // A TLS port answers plain text with an alert, which is not HTTP.
  if (!trust && code === 'PREFLIGHT_NOT_HTTP')
    return problem(
      'DETERMINED_SCHEME',
      message('no response over plain http; the port may require TLS'),
      options,
    )
  const isOfProxy = 'code' in fault && fault.code === proxyErrorCode
  return problem('DETERMINED_UNREACHABLE', message(plain(fault)), {
    ...options,
    ...(isOfProxy && { remedy: masterProxyRemedy }),
  })
}

/** Without Node's advice about its own options. */
function plain(fault: Error): string {
  return fault.message.split(/[;\n]/)[0]?.trim() || fault.name
}

/** `{"error": {"code", "reason", "error"}}` (Determined: internal/grpcutil/errors.go). */
const failureWords = z.object({ error: z.object({ error: z.string() }) })

/** The master's error message; undefined when the response is not from the master. */
export function wordsOf({ text }: HttpAnswer): string | undefined {
  const parsedBody = failureWords.safeParse(jsonOf(text))
  return parsedBody.success ? parsedBody.data.error.error : undefined
}

/** For a response with a status other than 200. */
export function refusal(order: Order, answer: HttpAnswer, endpoint: Endpoint): ProvisionError {
  const what = `${order.method} ${masterUrl(endpoint.address)}${order.path.split('?')[0]}`
  const words = wordsOf(answer)
  const message = `${what} returned status ${answer.status}${words ? `: ${words}` : ''}`
  const code = answer.status === 403 ? 'DETERMINED_NOT_PERMITTED' : 'DETERMINED_FAULT'
  return new ProvisionError(problem(code, message, { details: { status: answer.status } }))
}

/** The JSON parsed by the schema; a mismatch is reported as the master's fault, not the caller's. */
export function parsed<T>(schema: z.ZodMiniType<T>, order: Order, { text }: HttpAnswer): T {
  const result = schema.safeParse(jsonOf(text))
  if (result.success) return result.data
  const [issue] = result.error.issues
  const place = issue?.path.join('.') || 'the whole body'
  const message = `${order.method} ${order.path.split('?')[0]}: unexpected response: ${place} (${issue?.message})`
  throw new ProvisionError(problem('DETERMINED_FAULT', message))
}

export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

// Tracks outages of the master, and when to retry.

export interface Outage {
  /** Why the master cannot be used; undefined while it responds. */
  problem(): Problem | undefined
  /** Milliseconds until the next request is allowed; 0 while it responds. */
  wait(): number
  /** Runs the task. During the wait it throws the last failure again, without a request. */
  attempt<T>(task: () => Promise<T>): Promise<T>
}

export interface OutageOptions {
  clock: Clock
  /** From 0 up to 1. */
  random: () => number
  logger: Logger
  /** A failure after the abort shows nothing about the master. */
  signal: AbortSignal
}

const growth = { first: 1_000, most: 30_000 }
/** Milliseconds at most while no request reaches the master: it cannot be overloaded by them, and is needed once the link is back. */
const longestUnreached = 4_000

export function watchOutage({ clock, random, logger, signal }: OutageOptions): Outage {
  let failures = 0
  let since = 0
  let retryAt = 0
  let last: ProvisionError | undefined

  function failed(error: ProvisionError): void {
    if (failures++ === 0) since = clock.now()
    const most = error.code === 'DETERMINED_UNREACHABLE' ? longestUnreached : growth.most
    retryAt = clock.now() + delayAfter(failures, { ...growth, most }, random)
    if (last?.message !== error.message)
      logger.warn('the Determined master cannot be used; launches and terminations are paused', {
        code: error.code,
        why: error.problems[0]?.message,
      })
    last = error
  }

  return {
    problem: () => last?.problems[0],
    wait: () => (last ? Math.max(0, retryAt - clock.now()) : 0),
    async attempt(task) {
      if (last && clock.now() < retryAt) throw last
      try {
        const answer = await task()
        if (last)
          logger.info('the Determined master responds again', { seconds: (clock.now() - since) / 1000 })
        last = undefined
        failures = 0
        return answer
      } catch (error) {
        if (signal.aborted) throw error
        const known = error instanceof ProvisionError ? error : unknown(error)
        failed(known)
        throw known
      }
    },
  }
}

function unknown(cause: unknown): ProvisionError {
  const message = `cannot read the Determined master: ${cause instanceof Error ? cause.message : String(cause)}`
  return new ProvisionError(problem('INTERNAL', message, { cause }))
}
