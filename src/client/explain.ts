// Why there is no connection to a master, as a problem: what was dialled, what came back, what to do.
import { masterUrl } from '../model/master-address.ts'
import { type Problem, problem } from '../model/problem.ts'
import type { ProblemCode } from '../model/problem-codes.ts'
import { dialOptions } from '../tls/dial-options.ts'
import {
  classify,
  isCertificateCode,
  type PreflightCode,
  rootFault,
  withTlsCode,
} from '../tls/preflight/classify.ts'
import { dialMaster } from '../tls/preflight/dial.ts'
import { describe } from '../tls/preflight/explain.ts'
import { presentedFacts } from '../tls/preflight/presented.ts'
import type { Target } from './target.ts'

type ClientCode = Extract<ProblemCode, `CLIENT_${string}`>

const unreachable: Partial<Record<PreflightCode, string>> = {
  PREFLIGHT_DNS_NOT_FOUND: 'its host has no address here',
  PREFLIGHT_DNS_FAILED: 'the name server gave no answer',
  PREFLIGHT_REFUSED: 'nothing listens there',
  PREFLIGHT_UNREACHABLE: 'no answer in time',
  PREFLIGHT_NO_ROUTE: 'there is no route to it',
  PREFLIGHT_CLOSED_IN_HANDSHAKE: 'the connection was cut',
  PREFLIGHT_CLOSED_AFTER_CONNECT: 'the connection was cut',
}

const untrusted: readonly PreflightCode[] = [
  'PREFLIGHT_UNKNOWN_CA',
  'PREFLIGHT_OTHER_SELF_SIGNED',
  'PREFLIGHT_MISSING_INTERMEDIATE',
  'PREFLIGHT_ROOT_MISSING',
  'PREFLIGHT_BAD_SIGNATURE',
]

/** Milliseconds for the second look at a refused certificate. */
const secondLook = 5000

/** `error` is what `exchange` rejected with; `met`: this master has answered before. Never rejects. */
export async function connectionProblem(error: Error, target: Target, met: boolean): Promise<Problem> {
  const url = masterUrl(target.address)
  const fault = withTlsCode(rootFault(error) ?? error)
  const code = classify({ phase: 'handshake', fault, timedOut: false, presented: [] })
  if (isCertificateCode(code)) return certificateProblem(code, fault, target)
  const told = (client: ClientCode, what: string) => problem(client, `${url}: ${what}`, { cause: error })
  if (code === 'PREFLIGHT_NOT_TLS') return told('CLIENT_SCHEME', 'the port does not speak TLS')
  // A TLS port answers plain text with an alert, which is no HTTP, or by hanging up.
  if (!met && !target.trust && /^(PREFLIGHT_NOT_HTTP|PREFLIGHT_CLOSED)/.test(code))
    return told('CLIENT_SCHEME', `plain http got no answer (${plain(fault)}); the port may speak TLS`)
  const why = unreachable[code]
  if (why) return told('CLIENT_UNREACHABLE', code === 'PREFLIGHT_UNREACHABLE' ? plain(fault) : why)
  return told(target.trust ? 'CLIENT_TLS_REFUSED' : 'CLIENT_UNREACHABLE', plain(fault))
}

async function certificateProblem(
  code: PreflightCode,
  fault: NodeJS.ErrnoException,
  target: Target,
): Promise<Problem> {
  const { name, anchors, remedy } = target.trust!
  const options = { cause: fault, ...(remedy && { remedy }) }
  const shown = await presentedBy(target)
  const message = (what: string) => `${masterUrl(target.address)} presents ${shown}; ${what}`
  if (untrusted.includes(code))
    return problem(
      'CLIENT_CERT_UNTRUSTED',
      message(`no CA of those trusted here issued it: ${anchors}`),
      options,
    )
  if (code === 'PREFLIGHT_WRONG_NAME')
    return problem('CLIENT_CERT_NAME', message(`it is not valid for ${name}`), options)
  return problem('CLIENT_CERT_UNUSABLE', message(plain(fault)), { cause: fault })
}

/** A verifier does not tell whose certificate it refused. */
async function presentedBy({ address: { host, port }, trust }: Target): Promise<string> {
  const { presented } = await dialMaster({
    host,
    port,
    authority: host,
    tls: { ...dialOptions({ name: trust!.name, verify: false }), servername: trust!.options.servername },
    budgetMs: secondLook,
    signal: AbortSignal.timeout(secondLook),
  })
  return presented[0] ? describe(presentedFacts(presented[0])) : 'a certificate'
}

/** Without Node's advice about its own options. */
function plain(fault: Error): string {
  return fault.message.split(/[;\n]/)[0]?.trim() || fault.name
}
