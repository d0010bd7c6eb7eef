// A master whose certificate no trusted CA vouches for: what it presents, and whether trusting that would be enough.

import {
  type AgentDialOptions,
  classify,
  type DialOutcome,
  type DialTrust,
  describe,
  dialMaster,
  dialOptions,
  endsInRoot,
  faultText,
  isCertificateCode,
  masterUrl,
  type PreflightCode,
  type PresentedCertificate,
  presentedFacts,
  readCertificates,
  rootFault,
  withTlsCode,
} from '../pki/index.ts'
import { type Problem, type ProblemCode, ProvisionError, problem } from '../problems/index.ts'
import type { Target } from './target.ts'

export interface UntrustedServer {
  url: string
  /** In its order; the first is the server's. */
  presented: [PresentedCertificate, ...PresentedCertificate[]]
  /** The same for the trust store, each once. */
  pem: string
  /** A root is among them, without which Python before 3.13 trusts none of them. */
  hasRoot: boolean
  /** Who signed it, in words that go on after `signed`. */
  signer: string
  /** What was stored for this master; empty when that cannot be read. */
  stored?: PresentedCertificate[]
}

export interface Look {
  /** What the master presents; undefined when it does not come so far. */
  presented?: PresentedCertificate[]
  /** Set when trusting what is presented would be enough. */
  stranger?: UntrustedServer
  /** What would still be wrong with it: its name, its dates, its strength. */
  fault?: DialOutcome
}

/** Milliseconds for each look at a refused certificate, and for the first answer of a master that may be trusted. */
const dialMs = 5000
const answerMs = 10_000

/** Dials without verifying, and then once more with nothing but what was presented. Nothing is sent but GET /info. */
export async function lookAt(target: Target): Promise<Look> {
  const { presented: sent } = await dialWith(target, { verify: false })
  const certificates = [...new Map(sent.map((x509) => [x509.fingerprint256, x509])).values()]
  const [leaf, ...others] = certificates.map(presentedFacts)
  if (!leaf) return {}
  const presented: UntrustedServer['presented'] = [leaf, ...others]
  const pem = certificates.map(String).join('')
  const trial = await dialWith(target, { ca: pem, partialChain: true })
  // With a protocol agreed on, whatever failed came after TLS.
  if (trial.fault && trial.protocol === undefined) return { presented, fault: trial }
  const stored = target.trust?.memory?.stored?.map(({ x509 }) => presentedFacts(x509))
  const stranger = {
    url: masterUrl(target.address) + target.prefix,
    presented,
    pem,
    hasRoot: endsInRoot(presented),
    signer: signerOf(leaf, stored),
    ...(stored && { stored }),
  }
  return { presented, stranger }
}

function dialWith(target: Target, how: Omit<DialTrust, 'name'>): Promise<DialOutcome> {
  const { name, options } = target.trust!
  return dial(target, { ...dialOptions({ name, ...how }), servername: options.servername }, dialMs)
}

function dial({ address: { host, port } }: Target, tls: AgentDialOptions, budgetMs: number) {
  const signal = AbortSignal.timeout(budgetMs)
  return dialMaster({ host, port, authority: host, tls, budgetMs, signal })
}

function signerOf(leaf: PresentedCertificate, stored: PresentedCertificate[] = []): string {
  if (leaf.issuer === leaf.subject) return 'by itself'
  const namesake = stored.some(({ subject }) => subject === leaf.issuer)
  return namesake
    ? `by ${leaf.issuer}, which has the name of a CA that was stored, but another key`
    : `by ${leaf.issuer}`
}

/** Whether a master is trusted already, or could be: what `provision trust add` and `trust replace` ask. */
export type TrustProbe =
  | { stranger: UntrustedServer }
  /** By a well-known CA, or by what is stored. */
  | { trusted: PresentedCertificate[]; pem: string }

/** Throws why trusting it would not be enough, or why it cannot be reached. The master may be of any product. */
export async function probeTrust(target: Target): Promise<TrustProbe> {
  const { protocol, presented, fault } = await dial(target, target.trust!.options, answerMs)
  // With a protocol agreed on, its certificate was taken, whatever came after.
  if (protocol !== undefined)
    return { trusted: presented.map(presentedFacts), pem: presented.map(String).join('') }
  const silence = Object.assign(new Error(`no answer within ${answerMs / 1000} s`), { code: 'ETIMEDOUT' })
  const { problem, stranger } = await explainConnection(fault ?? silence, target, false)
  if (!stranger) throw new ProvisionError(problem)
  return { stranger }
}

/** An entry of the trust store as people and programs look at it. */
export interface TrustedMaster {
  url: string
  /** The server's first; empty when what is stored cannot be read. */
  certificates: PresentedCertificate[]
  /** Python before 3.13 needs the root. */
  hasRoot: boolean
}

/** In the order of their URLs. */
export function trustedMasters(entries: Record<string, string>): TrustedMaster[] {
  return Object.entries(entries)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([url, pem]) => {
      const certificates = readCertificates(pem, url).certificates.map(({ x509 }) => presentedFacts(x509))
      return { url, certificates, hasRoot: endsInRoot(certificates) }
    })
}

type ClientCode = Extract<ProblemCode, `CLIENT_${string}`>

/** Why there is no connection to a master: what was dialled, what came back, what to do. */
export interface NoConnection {
  problem: Problem
  /** Set when trusting what the master presents would be all that is missing. */
  stranger?: UntrustedServer
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
    return told('CLIENT_SCHEME', `plain http got no answer (${faultText(fault)}); the port may speak TLS`)
  const why = unreachable[code]
  if (why) return told('CLIENT_UNREACHABLE', code === 'PREFLIGHT_UNREACHABLE' ? faultText(fault) : why)
  return told(target.trust ? 'CLIENT_TLS_REFUSED' : 'CLIENT_UNREACHABLE', faultText(fault))
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
  return { problem: untrustedProblem(stranger), stranger }
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
  return problem('CLIENT_CERT_UNUSABLE', message(faultText(fault)), { cause: fault })
}

/** With the command that trusts it: whoever runs it has compared the SHA-256. */
export function untrustedProblem({ url, presented, signer, stored }: UntrustedServer): Problem {
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
