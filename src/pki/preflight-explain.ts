// What to say about a dial that did not go well: what was dialled, what came back, what to do.

import { type PreflightCode, rootFault } from './classify.ts'
import type { DialOutcome } from './preflight-dial.ts'
import { compareLeaf, type PresentedCertificate, topOf } from './presented.ts'
import type { TrustPlan } from './trust-plan.ts'

export interface Finding {
  code: PreflightCode
  outcome: DialOutcome
  /** `10.0.0.5:8443`, with what agents dial when that differs. */
  at: string
  /** The name agents verify. */
  name: string
  plan: TrustPlan
  presented: PresentedCertificate[]
  /** Status of a plain HTTP answer from a port that did not speak TLS. */
  plainStatus?: number
  goFaults?: string[]
  timeoutMs: number
  /** Milliseconds since the epoch. */
  now: number
}

export interface Explanation {
  message: string
  /** Only where it can say more than the table of codes. */
  remedy?: string
}

type Explain = (finding: Finding) => string

const networkTexts: Partial<Record<PreflightCode, Explain>> = {
  PREFLIGHT_DNS_NOT_FOUND: ({ at }) => `the host of ${at} has no address here`,
  PREFLIGHT_DNS_FAILED: ({ at }) => `the name server gave no answer for the host of ${at}`,
  PREFLIGHT_REFUSED: ({ at }) => `nothing listens on ${at}: connection refused`,
  PREFLIGHT_UNREACHABLE: ({ at, timeoutMs }) => `no connection to ${at} within ${timeoutMs / 1000} s`,
  PREFLIGHT_NO_ROUTE: ({ at, outcome }) => `no route to ${at} (${faultOf(outcome)})`,
  PREFLIGHT_NO_TLS_ANSWER: ({ at, timeoutMs }) =>
    `${at} takes connections but did not answer the TLS handshake within ${timeoutMs / 1000} s`,
  PREFLIGHT_CLOSED_IN_HANDSHAKE: ({ at }) => `${at} cut the connection during the TLS handshake`,
  PREFLIGHT_CLOSED_AFTER_CONNECT: ({ at }) => `${at} cut the connection before it answered GET /info`,
  PREFLIGHT_NO_HTTP_ANSWER: ({ at, timeoutMs }) =>
    `${at} did not answer GET /info within ${timeoutMs / 1000} s`,
  PREFLIGHT_NOT_TLS: ({ at, plainStatus }) =>
    plainStatus
      ? `${at} does not speak TLS: it answers plain HTTP (status ${plainStatus})`
      : `${at} does not speak TLS`,
  PREFLIGHT_TLS_PORT: ({ at }) => `${at} wants TLS, and agents would dial it in plain text`,
  PREFLIGHT_NOT_HTTP: ({ at }) => `${at} answered GET /info with something that is not HTTP`,
  PREFLIGHT_TLS_TOO_OLD: ({ at }) => `${at} offers no TLS newer than 1.1`,
  PREFLIGHT_HANDSHAKE_REFUSED: ({ at }) => `${at} refused the handshake of a Go agent`,
  PREFLIGHT_SNI_REFUSED: ({ at, name }) => `${at} does not answer to the name ${name}`,
  PREFLIGHT_CLIENT_CERT_REQUIRED: ({ at }) => `${at} demands a client certificate it accepts`,
}

