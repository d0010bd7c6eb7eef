// What to say about a dial that did not go well: what was dialled, what came back, what to do.

import type { X509Certificate } from 'node:crypto'
import { type CertificateFields, readCertificate, readCertificateFields } from './certificate.ts'
import { judgeKey } from './checks.ts'
import { showDistinguishedName, showName, visible } from './distinguished-name.ts'
import {
  classify,
  type DialOutcome,
  type Dials,
  isCertificateCode,
  type PreflightCode,
  rootFault,
} from './preflight-dial.ts'
import type { CertificateFacts, TrustPlan } from './trust-plan.ts'
import { checkForGo } from './verifier-checks.ts'

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

// From the first dial to its cause: where one error name stands for several faults, another dial tells them apart.

export interface Investigation {
  /** Undefined when an agent would have joined. */
  code?: PreflightCode
  /** Of the dial as an agent would do it. */
  outcome: DialOutcome
  presented: X509Certificate[]
  /** Status of a plain HTTP answer from a port that did not speak TLS. */
  plainStatus?: number
  /** What Go cannot use of what was presented, though OpenSSL can. */
  goFaults?: string[]
}

export function investigate(dials: Dials, plan: TrustPlan): Promise<Investigation> {
  return plan.mode === 'off' ? investigatePlain(dials) : investigateTls(dials, plan)
}

async function investigateTls(dials: Dials, plan: TrustPlan): Promise<Investigation> {
  const outcome = await dials.asAgent()
  const { presented } = outcome
  if (outcome.http) {
    const goFaults = unusableForGo(presented)
    return { code: goFaults.length > 0 ? 'PREFLIGHT_GO_REFUSES' : undefined, outcome, presented, goFaults }
  }
  const code = classify(outcome)
  if (code === 'PREFLIGHT_NOT_TLS') {
    const plain = await dials.inPlainText()
    return { code, outcome, presented, plainStatus: plain.http?.status }
  }
  if (!isCertificateCode(code)) return { code, outcome, presented }
  const seen = await dials.asAgent({ verify: false })
  return {
    code: await refine(code, outcome, seen.presented, dials, plan),
    outcome,
    presented: seen.presented,
  }
}

async function refine(
  code: PreflightCode,
  outcome: DialOutcome,
  presented: X509Certificate[],
  dials: Dials,
  plan: TrustPlan,
): Promise<PreflightCode> {
  if (code === 'PREFLIGHT_MISSING_INTERMEDIATE')
    return isMissingIntermediate(presented, plan) ? code : 'PREFLIGHT_UNKNOWN_CA'
  const endsBelowRoot =
    code === 'PREFLIGHT_ROOT_MISSING' || outcome.fault?.code === 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'
  if (!endsBelowRoot) return code
  // Go trusts a chain that ends at any anchor; OpenSSL as tasks use it wants a root.
  const partial = await dials.asAgent({ partialChain: true })
  if (partial.http) return 'PREFLIGHT_ROOT_MISSING'
  const without = classify(partial)
  return isCertificateCode(without) && without !== 'PREFLIGHT_ROOT_MISSING' ? without : 'PREFLIGHT_UNKNOWN_CA'
}

/** Else its issuer is an anchor by name and has another key, or another certificate's issuer is missing. */
function isMissingIntermediate(presented: X509Certificate[], plan: TrustPlan): boolean {
  const [leaf, ...others] = presented.map(presentedFacts)
  if (!leaf) return false
  return ![...others, ...plan.chain].some(({ subject }) => subject === leaf.issuer)
}

async function investigatePlain(dials: Dials): Promise<Investigation> {
  const outcome = await dials.inPlainText()
  const answered = outcome.http !== undefined && outcome.http.status !== 400
  if (answered || outcome.phase !== 'http')
    return { code: outcome.http ? undefined : classify(outcome), outcome, presented: [] }
  // A TLS port answers plain text with an alert, by hanging up, or (Go, nginx) with a 400 in plain text.
  const secure = await dials.asAgent({ verify: false })
  const isTls = secure.protocol !== undefined || isTlsCode(secure)
  if (isTls) return { code: 'PREFLIGHT_TLS_PORT', outcome, presented: secure.presented }
  return { code: outcome.http ? undefined : classify(outcome), outcome, presented: [] }
}

