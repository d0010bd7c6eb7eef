// The message for a failed dial: what was dialled, what was answered, what to do.
import type { X509Certificate } from 'node:crypto'
import type { Problem } from '../problems/index.ts'
import { oversize } from './certificate-message.ts'
import { describeAnswer, judgeInfo, judgeUpgrade, readInfo } from './preflight-answer.ts'
import {
  classify,
  type DialOutcome,
  type Dials,
  faultText,
  isCertificateCode,
  type PreflightCode,
  rootFault,
} from './preflight-dial.ts'
import {
  compareLeaf,
  describe,
  nearIssuerOf,
  type PresentedCertificate,
  presentedFacts,
  topOf,
  unusableForGo,
} from './presented.ts'
import type { PreflightProof, TrustPlan } from './trust-plan.ts'

export interface Finding {
  code: PreflightCode
  /** Of the dial that decided. */
  outcome: DialOutcome
  /** What that dial asked for; default: GET /info. */
  asked?: string
  /** `10.0.0.5:8443`, and the address agents dial if that differs. */
  at: string
  /** The name agents verify. */
  name: string
  plan: TrustPlan
  presented: PresentedCertificate[]
  /** Status of a plain HTTP answer from a port that did not speak TLS. */
  plainStatus?: number
  goFaults?: string[]
  /** A key identifier that names another certificate than the issuer's. */
  nearIssuer?: Problem
  /** Why the TLS message with the presented certificates is too large. */
  oversize?: string
  /** GET /info was answered by a master. */
  isMaster?: boolean
  timeoutMs: number
  /** Milliseconds since the epoch. */
  now: number
}

export interface Explanation {
  message: string
  /** Only when it is more specific than the remedy of the code. */
  remedy?: string
}

type Explain = (finding: Finding) => string

const getInfo = 'GET /info'

function answered({ asked = getInfo, outcome }: Finding): string {
  return outcome.http ? `it answered ${asked} with ${describeAnswer(outcome.http)}` : `no answer to ${asked}`
}

const networkTexts: Partial<Record<PreflightCode, Explain>> = {
  PREFLIGHT_DNS_NOT_FOUND: ({ at }) => `the host name of ${at} does not resolve on this machine`,
  PREFLIGHT_DNS_FAILED: ({ at }) => `the name server did not answer for the host name of ${at}`,
  PREFLIGHT_REFUSED: ({ at }) => `nothing listens on ${at}: connection refused`,
  PREFLIGHT_UNREACHABLE: ({ at, timeoutMs }) => `no connection to ${at} within ${timeoutMs / 1000} s`,
  PREFLIGHT_NO_ROUTE: ({ at, outcome }) => `no route to ${at} (${faultOf(outcome)})`,
  PREFLIGHT_NO_TLS_ANSWER: ({ at, timeoutMs }) =>
    `${at} accepts connections but did not answer the TLS handshake within ${timeoutMs / 1000} s`,
  PREFLIGHT_CLOSED_IN_HANDSHAKE: ({ at }) => `${at} closed the connection during the TLS handshake`,
  PREFLIGHT_CLOSED_AFTER_CONNECT: ({ at, asked = getInfo }) =>
    `${at} closed the connection before it answered ${asked}`,
  PREFLIGHT_NO_HTTP_ANSWER: ({ at, asked = getInfo, timeoutMs }) =>
    `${at} did not answer ${asked} within ${timeoutMs / 1000} s`,
  PREFLIGHT_NOT_TLS: ({ at, plainStatus }) =>
    plainStatus
      ? `${at} does not speak TLS: it answers plain HTTP (status ${plainStatus})`
      : `${at} does not speak TLS`,
  PREFLIGHT_TLS_PORT: ({ at }) => `${at} requires TLS, but agents would dial it in plain text`,
  PREFLIGHT_NOT_HTTP: ({ at, asked = getInfo }) => `${at} answered ${asked} with something that is not HTTP`,
  PREFLIGHT_TLS_TOO_OLD: ({ at }) => `${at} offers no TLS newer than 1.1`,
  PREFLIGHT_HANDSHAKE_REFUSED: ({ at }) => `${at} refused the handshake of a Go agent`,
  PREFLIGHT_SNI_REFUSED: ({ at, name }) => `${at} rejects the server name (SNI) ${name}`,
  PREFLIGHT_CLIENT_CERT_REQUIRED: (finding) => {
    const demand = `${finding.at} requires a client certificate that it accepts`
    return finding.outcome.http ? `${demand}: ${answered(finding)}` : demand
  },
  PREFLIGHT_CHAIN_TOO_LARGE: ({ at, oversize: why }) =>
    why
      ? `${at} presents too many certificates: ${why}`
      : `${at} presents over 100 KiB of certificates, more than OpenSSL and Python read`,
  PREFLIGHT_NOT_A_MASTER: (finding) => `${finding.at} is not a master: ${answered(finding)}`,
  PREFLIGHT_UNAVAILABLE: (finding) => `${finding.at} is unavailable: ${answered(finding)}`,
  PREFLIGHT_NO_UPGRADE: (finding) =>
    finding.isMaster
      ? `${finding.at} reaches a master, but not its agent socket: ${answered(finding)}`
      : `${finding.at} does not reach an agent socket: ${answered(finding)}`,
}

