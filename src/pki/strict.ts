// Rules of RFC 5280 that Python enforces by default since 3.13 (VERIFY_X509_STRICT; OpenSSL, check_extensions).
import type { Problem } from '../problems/problem.ts'
import type { Certificate } from './certificate.ts'
import { type Extension, keyUsageBit } from './certificate-extensions.ts'
import { fault, type Link } from './link.ts'
import { extensionOid } from './oids.ts'

export function checkStrict(links: Link[]): Problem[] {
  // A path of one is an end certificate that is its own anchor: RFC 6818 section 2 takes it out of the rules.
  const lone = links.length === 1 && links[0]!.role === 'leaf'
  const faults = links.map(lone ? loneFaults : chainFaults)
  return links.flatMap((link, index) =>
    faults[index]!.map((what) =>
      fault(link, 'TLS_STRICT_RFC5280', `${what}; Python from 3.13 on checks that`),
    ),
  )
}

function loneFaults({ certificate: { fields } }: Link): string[] {
  if (fields.version === 1) return ['is of version 1']
  const signs = fields.keyUsage?.has(keyUsageBit.keyCertSign) && !fields.basicConstraints
  return signs ? ['has keyUsage keyCertSign without basicConstraints'] : []
}

function chainFaults({ certificate, role, selfSigned }: Link): string[] {
  const { fields } = certificate
  const faults: string[] = []
  const ca = role !== 'leaf'
  if (fields.version < 3 && fields.extensions.length > 0)
    faults.push(`has extensions, but is of version ${fields.version}`)
  if (ca && fields.version < 3) faults.push(`is a CA of version ${fields.version}`)
  if (fields.basicConstraints?.ca) faults.push(...caFaults(certificate))
  else {
    if (fields.basicConstraints?.pathLength !== undefined) faults.push('has a path length without being a CA')
    if (fields.keyUsage?.has(keyUsageBit.keyCertSign))
      faults.push('has keyUsage keyCertSign without being a CA')
  }
  if (!selfSigned && fields.version >= 3 && !fields.hasAuthorityKeyId)
    faults.push('has no authority key identifier')
  return [...faults, ...nameFaults(certificate)]
}

function caFaults({ fields }: Certificate): string[] {
  const faults: string[] = []
  if (!isCritical(fields.extensions, extensionOid.basicConstraints))
    faults.push('has basicConstraints that are not critical')
  if (!fields.keyUsage) faults.push('is a CA without keyUsage')
  if (!fields.hasSubjectKeyId) faults.push('is a CA without a subject key identifier')
  return faults
}

function nameFaults({ fields }: Certificate): string[] {
  const hasNames = fields.extensions.some((extension) => extension.oid === extensionOid.subjectAltName)
  const faults: string[] = []
  if (fields.issuer.length === 0) faults.push('has no issuer name')
  if (hasNames && fields.names.length === 0) faults.push('has an empty subjectAltName')
  if (fields.subject.length > 0) return faults
  const needsSubject = fields.basicConstraints?.ca || fields.keyUsage?.has(keyUsageBit.crlSign) || !hasNames
  if (needsSubject) faults.push('has no subject name')
  else if (!isCritical(fields.extensions, extensionOid.subjectAltName))
    faults.push('has no subject name, but its subjectAltName is not critical')
  return faults
}

function isCritical(extensions: Extension[], oid: string): boolean {
  return extensions.some((extension) => extension.oid === oid && extension.critical)
}
