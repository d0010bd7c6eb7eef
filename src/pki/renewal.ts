// Whether agents that were given one chain trust a server that presents another.
import { isSignedBy } from './certificate.ts'
import type { TlsMaterial } from './credentials.ts'

/**
 * True when the new path holds a certificate of the old one, or one that an authority of the old one has signed. Below
 * a server certificate nothing is trusted, also when it has signed itself.
 */
export function keepsTrust(before: TlsMaterial, after: TlsMaterial): boolean {
  const [, ...authorities] = before.path.certificates
  const known = new Set(before.path.certificates.map(({ sha256 }) => sha256))
  return after.path.certificates.some(
    (certificate) =>
      known.has(certificate.sha256) ||
      authorities.some(
        (authority) => certificate.issuerKey === authority.subjectKey && isSignedBy(certificate, authority),
      ),
  )
}