const certificateTexts: Partial<Record<PreflightCode, Explain>> = {
  PREFLIGHT_UNKNOWN_CA: (finding) => {
    const issuer = topOf(finding.presented)?.issuer
    return rekeyed(finding) ?? `${trusted(finding.plan)} ${issuer}, which issued it`
  },
  // OpenSSL reports this for a CA with a new key, if the certificate does not identify the key that signed it.
  PREFLIGHT_BAD_SIGNATURE: (finding) => rekeyed(finding) ?? faultOf(finding.outcome),
  PREFLIGHT_OTHER_SELF_SIGNED: () => 'it is self-signed and not the certificate agents would trust',
  PREFLIGHT_MISSING_INTERMEDIATE: ({ presented, plan }) =>
    `the server does not send the certificate of its issuer ${presented[0]?.issuer ?? ''}, and ${trusted(plan)} it either`,
  PREFLIGHT_ROOT_MISSING: () =>
    'the chain that agents would receive does not reach its root: agents would join, tasks could not connect',
  PREFLIGHT_EXPIRED: (finding) =>
    outOfDate(finding, (c) => Date.parse(c.notAfter) < finding.now, 'expired on', 'notAfter'),
  PREFLIGHT_NOT_YET_VALID: (finding) =>
    outOfDate(finding, (c) => Date.parse(c.notBefore) > finding.now, 'is not valid before', 'notBefore'),
  PREFLIGHT_GO_REFUSES: ({ goFaults = [] }) => goFaults.join('; '),
  PREFLIGHT_WRONG_NAME: ({ name }) => `it is not valid for ${name}, the name agents verify`,
}

/** The message of a finding. Codes that a certificate caused name the certificate that was presented. */
export function explain(finding: Finding): Explanation {
  const { at, code, outcome, presented } = finding
  const network = networkTexts[code]
  if (network) return { message: network(finding) }
  const leaf = presented[0]
  if (!leaf) return { message: `${at}: ${faultOf(outcome)}` }
  const near = finding.nearIssuer
  const fault = near?.message ?? certificateTexts[code]?.(finding) ?? faultOf(outcome)
  const stale = staleness(finding)
  return {
    message: `${at} presents ${describe(leaf)}; ${fault}${stale ? `; ${stale.note}` : ''}`,
    remedy: stale?.remedy ?? near?.remedy,
  }
}