const certificateTexts: Partial<Record<PreflightCode, Explain>> = {
  PREFLIGHT_UNKNOWN_CA: (finding) => {
    const issuer = topOf(finding.presented)?.issuer
    return rekeyed(finding) ?? `${trusted(finding.plan)} ${issuer}, which issued it`
  },
  // What OpenSSL says of a CA with a new key when the certificate does not identify the key it was signed by.
  PREFLIGHT_BAD_SIGNATURE: (finding) => rekeyed(finding) ?? faultOf(finding.outcome),
  PREFLIGHT_OTHER_SELF_SIGNED: () => 'it is self-signed and not the one agents would trust',
  PREFLIGHT_MISSING_INTERMEDIATE: ({ presented, plan }) =>
    `it comes without the certificate of its issuer ${presented[0]?.issuer ?? ''}, and ${trusted(plan)} that one either`,
  PREFLIGHT_ROOT_MISSING: () =>
    'what agents are given ends below its root: agents would join, tasks would not',
  PREFLIGHT_EXPIRED: (finding) =>
    outOfDate(finding, (c) => Date.parse(c.notAfter) < finding.now, 'expired on', 'notAfter'),
  PREFLIGHT_NOT_YET_VALID: (finding) =>
    outOfDate(finding, (c) => Date.parse(c.notBefore) > finding.now, 'is not valid before', 'notBefore'),
  PREFLIGHT_GO_REFUSES: ({ goFaults = [] }) => goFaults.join('; '),
  PREFLIGHT_WRONG_NAME: ({ name }) => `it is not valid for ${name}, the name agents verify`,
}

/** Codes that only a certificate can cause: their message says which one was presented. */
export function explain(finding: Finding): Explanation {
  const { at, code, outcome, presented } = finding
  const network = networkTexts[code]
  if (network) return { message: network(finding) }
  const leaf = presented[0]
  if (!leaf) return { message: `${at}: ${faultOf(outcome)}` }
  const fault = certificateTexts[code]?.(finding) ?? faultOf(outcome)
  const stale = staleness(finding)
  return {
    message: `${at} presents ${describe(leaf)}; ${fault}${stale ? `; ${stale.note}` : ''}`,
    remedy: stale?.remedy,
  }
}

export function describe(certificate: PresentedCertificate): string {
  const names = certificate.sans.length > 0 ? certificate.sans.join(', ') : 'no names'
  return `${certificate.subject} (${names}; valid until ${certificate.notAfter}; SHA-256 ${certificate.sha256})`
}

function staleness(finding: Finding): { note: string; remedy: string } | undefined {
  const file = 'the server certificate in the configured file'
  switch (compareLeaf(finding.presented[0], finding.plan)) {
    case 'older':
      return {
        note: `${file} is a newer one: the master was not restarted after the renewal`,
        remedy:
          'Restart the master, or reload the proxy in front of it: they read certificates at their start.',
      }
    case 'newer':
      return {
        note: `${file} is an older one: it was renewed at the master only`,
        remedy: "Copy the master's new certificate chain to the configured file.",
      }
    default:
      return undefined
  }
}

function rekeyed({ plan, presented }: Finding): string | undefined {
  const issuer = topOf(presented)?.issuer
  const namesake = plan.chain.some((anchor) => anchor.role !== 'leaf' && anchor.subject === issuer)
  return namesake ? `it is from another CA of the same name ${issuer}: that CA has a new key` : undefined
}

function trusted(plan: TrustPlan): string {
  return plan.mode === 'system' ? 'the well-known CAs do not include' : 'agents would not be given'
}

function outOfDate(
  { presented, plan }: Finding,
  isOut: (certificate: PresentedCertificate) => boolean,
  verb: string,
  date: 'notBefore' | 'notAfter',
): string {
  const sent = presented.filter(isOut)
  const given = plan.chain.filter((own) => isOut(own) && !sent.some((c) => c.sha256 === own.sha256))
  const parts = [
    ...sent.map((c) => `${c === presented[0] ? 'it' : c.subject} ${verb} ${c[date]}`),
    ...given.map((c) => `${c.subject}, which agents would be given, ${verb} ${c[date]}`),
  ]
  return parts.join('; ') || `a certificate above it ${verb} a date that the verifier does not tell`
}

/** What the library said, without Node's advice about its own options. */
function faultOf(outcome: DialOutcome): string {
  const fault = rootFault(outcome.fault)
  const text = fault?.message.split(/[;\n]/)[0]?.trim()
  return text || fault?.code || 'no reason given'
}
