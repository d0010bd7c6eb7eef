// Critical extensions: a verifier that does not know one has to refuse the certificate (RFC 5280 section 4.2).
import type { Problem } from '../problems/problem.ts'
import { fault, type Link } from './link.ts'
import { extensionOid } from './oids.ts'

/** Known to OpenSSL and to Go 1.22 alike, whatever their content. */
const known: string[] = [
  extensionOid.keyUsage,
  extensionOid.subjectAltName,
  extensionOid.basicConstraints,
  extensionOid.nameConstraints,
  extensionOid.crlDistributionPoints,
  extensionOid.certificatePolicies,
  extensionOid.extendedKeyUsage,
  // Refused by Go when critical, which is another problem's message.
  extensionOid.subjectKeyIdentifier,
  extensionOid.authorityKeyIdentifier,
  extensionOid.authorityInfoAccess,
]

export function checkCritical(links: Link[]): Problem[] {
  return links.flatMap((link) =>
    link.certificate.fields.extensions
      .filter((extension) => extension.critical && !known.includes(extension.oid))
      .map((extension) =>
        fault(
          link,
          'TLS_CRITICAL_EXTENSION',
          `marks the extension ${extension.oid} as critical, which clients do not know`,
        ),
      ),
  )
}