/** The other side spoke TLS, if only to refuse. */
function isTlsCode(outcome: DialOutcome): boolean {
  return /_ALERT_/.test(outcome.fault?.code ?? '')
}

// What a master presented, in words, and how it compares with what agents would be given.

export type PresentedCertificate = Omit<CertificateFacts, 'role' | 'pem'>

/** How the presented server certificate stands to the one in the file. */
export type LeafComparison =
  /** No server certificate is known here, or none was presented. */
  | 'unknown'
  | 'same'
  /** For the same names, but issued earlier or later than the file's. */
  | 'older'
  | 'newer'
  | 'different'

export function presentedFacts(x509: X509Certificate): PresentedCertificate {
  const fields = fieldsOf(x509)
  return {
    subject: fields ? showDistinguishedName(fields.subject) : oneLine(x509.subject),
    issuer: fields ? showDistinguishedName(fields.issuer) : oneLine(x509.issuer),
    sans: fields ? fields.names.map(showName) : [],
    notBefore: x509.validFromDate.toISOString(),
    notAfter: x509.validToDate.toISOString(),
    sha256: x509.fingerprint256.replaceAll(':', '').toLowerCase(),
  }
}

export function compareLeaf(leaf: PresentedCertificate | undefined, plan: TrustPlan): LeafComparison {
  const own = plan.chain.find((certificate) => certificate.role === 'leaf') ?? loneRoot(plan)
  if (!leaf || !own) return 'unknown'
  if (leaf.sha256 === own.sha256) return 'same'
  const related = leaf.subject === own.subject || leaf.sans.some((name) => own.sans.includes(name))
  if (!related || leaf.notBefore === own.notBefore) return 'different'
  return leaf.notBefore < own.notBefore ? 'older' : 'newer'
}

/** How far the list leads up from the server certificate: the certificate whose issuer would have to be trusted. */
export function topOf(presented: PresentedCertificate[]): PresentedCertificate | undefined {
  const left = new Set(presented)
  let top = presented[0]
  for (let next = top; next; next = [...left].find(({ subject }) => subject === top?.issuer)) {
    top = next
    left.delete(next)
  }
  return top
}

/** Whether the list ends in a certificate that issued itself, as what tasks are given has to. */
export function endsInRoot(presented: PresentedCertificate[]): boolean {
  return presented.some((certificate) => certificate.subject === certificate.issuer)
}

/** Why a Go agent could not use the presented list: it parses every certificate, also where nothing is verified. */
export function unusableForGo(presented: X509Certificate[]): string[] {
  return presented.flatMap(({ raw }, index) => {
    const block = { label: 'CERTIFICATE', number: index + 1, line: 1, der: raw, untidy: [], headers: [] }
    const { certificate, problems } = readCertificate(block, 'the presented list')
    if (!certificate) return problems.map(({ message }) => message)
    const key = judgeKey(certificate)
    return [
      ...checkForGo([certificate]).map(({ message }) => message),
      ...(key?.code === 'TLS_KEY_TYPE' ? [`the certificate ${certificate.subject} ${key.what}`] : []),
    ]
  })
}

/** A lone self-signed server certificate is leaf and root in one. */
function loneRoot(plan: TrustPlan): CertificateFacts | undefined {
  const [only, ...more] = plan.chain
  return more.length === 0 && only?.sans.length ? only : undefined
}

/** A hostile master may present what OpenSSL reads and our stricter reader does not. */
function fieldsOf(x509: X509Certificate): CertificateFields | undefined {
  try {
    return readCertificateFields(x509.raw)
  } catch {
    return undefined
  }
}

function oneLine(name: string | undefined): string {
  return name ? visible(name.split('\n').reverse().join(', ')) : '(empty name)'
}
