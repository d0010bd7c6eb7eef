// What went wrong between us and the master, as problems: the network, its certificate, or its own words.
import * as z from 'zod/mini'
import { classify, isCertificateCode, rootFault, withTlsCode } from '../../pki/classify.ts'
import { masterUrl } from '../../pki/master-address.ts'
import { type Problem, ProvisionError, problem } from '../../problems/problem.ts'
import type { HttpAnswer, Order } from './connections.ts'
import type { Endpoint } from './endpoint.ts'

/** Why there was no answer; `error` is what a request rejected with. */
export function connectionProblem(error: Error, { address, trust }: Endpoint): Problem {
  const fault = withTlsCode(rootFault(error as NodeJS.ErrnoException) ?? error)
  const code = classify({ phase: 'handshake', fault, timedOut: false, presented: [] })
  const options = { cause: error, details: { reason: code } }
  const message = (what: string) => `${masterUrl(address)}: ${what}`
  if (trust && isCertificateCode(code)) {
    const why =
      code === 'PREFLIGHT_WRONG_NAME'
        ? `its certificate is not valid for ${trust.name}`
        : `its certificate is refused (${plain(fault)}); trusted are ${trust.anchors}`
    return problem('DETERMINED_CERT_REFUSED', message(why), options)
  }
  if (code === 'PREFLIGHT_NOT_TLS')
    return problem('DETERMINED_SCHEME', message('the port does not speak TLS'), options)
  // A TLS port answers plain text with an alert, which is no HTTP.
  if (!trust && code === 'PREFLIGHT_NOT_HTTP')
    return problem('DETERMINED_SCHEME', message('plain http got no answer; the port may speak TLS'), options)
  return problem('DETERMINED_UNREACHABLE', message(plain(fault)), options)
}

/** Without Node's advice about its own options. */
function plain(fault: Error): string {
  return fault.message.split(/[;\n]/)[0]?.trim() || fault.name
}

/** `{"error": {"code", "reason", "error"}}` (origin: internal/grpcutil/errors.go). */
const failureWords = z.object({ error: z.object({ error: z.string() }) })

/** What the master says about its refusal; undefined when it is not the master that speaks. */
export function wordsOf({ text }: HttpAnswer): string | undefined {
  const said = failureWords.safeParse(jsonOf(text))
  return said.success ? said.data.error.error : undefined
}

/** For an answer that is not 200. */
export function refusal(order: Order, answer: HttpAnswer, endpoint: Endpoint): ProvisionError {
  const what = `${order.method} ${masterUrl(endpoint.address)}${order.path.split('?')[0]}`
  const words = wordsOf(answer)
  const message = `${what} is answered with ${answer.status}${words ? `: ${words}` : ''}`
  const code = answer.status === 403 ? 'DETERMINED_NOT_PERMITTED' : 'DETERMINED_FAULT'
  return new ProvisionError(problem(code, message, { details: { status: answer.status } }))
}

/** The JSON as the schema wants it; what does not fit is the master's fault, not that of whoever asked. */
export function parsed<T>(schema: z.ZodMiniType<T>, order: Order, { text }: HttpAnswer): T {
  const result = schema.safeParse(jsonOf(text))
  if (result.success) return result.data
  const [issue] = result.error.issues
  const place = issue?.path.join('.') || 'the whole'
  const message = `${order.method} ${order.path.split('?')[0]}: ${place} of the answer is not as expected (${issue?.message})`
  throw new ProvisionError(problem('DETERMINED_FAULT', message))
}

export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
