// A master whose certificate no trusted CA signed: the certificates it presents, and whether trusting them would be
// enough.

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
import { masterProxyRemedy, openTunnel, proxyErrorCode, proxyFor } from '../platform/index.ts'
import { type Problem, type ProblemCode, ProvisionError, problem } from '../problems/index.ts'
import type { Target } from './target.ts'

export interface UntrustedServer {
  url: string
  /** In the order sent; the first is the server's. */
  presented: [PresentedCertificate, ...PresentedCertificate[]]
  /** The same for the trust store, each once. */
  pem: string
  /** The certificates include a root; without one, Python before 3.13 trusts none of them. */
  hasRoot: boolean
  /** Who signed it; completes `signed …`. */
  signer: string
  /** The certificates stored for this master; empty when they cannot be read. */
  stored?: PresentedCertificate[]
}

export interface Inspection {
  /** The certificates that the master presents; undefined when the handshake fails earlier. */
  presented?: PresentedCertificate[]
  /** Set when trusting the presented certificates would be enough. */
  untrusted?: UntrustedServer
  /** What would still be wrong: the name, the dates, the key strength. */
  fault?: DialOutcome
}

/**
 * Milliseconds for each probe of a rejected certificate, and for the first response of a master that may be trusted.
 */
const dialMs = 5000
const answerMs = 10_000

/** Dials without verification, then again trusting only the presented certificates. Sends only GET /info. */
export async function inspect(target: Target): Promise<Inspection> {
  const { presented: sent } = await dialWith(target, { verify: false })
  const certificates = [...new Map(sent.map((x509) => [x509.fingerprint256, x509])).values()]
  const [leaf, ...others] = certificates.map(presentedFacts)
  if (!leaf) return {}
  const presented: UntrustedServer['presented'] = [leaf, ...others]
  const pem = certificates.map(String).join('')
  const trial = await dialWith(target, { ca: pem, partialChain: true })
  // Once a protocol is agreed on, the failure came after TLS.
  if (trial.fault && trial.protocol === undefined) return { presented, fault: trial }
  const stored = target.trust?.memory?.stored?.map(({ x509 }) => presentedFacts(x509))
  const untrusted = {
    url: masterUrl(target.address) + target.prefix,
    presented,
    pem,
    hasRoot: endsInRoot(presented),
    signer: signerOf(leaf, stored),
    ...(stored && { stored }),
  }
  return { presented, untrusted }
}

function dialWith(target: Target, how: Omit<DialTrust, 'name'>): Promise<DialOutcome> {
  const { name, options } = target.trust!
  return dial(target, { ...dialOptions({ name, ...how }), servername: options.servername }, dialMs)
}

function dial({ address, env }: Target, tls: AgentDialOptions, budgetMs: number) {
  const { host, port } = address
  const signal = AbortSignal.timeout(budgetMs)
  const proxy = proxyFor(address, env ?? {})
  const tunnel = proxy && (() => openTunnel(proxy, address, budgetMs))
  return dialMaster({ host, port, authority: host, tls, budgetMs, signal, tunnel })
}

function signerOf(leaf: PresentedCertificate, stored: PresentedCertificate[] = []): string {
  if (leaf.issuer === leaf.subject) return 'by itself'
  const namesake = stored.some(({ subject }) => subject === leaf.issuer)
  return namesake
    ? `by ${leaf.issuer}, which has the name of a CA that was stored, but another key`
    : `by ${leaf.issuer}`
}

/** Whether a master is trusted already, or could be: for `provision trust add` and `trust replace`. */
export type TrustProbe =
  | { untrusted: UntrustedServer }
  /** By a well-known CA, or by the trust store. */
  | { trusted: PresentedCertificate[]; pem: string }

/**
 * Throws a ProvisionError when trusting it would not be enough, or when it cannot be reached. Works with masters of any
 * product.
 */
export async function probeTrust(target: Target): Promise<TrustProbe> {
  const { protocol, presented, fault } = await dial(target, target.trust!.options, answerMs)
  // Once a protocol is agreed on, the certificate was accepted.
  if (protocol !== undefined)
    return { trusted: presented.map(presentedFacts), pem: presented.map(String).join('') }
  const silence = Object.assign(new Error(`no answer within ${answerMs / 1000} s`), { code: 'ETIMEDOUT' })
  const { problem, untrusted } = await explainConnection(fault ?? silence, target, false)
  if (!untrusted) throw new ProvisionError(problem)
  return { untrusted }
}

