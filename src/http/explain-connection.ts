// Why there is no connection to a master, as a problem: what was dialled, what came back, what to do.

import { classify, isCertificateCode, type PreflightCode, rootFault, withTlsCode } from '../pki/classify.ts'
import { masterUrl } from '../pki/master-address.ts'
import { describe } from '../pki/preflight-explain.ts'
import type { ProblemCode } from '../problems/codes.ts'
import { type Problem, problem } from '../problems/problem.ts'
import { type Look, lookAt, type Stranger } from './stranger.ts'
import type { Target } from './target.ts'

type ClientCode = Extract<ProblemCode, `CLIENT_${string}`>

export interface NoConnection {
  problem: Problem
  /** Set when trusting what the master presents would be all that is missing. */
  stranger?: Stranger
}

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

/** `error` is what `exchange` rejected with; `met`: this master has answered before. Never rejects. */
export async function explainConnection(error: Error, target: Target, met: boolean): Promise<NoConnection> {
  const url = masterUrl(target.address)
  const fault = withTlsCode(rootFault(error) ?? error)
  const code = classify({ phase: 'handshake', fault, timedOut: false, presented: [] })
  if (isCertificateCode(code)) return explainCertificate(code, fault, target)
  const told = (client: ClientCode, what: string) => ({
    problem: problem(client, `${url}: ${what}`, { cause: error }),
  })
  if (code === 'PREFLIGHT_NOT_TLS') return told('CLIENT_SCHEME', 'the port does not speak TLS')
  // A TLS port answers plain text with an alert, which is no HTTP, or by hanging up.
  if (!met && !target.trust && /^(PREFLIGHT_NOT_HTTP|PREFLIGHT_CLOSED)/.test(code))
    return told('CLIENT_SCHEME', `plain http got no answer (${plain(fault)}); the port may speak TLS`)
  const why = unreachable[code]
  if (why) return told('CLIENT_UNREACHABLE', code === 'PREFLIGHT_UNREACHABLE' ? plain(fault) : why)
  return told(target.trust ? 'CLIENT_TLS_REFUSED' : 'CLIENT_UNREACHABLE', plain(fault))
}

/** A verifier neither tells whose certificate it refused, nor what else is wrong with one that is not trusted. */
async function explainCertificate(
  first: PreflightCode,
  fault: NodeJS.ErrnoException,
  target: Target,
): Promise<NoConnection> {
  const look = await lookAt(target)
  const isUntrusted = untrusted.includes(first)
  if (!isUntrusted) return { problem: certificateProblem(first, fault, target, look) }
  const { fault: trial, stranger } = look
  const further = trial && classify(trial)
  if (further && isCertificateCode(further) && !untrusted.includes(further))
    return { problem: certificateProblem(further, rootFault(trial.fault) ?? fault, target, look) }
  if (!stranger || !target.trust?.memory) return { problem: certificateProblem(first, fault, target, look) }
  return { problem: strangerProblem(stranger), stranger }
}

function certificateProblem(
  code: PreflightCode,
  fault: NodeJS.ErrnoException,
  target: Target,
  { presented }: Look,
): Problem {
  const { name, anchors, remedy } = target.trust!
  const options = { cause: fault, ...(remedy && { remedy }) }
  const shown = presented?.[0] ? describe(presented[0]) : 'a certificate'
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

/** With the command that trusts it: whoever runs it has compared the SHA-256. */
export function strangerProblem({ url, presented, signer, stored }: Stranger): Problem {
  const [leaf] = presented
  const fingerprint = `--fingerprint sha256:${leaf.sha256}`
  const details = { url, sha256: leaf.sha256, issuer: leaf.issuer, stored: stored?.[0]?.sha256 }
  if (!stored)
    return problem(
      'CLIENT_CERT_UNTRUSTED',
      `${url} presents ${describe(leaf)}, signed ${signer}; neither a well-known CA nor you vouch for it so far`,
      {
        remedy: `If this is the SHA-256 of the master's own certificate: provision trust add ${url} ${fingerprint}`,
        details,
      },
    )
  const before = stored[0] ? describe(stored[0]) : 'something that cannot be read'
  return problem(
    'CLIENT_CERT_CHANGED',
    `${url} presents another certificate than was trusted: now ${describe(leaf)}, signed ${signer}; stored is ${before}`,
    {
      remedy: `If the master was given this one: provision trust replace ${url} ${fingerprint}; if not, somebody stands in between.`,
      details,
    },
  )
}

/** Without OpenSSL's place in its own sources, and Node's advice about its own options. */
function plain(fault: Error): string {
  const [, reason] = /:SSL routines:[^:]*:([^:]+)/.exec(fault.message) ?? []
  if (reason) return `the TLS library says: ${reason}`
  return fault.message.split(/[;\n]/)[0]?.trim() || fault.name
}
