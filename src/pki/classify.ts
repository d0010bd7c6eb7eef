// What ended a dial, as one of our codes: the table of what Node 22 and 24 report, from real dials.

import type { ProblemCode } from '../problems/codes.ts'
import { preflightCertificateCodes } from '../problems/preflight-certificate.ts'
import type { DialOutcome, DialPhase } from './preflight-dial.ts'

export type PreflightCode = Extract<ProblemCode, `PREFLIGHT_${string}`>

const byTimeout: Record<DialPhase, PreflightCode> = {
  lookup: 'PREFLIGHT_DNS_FAILED',
  connect: 'PREFLIGHT_UNREACHABLE',
  handshake: 'PREFLIGHT_NO_TLS_ANSWER',
  http: 'PREFLIGHT_NO_HTTP_ANSWER',
}

const byNetworkError: Record<string, PreflightCode> = {
  ENOTFOUND: 'PREFLIGHT_DNS_NOT_FOUND',
  ECONNREFUSED: 'PREFLIGHT_REFUSED',
  ETIMEDOUT: 'PREFLIGHT_UNREACHABLE',
  ENETUNREACH: 'PREFLIGHT_NO_ROUTE',
  EHOSTUNREACH: 'PREFLIGHT_NO_ROUTE',
  EADDRNOTAVAIL: 'PREFLIGHT_NO_ROUTE',
  // A local firewall that rejects (iptables REJECT with admin-prohibited, seccomp, sandboxes).
  EACCES: 'PREFLIGHT_NO_ROUTE',
  EPERM: 'PREFLIGHT_NO_ROUTE',
}

/** Node's names of OpenSSL's X509_V_ERR codes. */
const byVerifyError: Record<string, PreflightCode> = {
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'PREFLIGHT_UNKNOWN_CA',
  SELF_SIGNED_CERT_IN_CHAIN: 'PREFLIGHT_UNKNOWN_CA',
  // One name for three things; only what was presented tells them apart.
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'PREFLIGHT_MISSING_INTERMEDIATE',
  UNABLE_TO_GET_ISSUER_CERT: 'PREFLIGHT_ROOT_MISSING',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'PREFLIGHT_OTHER_SELF_SIGNED',
  CERT_HAS_EXPIRED: 'PREFLIGHT_EXPIRED',
  CERT_NOT_YET_VALID: 'PREFLIGHT_NOT_YET_VALID',
  INVALID_PURPOSE: 'PREFLIGHT_BAD_PURPOSE',
  INVALID_CA: 'PREFLIGHT_BAD_CA',
  PATH_LENGTH_EXCEEDED: 'PREFLIGHT_BAD_CA',
  CERT_CHAIN_TOO_LONG: 'PREFLIGHT_BAD_CA',
  CERT_SIGNATURE_FAILURE: 'PREFLIGHT_BAD_SIGNATURE',
  ERR_TLS_CERT_ALTNAME_INVALID: 'PREFLIGHT_WRONG_NAME',
}

/** OpenSSL's reasons inside Node's ERR_SSL_ codes; Node 24 has `SSL/TLS_ALERT_…` where 22 has `SSLV3_ALERT_…`. */
const byTlsReason: [reason: RegExp, code: PreflightCode][] = [
  [/_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|UNEXPECTED_MESSAGE)$/, 'PREFLIGHT_NOT_TLS'],
  [/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/, 'PREFLIGHT_TLS_TOO_OLD'],
  [/UNRECOGNIZED_NAME/, 'PREFLIGHT_SNI_REFUSED'],
  [/CERTIFICATE_REQUIRED/, 'PREFLIGHT_CLIENT_CERT_REQUIRED'],
  // The only certificate a server can refuse is the client's.
  [
    /ALERT_(BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_|UNKNOWN_CA|ACCESS_DENIED)/,
    'PREFLIGHT_CLIENT_CERT_REQUIRED',
  ],
  [
    /ALERT_HANDSHAKE_FAILURE|INSUFFICIENT_SECURITY|NO_SHARED|WRONG_(CURVE|SIGNATURE_TYPE)/,
    'PREFLIGHT_HANDSHAKE_REFUSED',
  ],
  [/_(EE_KEY_TOO_SMALL|CA_KEY_TOO_SMALL|CA_MD_TOO_WEAK|DH_KEY_TOO_SMALL)$/, 'PREFLIGHT_TOO_WEAK'],
]

/** The code of a dial that was not answered by HTTP. */
export function classify(outcome: DialOutcome): PreflightCode {
  if (outcome.timedOut) return byTimeout[outcome.phase]
  const fault = rootFault(outcome.fault)
  const code = fault?.code ?? ''
  if (code.startsWith('EAI_')) return 'PREFLIGHT_DNS_FAILED'
  if (code.startsWith('HPE_')) return 'PREFLIGHT_NOT_HTTP'
  if (code === 'ECONNRESET' || code === 'EPIPE')
    return outcome.phase === 'handshake' ? 'PREFLIGHT_CLOSED_IN_HANDSHAKE' : 'PREFLIGHT_CLOSED_AFTER_CONNECT'
  // The bare name covers weak keys and hashes, critical extensions and name constraints.
  if (code === 'UNSPECIFIED')
    return /too (weak|small)/.test(fault!.message) ? 'PREFLIGHT_TOO_WEAK' : 'PREFLIGHT_BAD_CERTIFICATE'
  const known = byNetworkError[code] ?? byVerifyError[code]
  if (known) return known
  return byTlsReason.find(([reason]) => reason.test(code))?.[1] ?? 'PREFLIGHT_FAILED'
}

/** The handshake got as far as a certificate, and that was refused. */
export function isCertificateCode(code: PreflightCode): boolean {
  return Object.hasOwn(preflightCertificateCodes, code)
}

/** A host with several addresses fails with one error for each of them; the first says most. */
export function rootFault(fault: NodeJS.ErrnoException | undefined): NodeJS.ErrnoException | undefined {
  return fault instanceof AggregateError ? (fault.errors[0] ?? fault) : fault
}

/** For `classify`: two kinds of error come without a telling code, a client's timer and TLS errors met while writing. */
export function withTlsCode(fault: NodeJS.ErrnoException): NodeJS.ErrnoException {
  const [, reason] = /:SSL routines:[^:]*:([^:]+)/.exec(fault.message) ?? []
  const code = /timed out/i.test(fault.message)
    ? 'ETIMEDOUT'
    : `ERR_SSL_${reason?.toUpperCase().replaceAll(' ', '_')}`
  return fault.code && fault.code !== 'EPROTO' ? fault : Object.assign(new Error(fault.message), { code })
}