/** An entry of the trust store as the CLI shows it. */
export interface TrustedMaster {
  url: string
  /** The server's first; empty when the stored certificates cannot be read. */
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

/** Why the connection to a master failed: the address, the error, and what to do. */
export interface NoConnection {
  problem: Problem
  /** Set when trusting the presented certificates would be enough. */
  untrusted?: UntrustedServer
}

const unreachable: Partial<Record<PreflightCode, string>> = {
  PREFLIGHT_DNS_NOT_FOUND: 'host not found',
  PREFLIGHT_DNS_FAILED: 'the name server did not answer',
  PREFLIGHT_REFUSED: 'connection refused',
  PREFLIGHT_UNREACHABLE: 'timed out',
  PREFLIGHT_NO_ROUTE: 'no route to host',
  PREFLIGHT_CLOSED_IN_HANDSHAKE: 'connection closed',
  PREFLIGHT_CLOSED_AFTER_CONNECT: 'connection closed',
}

const untrustedCodes: readonly PreflightCode[] = [
  'PREFLIGHT_UNKNOWN_CA',
  'PREFLIGHT_OTHER_SELF_SIGNED',
  'PREFLIGHT_MISSING_INTERMEDIATE',
  'PREFLIGHT_ROOT_MISSING',
  'PREFLIGHT_BAD_SIGNATURE',
]

/** `error` is what `exchange` rejected with; `met`: this master has responded before. Never rejects. */
export async function explainConnection(error: Error, target: Target, met: boolean): Promise<NoConnection> {
  const url = masterUrl(target.address)
  const cause: NodeJS.ErrnoException = rootFault(error) ?? error
  if (cause.code === proxyErrorCode) {
    const options = { cause: error, remedy: masterProxyRemedy }
    return { problem: problem('CLIENT_UNREACHABLE', `${url}: ${cause.message}`, options) }
  }
  const fault = withTlsCode(cause)
  const code = classify({ phase: 'handshake', fault, timedOut: false, presented: [] })
  if (isCertificateCode(code)) return explainCertificate(code, fault, target)
  const told = (client: ClientCode, what: string) => ({
    problem: problem(client, `${url}: ${what}`, { cause: error }),
  })
  if (code === 'PREFLIGHT_NOT_TLS') return told('CLIENT_SCHEME', 'the port does not speak TLS')
  // A TLS port answers plain text with an alert, which is not HTTP, or closes the connection.
  if (!met && !target.trust && /^(PREFLIGHT_NOT_HTTP|PREFLIGHT_CLOSED)/.test(code))
    return told(
      'CLIENT_SCHEME',
      `no response over plain http (${faultText(fault)}); the port may require TLS`,
    )
  const why = unreachable[code]
  if (why) return told('CLIENT_UNREACHABLE', code === 'PREFLIGHT_UNREACHABLE' ? faultText(fault) : why)
  return told(target.trust ? 'CLIENT_TLS_REFUSED' : 'CLIENT_UNREACHABLE', faultText(fault))
}

/** A failed verification reports neither the rejected certificate nor what else is wrong with it. */
async function explainCertificate(
  first: PreflightCode,
  fault: NodeJS.ErrnoException,
  target: Target,
): Promise<NoConnection> {
  const inspection = await inspect(target)
  const isUntrusted = untrustedCodes.includes(first)
  if (!isUntrusted) return { problem: certificateProblem(first, fault, target, inspection) }
  const { fault: trial, untrusted } = inspection
  const further = trial && classify(trial)
  if (further && isCertificateCode(further) && !untrustedCodes.includes(further))
    return { problem: certificateProblem(further, rootFault(trial.fault) ?? fault, target, inspection) }
  if (!untrusted || !target.trust?.memory)
    return { problem: certificateProblem(first, fault, target, inspection) }
  return { problem: untrustedProblem(untrusted), untrusted }
}

function certificateProblem(
  code: PreflightCode,
  fault: NodeJS.ErrnoException,
  target: Target,
  { presented }: Inspection,
): Problem {
  const { name, anchors, remedy } = target.trust!
  const options = { cause: fault, ...(remedy && { remedy }) }
  const shown = presented?.[0] ? describe(presented[0]) : 'a certificate'
  const message = (what: string) => `${masterUrl(target.address)} presents ${shown}; ${what}`
  if (untrustedCodes.includes(code))
    return problem(
      'CLIENT_CERT_UNTRUSTED',
      message(`it is not signed by a trusted CA (trusted: ${anchors})`),
      options,
    )
  if (code === 'PREFLIGHT_WRONG_NAME')
    return problem('CLIENT_CERT_NAME', message(`it is not valid for ${name}`), options)
  return problem('CLIENT_CERT_UNUSABLE', message(faultText(fault)), { cause: fault })
}

/** With the command that trusts it; the user compares the SHA-256 before running it. */
export function untrustedProblem({ url, presented, signer, stored }: UntrustedServer): Problem {
  const [leaf] = presented
  const fingerprint = `--fingerprint sha256:${leaf.sha256}`
  const details = { url, sha256: leaf.sha256, issuer: leaf.issuer, stored: stored?.[0]?.sha256 }
  if (!stored)
    return problem(
      'CLIENT_CERT_UNTRUSTED',
      `${url} presents ${describe(leaf)}, signed ${signer}; not signed by a trusted CA, and not in your trust store`,
      {
        remedy: `If this is the SHA-256 of the master's own certificate: provision trust add ${url} ${fingerprint}`,
        details,
      },
    )
  const before = stored[0] ? describe(stored[0]) : 'an unreadable certificate'
  return problem(
    'CLIENT_CERT_CHANGED',
    `${url} presents a certificate that differs from the trusted one: now ${describe(leaf)}, signed ${signer}; stored is ${before}`,
    {
      remedy: `If the master's certificate was replaced: provision trust replace ${url} ${fingerprint}; if not, someone may be intercepting the connection.`,
      details,
    },
  )
}
