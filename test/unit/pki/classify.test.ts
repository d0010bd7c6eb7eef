// Maps what Node reports of a failed dial to problem codes; integration tests cause most of these errors.
import { expect, test } from 'vitest'
import {
  classify,
  type DialOutcome,
  type DialPhase,
  isCertificateCode,
  type PreflightCode,
} from '../../../src/pki/preflight-dial.ts'
import { preflightCertificateCodes } from '../../../src/problems/preflight-codes.ts'

function fault(code: string, message = code): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code })
}
function failed(error: NodeJS.ErrnoException, phase: DialPhase = 'handshake'): DialOutcome {
  return { phase, fault: error, timedOut: false, presented: [] }
}

test.each<[string, DialPhase, PreflightCode]>([
  ['ENOTFOUND', 'lookup', 'PREFLIGHT_DNS_NOT_FOUND'],
  ['EAI_AGAIN', 'lookup', 'PREFLIGHT_DNS_FAILED'],
  ['EAI_FAIL', 'lookup', 'PREFLIGHT_DNS_FAILED'],
  ['ECONNREFUSED', 'connect', 'PREFLIGHT_REFUSED'],
  ['ETIMEDOUT', 'connect', 'PREFLIGHT_UNREACHABLE'],
  ['ENETUNREACH', 'connect', 'PREFLIGHT_NO_ROUTE'],
  ['EHOSTUNREACH', 'connect', 'PREFLIGHT_NO_ROUTE'],
  ['EADDRNOTAVAIL', 'connect', 'PREFLIGHT_NO_ROUTE'],
  ['EPERM', 'connect', 'PREFLIGHT_NO_ROUTE'],
  ['ECONNRESET', 'handshake', 'PREFLIGHT_CLOSED_IN_HANDSHAKE'],
  ['EPIPE', 'handshake', 'PREFLIGHT_CLOSED_IN_HANDSHAKE'],
  ['ECONNRESET', 'http', 'PREFLIGHT_CLOSED_AFTER_CONNECT'],
  ['HPE_INVALID_CONSTANT', 'http', 'PREFLIGHT_NOT_HTTP'],
  ['HPE_HEADER_OVERFLOW', 'http', 'PREFLIGHT_NOT_HTTP'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'handshake', 'PREFLIGHT_NOT_TLS'],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', 'handshake', 'PREFLIGHT_NOT_TLS'],
  ['ERR_SSL_HTTP_REQUEST', 'handshake', 'PREFLIGHT_NOT_TLS'],
  ['ERR_SSL_UNEXPECTED_MESSAGE', 'handshake', 'PREFLIGHT_NOT_TLS'],
  ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'handshake', 'PREFLIGHT_TLS_TOO_OLD'],
  ['ERR_SSL_UNSUPPORTED_PROTOCOL', 'handshake', 'PREFLIGHT_TLS_TOO_OLD'],
  ['ERR_SSL_TLSV1_UNRECOGNIZED_NAME', 'handshake', 'PREFLIGHT_SNI_REFUSED'],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'http', 'PREFLIGHT_CLIENT_CERT_REQUIRED'],
  ['ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE', 'handshake', 'PREFLIGHT_CLIENT_CERT_REQUIRED'],
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'http', 'PREFLIGHT_CLIENT_CERT_REQUIRED'],
  // The same alert on Node 24 and on Node 22.
  ['ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE', 'handshake', 'PREFLIGHT_HANDSHAKE_REFUSED'],
  ['ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', 'handshake', 'PREFLIGHT_HANDSHAKE_REFUSED'],
  ['ERR_SSL_TLSV1_ALERT_INSUFFICIENT_SECURITY', 'handshake', 'PREFLIGHT_HANDSHAKE_REFUSED'],
  ['ERR_SSL_WRONG_CURVE', 'handshake', 'PREFLIGHT_HANDSHAKE_REFUSED'],
  ['ERR_SSL_WRONG_SIGNATURE_TYPE', 'handshake', 'PREFLIGHT_HANDSHAKE_REFUSED'],
  ['ERR_SSL_EE_KEY_TOO_SMALL', 'handshake', 'PREFLIGHT_TOO_WEAK'],
  ['INVALID_CA', 'handshake', 'PREFLIGHT_BAD_CA'],
  ['PATH_LENGTH_EXCEEDED', 'handshake', 'PREFLIGHT_BAD_CA'],
  ['UNABLE_TO_GET_ISSUER_CERT', 'handshake', 'PREFLIGHT_ROOT_MISSING'],
  ['CERT_SIGNATURE_FAILURE', 'handshake', 'PREFLIGHT_BAD_SIGNATURE'],
  ['ERR_SOMETHING_NEW', 'handshake', 'PREFLIGHT_FAILED'],
])('%s in the phase %s', (code, phase, expected) => {
  expect(classify(failed(fault(code), phase))).toBe(expected)
})

test.each([
  ['EE certificate key too weak', 'PREFLIGHT_TOO_WEAK'],
  ['CA signature digest algorithm too weak', 'PREFLIGHT_TOO_WEAK'],
  ['unhandled critical extension', 'PREFLIGHT_BAD_CERTIFICATE'],
  ['permitted subtree violation', 'PREFLIGHT_BAD_CERTIFICATE'],
])('an error without a code but with the text "%s"', (message, expected) => {
  expect(classify(failed(fault('UNSPECIFIED', message)))).toBe(expected)
})

test.each<[DialPhase, PreflightCode]>([
  ['lookup', 'PREFLIGHT_DNS_FAILED'],
  ['connect', 'PREFLIGHT_UNREACHABLE'],
  ['handshake', 'PREFLIGHT_NO_TLS_ANSWER'],
  ['http', 'PREFLIGHT_NO_HTTP_ANSWER'],
])('a timeout in the phase %s', (phase, expected) => {
  expect(classify({ phase, timedOut: true, presented: [] })).toBe(expected)
})

test('uses the first error of several addresses', () => {
  const both = new AggregateError([fault('EHOSTUNREACH'), fault('ECONNREFUSED')])
  expect(classify(failed(Object.assign(both, { code: 'ECONNREFUSED' }), 'connect'))).toBe(
    'PREFLIGHT_NO_ROUTE',
  )
})

test('an error without any code gets a code', () => {
  expect(classify(failed(new Error('what?')))).toBe('PREFLIGHT_FAILED')
  expect(classify({ phase: 'connect', timedOut: false, presented: [] })).toBe('PREFLIGHT_FAILED')
})

test('certificate codes are the codes for which the presented certificates are read', () => {
  for (const code of Object.keys(preflightCertificateCodes) as PreflightCode[])
    expect(isCertificateCode(code)).toBe(true)
  expect(isCertificateCode('PREFLIGHT_REFUSED')).toBe(false)
})
