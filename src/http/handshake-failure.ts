// Names what went wrong when a client never got through the TLS handshake: often the only trace of an agent that cannot join.

export type HandshakeFailureKind =
  | 'certificate_refused'
  | 'plain_text'
  | 'tls_too_old'
  | 'nothing_shared'
  | 'timeout'
  | 'not_tls'
  | 'broken'

export interface HandshakeFailure {
  kind: HandshakeFailureKind
  /** One sentence for people, without a full stop. */
  message: string
}

/** Alerts a client sends about our certificate (RFC 8446 6.2); Go sends bad_certificate for every fault of a chain. */
const refusals: [RegExp, string][] = [
  [/ALERT_UNKNOWN_CA/, 'it does not trust the CA of our certificate'],
  [/ALERT_CERTIFICATE_EXPIRED/, 'it says our certificate is not valid now'],
  [
    /ALERT_(BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|UNSUPPORTED_CERTIFICATE)/,
    'it refuses our certificate: wrong CA, name or date',
  ],
]

/** Reads the error of `tlsClientError`; Node has no other place that tells. */
export function handshakeFailure(error: NodeJS.ErrnoException): HandshakeFailure {
  const code = error.code ?? ''
  const refusal = refusals.find(([alert]) => alert.test(code))
  if (refusal) return { kind: 'certificate_refused', message: refusal[1] }
  if (/HTTP_REQUEST|HTTPS_PROXY_REQUEST/.test(code))
    return { kind: 'plain_text', message: 'it speaks plain HTTP to the TLS port: its TLS is off' }
  if (/UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION|VERSION_TOO_LOW/.test(code))
    return { kind: 'tls_too_old', message: 'it offers nothing newer than TLS 1.1' }
  if (/NO_SHARED_CIPHER|NO_SUITABLE|NO_SHARED_GROUP|HANDSHAKE_FAILURE/.test(code))
    return { kind: 'nothing_shared', message: 'it shares no cipher, curve or signature algorithm with us' }
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT')
    return { kind: 'timeout', message: 'it did not finish the TLS handshake' }
  if (/^ERR_SSL_/.test(code)) return { kind: 'not_tls', message: `it does not speak TLS (${code})` }
  return { kind: 'broken', message: `it went away during the TLS handshake (${code || error.message})` }
}
