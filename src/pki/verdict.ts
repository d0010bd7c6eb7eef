// What the outcome of a dial proves about agents.

import type { PreflightCode } from './classify.ts'
import type { TrustPlan } from './trust-plan.ts'

/** `wrong`: agents could not join. `unverified`: that cannot be said from here. */
export type Verdict = 'ok' | 'wrong' | 'unverified'

/** The provisioner may stand outside of the agents' network, and masters restart. */
const notReached: ReadonlySet<PreflightCode> = new Set<PreflightCode>([
  'PREFLIGHT_NO_ADDRESS',
  'PREFLIGHT_DNS_NOT_FOUND',
  'PREFLIGHT_DNS_FAILED',
  'PREFLIGHT_REFUSED',
  'PREFLIGHT_UNREACHABLE',
  'PREFLIGHT_NO_ROUTE',
  'PREFLIGHT_NO_TLS_ANSWER',
  'PREFLIGHT_CLOSED_IN_HANDSHAKE',
  'PREFLIGHT_CLOSED_AFTER_CONNECT',
  'PREFLIGHT_NO_HTTP_ANSWER',
  'PREFLIGHT_FAILED',
])

/** Under `system` the agents' own machine image decides; it may know CAs that this machine does not. */
const dependsOnAnchors: ReadonlySet<PreflightCode> = new Set<PreflightCode>([
  'PREFLIGHT_UNKNOWN_CA',
  'PREFLIGHT_OTHER_SELF_SIGNED',
  'PREFLIGHT_MISSING_INTERMEDIATE',
  'PREFLIGHT_ROOT_MISSING',
])

/** Under TLS 1.2 a missing client certificate is refused like a missing cipher. */
const dependsOnClientCertificate: ReadonlySet<PreflightCode> = new Set<PreflightCode>([
  'PREFLIGHT_CLIENT_CERT_REQUIRED',
  'PREFLIGHT_HANDSHAKE_REFUSED',
])

export interface Circumstances {
  plan: TrustPlan
  agentsHaveClientCertificate?: boolean
}

export function verdictOf(
  code: PreflightCode,
  { plan, agentsHaveClientCertificate }: Circumstances,
): Verdict {
  if (notReached.has(code)) return 'unverified'
  if (plan.mode === 'system' && dependsOnAnchors.has(code)) return 'unverified'
  if (agentsHaveClientCertificate && dependsOnClientCertificate.has(code)) return 'unverified'
  return 'wrong'
}
