// From the first dial to its cause: where one error name stands for several faults, another dial tells them apart.
import type { X509Certificate } from 'node:crypto'
import { classify, isCertificateCode, type PreflightCode } from './classify.ts'
import type { Dials } from './dials.ts'
import type { DialOutcome } from './preflight-dial.ts'
import { presentedFacts, unusableForGo } from './presented.ts'
import type { TrustPlan } from './trust-plan.ts'

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