function staleness(finding: Finding): { note: string; remedy: string } | undefined {
  const file = 'the server certificate in the configured file'
  switch (compareLeaf(finding.presented[0], finding.plan)) {
    case 'older':
      return {
        note: `${file} is a newer one: the master was not restarted after the renewal`,
        remedy:
          'Restart the master, or reload the proxy in front of it: they read certificates when they start.',
      }
    case 'newer':
      return {
        note: `${file} is an older one: it was renewed on the master only`,
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
  return plan.mode === 'system' ? 'the well-known CAs do not include' : 'agents would not receive'
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
    ...given.map((c) => `${c.subject}, which agents would receive, ${verb} ${c[date]}`),
  ]
  return parts.join('; ') || `a certificate above it ${verb} a date that the verifier does not report`
}

function faultOf(outcome: DialOutcome): string {
  const fault = rootFault(outcome.fault)
  return fault ? faultText(fault) : 'no reason given'
}

// Finds the cause of a failed dial. Where one error name stands for several faults, another dial distinguishes them.

export interface Investigation {
  /** Undefined when an agent would have joined. */
  code?: PreflightCode
  /** Outcome of the dial as an agent would do it, for GET /info. */
  outcome: DialOutcome
  /** Outcome of the probe of the agent socket, if there was one. */
  upgrade?: DialOutcome
  presented: X509Certificate[]
  /** Status of a plain HTTP answer from a port that did not speak TLS. */
  plainStatus?: number
  /** Faults of the presented certificates that Go refuses but OpenSSL accepts. */
  goFaults?: string[]
  oversize?: string
  nearIssuer?: Problem
}

export interface Circumstances {
  plan: TrustPlan
  /** Default: `master`. */
  proof?: PreflightProof
  agentsHaveClientCertificate?: boolean
}

export function investigate(dials: Dials, circumstances: Circumstances): Promise<Investigation> {
  return circumstances.plan.mode === 'off'
    ? investigatePlain(dials, circumstances)
    : investigateTls(dials, circumstances)
}

async function investigateTls(dials: Dials, circumstances: Circumstances): Promise<Investigation> {
  const outcome = await dials.asAgent()
  const { presented } = outcome
  // Go and others refuse these in the handshake, whatever the server answers afterwards.
  const unusable = judgePresented(presented)
  if (unusable) return { ...unusable, outcome, presented }
  if (outcome.http) return investigateAnswer(outcome, circumstances, () => dials.asAgent({}, 'upgrade'))
  const code = classify(outcome)
  if (code === 'PREFLIGHT_NOT_TLS') {
    const plain = await dials.inPlainText()
    return { code, outcome, presented, plainStatus: plain.http?.status }
  }
  if (!isCertificateCode(code)) return { code, outcome, presented }
  const unverified = await dials.asAgent({ verify: false })
  // OpenSSL's refusal gives no details; our own checks name the certificate and its fault.
  const better = code === 'PREFLIGHT_BAD_CERTIFICATE' ? judgePresented(unverified.presented) : undefined
  if (better) return { ...better, outcome, presented: unverified.presented }
  const refined = await refine(code, outcome, unverified.presented, dials, circumstances.plan)
  const nearIssuer = withoutIssuer.includes(refined)
    ? nearIssuerOf(unverified.presented, circumstances.plan)
    : undefined
  return { code: refined, outcome, presented: unverified.presented, ...(nearIssuer && { nearIssuer }) }
}

const withoutIssuer: readonly PreflightCode[] = [
  'PREFLIGHT_UNKNOWN_CA',
  'PREFLIGHT_ROOT_MISSING',
  'PREFLIGHT_MISSING_INTERMEDIATE',
]

function judgePresented(
  presented: X509Certificate[],
): Pick<Investigation, 'code' | 'goFaults' | 'oversize'> | undefined {
  const goFaults = unusableForGo(presented)
  if (goFaults.length > 0) return { code: 'PREFLIGHT_GO_REFUSES', goFaults }
  const tooLarge = oversize(presented.map(({ raw }) => raw))
  return tooLarge ? { code: 'PREFLIGHT_CHAIN_TOO_LARGE', oversize: tooLarge } : undefined
}

/** The HTTP answer may be a proxy's page, or a master's behind a proxy that does not forward upgrades. */
async function investigateAnswer(
  outcome: DialOutcome,
  { proof = 'master', agentsHaveClientCertificate }: Circumstances,
  dialAgain: () => Promise<DialOutcome>,
): Promise<Investigation> {
  const { presented } = outcome
  const found = { outcome, presented }
  const info = judgeInfo(outcome.http!, { proof, agentsHaveClientCertificate })
  if (info || proof === 'http') return { ...found, code: info }
  const upgrade = await dialAgain()
  if (!upgrade.http) return { ...found, code: classify(upgrade), upgrade }
  const isMaster = readInfo(outcome.http!) !== undefined
  return { ...found, code: judgeUpgrade(upgrade.http, isMaster, { agentsHaveClientCertificate }), upgrade }
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
  // Go trusts a chain that ends at any anchor; OpenSSL as tasks use it requires a root.
  const partial = await dials.asAgent({ partialChain: true })
  if (partial.http) return 'PREFLIGHT_ROOT_MISSING'
  const without = classify(partial)
  return isCertificateCode(without) && without !== 'PREFLIGHT_ROOT_MISSING' ? without : 'PREFLIGHT_UNKNOWN_CA'
}

/** If not, the issuer has the name of an anchor but another key, or the issuer of another certificate is missing. */
function isMissingIntermediate(presented: X509Certificate[], plan: TrustPlan): boolean {
  const [leaf, ...others] = presented.map(presentedFacts)
  if (!leaf) return false
  return ![...others, ...plan.chain].some(({ subject }) => subject === leaf.issuer)
}

async function investigatePlain(dials: Dials, circumstances: Circumstances): Promise<Investigation> {
  const outcome = await dials.inPlainText()
  const answer = () => investigateAnswer(outcome, circumstances, () => dials.inPlainText('upgrade'))
  if (outcome.http && outcome.http.status !== 400) return answer()
  if (outcome.phase !== 'http') return { code: classify(outcome), outcome, presented: [] }
  // A TLS port answers plain text with an alert, by closing the connection, or (Go, nginx) with a plain-text 400.
  const secure = await dials.asAgent({ verify: false })
  const isTls = secure.protocol !== undefined || isTlsCode(secure)
  if (isTls) return { code: 'PREFLIGHT_TLS_PORT', outcome, presented: secure.presented }
  return outcome.http ? answer() : { code: classify(outcome), outcome, presented: [] }
}

/** The server spoke TLS, even if it refused. */
function isTlsCode(outcome: DialOutcome): boolean {
  return /_ALERT_/.test(outcome.fault?.code ?? '')
}
