// Key types and sizes: what Go agents, Python tasks and Node itself can all use.
import type { KeyObject } from 'node:crypto'
import type { Problem } from '../problems/problem.ts'
import type { Certificate } from './certificate.ts'
import { fault, type Link } from './link.ts'

/** OpenSSL's security level 2 (Debian, Ubuntu, Node 24); Go accepts RSA from 1024 bits. */
const minBits = 2048
/** Go refuses a handshake with a longer RSA key in it (crypto/tls, setting tlsmaxrsasize). */
const maxBits = 8192
const goodCurves: Record<string, string> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' }
const curveNames: Record<string, string> = { secp224r1: 'P-224' }

export function checkKeys(links: Link[]): Problem[] {
  return links.flatMap((link) => {
    const found = judgeKey(link.certificate)
    return found ? [fault(link, found.code, found.what)] : []
  })
}

/** What is wrong with the public key, or undefined. */
export function judgeKey(
  certificate: Certificate,
): { code: 'TLS_WEAK_KEY' | 'TLS_KEY_TYPE'; what: string } | undefined {
  const key = publicKeyOf(certificate)
  const type = key?.asymmetricKeyType
  const details = key?.asymmetricKeyDetails ?? {}
  const bits = details.modulusLength ?? 0
  const unusable = (what: string) => ({ code: 'TLS_KEY_TYPE' as const, what })
  if ((type === 'rsa' || type === 'dsa' || type === 'rsa-pss') && bits < minBits)
    return {
      code: 'TLS_WEAK_KEY',
      what: `has a key of ${bits} bits (${type}); OpenSSL wants at least ${minBits}`,
    }
  switch (type) {
    case 'rsa':
      if (bits > maxBits)
        return unusable(`has an RSA key of ${bits} bits; Go agents refuse more than ${maxBits}`)
      if ((details.publicExponent ?? 0n) > 0x7fffffffn)
        return unusable('has an RSA key whose public exponent is too large for Go agents')
      return undefined
    case 'ec':
      return judgeCurve(certificate, details.namedCurve)
    case 'ed25519':
      return undefined
    case 'rsa-pss':
      return unusable('has a key marked RSA-PSS, which Go agents cannot use; the plain RSA form of it works')
    case undefined:
      return unusable('has a key of a type that is not known here')
    default:
      return unusable(`has a key of type ${type}, which Go agents cannot use`)
  }
}

function judgeCurve(certificate: Certificate, curve = '') {
  const unusable = (what: string) => ({ code: 'TLS_KEY_TYPE' as const, what })
  if (!goodCurves[curve])
    return unusable(
      `has a key on ${curve ? `the curve ${curveNames[curve] ?? curve}` : 'a curve without a name'}; ` +
        `clients agree on ${Object.values(goodCurves).join(', ')} only`,
    )
  // RFC 5480 section 2.2; Go reads uncompressed points only.
  if (certificate.fields.publicKey.bytes[0] !== 0x04)
    return unusable('has its key written as a compressed point, which Go agents cannot read')
  return undefined
}

function publicKeyOf(certificate: Certificate): KeyObject | undefined {
  try {
    return certificate.x509.publicKey
  } catch {
    return undefined
  }
}
