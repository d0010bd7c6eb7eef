// The TLS side of a listener: what is offered, and how a certificate is tried before it is used.
import { constants } from 'node:crypto'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { type Problem, problem } from '../problems/problem.ts'

/** A certificate chain, leaf first, and its private key, both PEM. */
export interface CertificatePair {
  cert: string
  key: string
}

export interface ServerTls extends CertificatePair {
  /** PEM. Set: clients are asked for a certificate of these CAs; whether they must have one is each handler's business. */
  clientCa?: string
}

/**
 * TLS 1.2 is the least (origin: master/internal/core.go). Renegotiation is off: no client of ours uses it, and it lets a
 * client make the server do expensive handshakes on one connection.
 */
export function contextOptions(tls: ServerTls): SecureContextOptions {
  return {
    cert: tls.cert,
    key: tls.key,
    ca: tls.clientCa,
    minVersion: 'TLSv1.2',
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  }
}

/** Why OpenSSL cannot serve with this pair, or undefined. Never a byte of the key. */
export function unusablePair(tls: ServerTls): Problem | undefined {
  // Node takes an empty text for "none" and then serves without a certificate.
  if (!tls.cert.trim() || !tls.key.trim())
    return problem('CERTIFICATE_NOT_SERVED', `the ${tls.cert.trim() ? 'key' : 'certificate'} is empty`)
  try {
    createSecureContext(contextOptions(tls))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return problem('CERTIFICATE_NOT_SERVED', `the certificate and key cannot be used: ${message}`, {
      details: { code },
    })
  }
}
