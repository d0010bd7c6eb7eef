// Faults that only Go reports (crypto/x509): it refuses the certificate, and with it the whole handshake.
import { type Problem, type ProblemCode, type ProblemOptions, problem } from '../problems/index.ts'
import { type Certificate, isSelfIssued } from './certificate.ts'
import type { ChainPath } from './chain.ts'
import { extensionOid } from './der.ts'
import { type Extension, keyUsageBit } from './extensions.ts'
import type { CertificateRole } from './trust-plan.ts'

/** Checks every certificate of the file, because a Go master sends them all. */
export function checkForGo(certificates: Certificate[]): Problem[] {
  return certificates.flatMap((certificate) =>
    certificate.asGo.faults.map((what) => faultIn(certificate, 'the certificate', 'TLS_GO_REFUSES', what)),
  )
}

/** Only certificates of a path: OpenSSL does not look at others that a server sends. */
export function checkForOpenssl(links: Link[]): Problem[] {
  return links.flatMap((link) => {
    const { opensslFaults } = link.certificate.fields
    return opensslFaults.map((what) => fault(link, 'TLS_OPENSSL_REFUSES', what))
  })
}

// Rules of RFC 5280 that Python enforces by default since 3.13 (VERIFY_X509_STRICT; OpenSSL, check_extensions).

export function checkStrict(links: Link[]): Problem[] {
  // A single certificate that is its own anchor is exempt from these rules (RFC 6818 section 2).
  const lone = links.length === 1 && links[0]!.role === 'leaf'
  const faults = links.map(lone ? loneFaults : chainFaults)
  return links.flatMap((link, index) =>
    faults[index]!.map((what) =>
      fault(link, 'TLS_STRICT_RFC5280', `${what}; Python 3.13 and later check that`),
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
  if (!selfSigned && fields.version >= 3 && !fields.authorityKeyId?.keyId)
    faults.push('has no authority key identifier')
  return [...faults, ...nameFaults(certificate)]
}

function caFaults({ fields }: Certificate): string[] {
  const faults: string[] = []
  if (!isCritical(fields.extensions, extensionOid.basicConstraints))
    faults.push('has basicConstraints that are not critical')
  if (!fields.keyUsage) faults.push('is a CA without keyUsage')
  if (!fields.subjectKeyId) faults.push('is a CA without a subject key identifier')
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

// One certificate and its position in a path, and the wording of problems with it.

export interface Link {
  certificate: Certificate
  role: CertificateRole
  /** CAs between this one and the server certificate, without self-issued ones (RFC 5280 section 4.2.1.9). */
  below: number
  /** Certificates below this one. */
  depth: number
  /** Its own key signed it; no verifier checks that signature. */
  selfSigned: boolean
}

/** A path that starts at a server certificate, or at a CA of an anchor file (`start: 'ca'`). */
export function linksOf(path: ChainPath, start: 'leaf' | 'ca' = 'leaf'): Link[] {
  const last = path.certificates.length - 1
  return path.certificates.map((certificate, index) => {
    const selfSigned = path.complete && index === last
    const leaf = start === 'leaf' && index === 0
    const cas = path.certificates.slice(start === 'leaf' ? 1 : 0, Math.max(index, 0))
    const below = cas.filter((ca) => !isSelfIssued(ca)).length
    return {
      certificate,
      below,
      depth: index,
      selfSigned,
      role: leaf ? 'leaf' : selfSigned ? 'root' : 'intermediate',
    }
  })
}

const titles: Record<CertificateRole, string> = {
  leaf: 'the server certificate',
  intermediate: 'the intermediate',
  root: 'the root',
}

/** `fault(link, 'TLS_EXPIRED', 'expired on …')` → "the root CN=Example expired on …", with its file and line. */
export function fault(link: Link, code: ProblemCode, what: string, options: ProblemOptions = {}): Problem {
  return faultIn(link.certificate, titles[link.role], code, what, options)
}

/** The same for a certificate outside the path. */
export function faultIn(
  certificate: Certificate,
  title: string,
  code: ProblemCode,
  what: string,
  options: ProblemOptions = {},
): Problem {
  return problem(code, `${title} ${certificate.subject} ${what}`, {
    where: { file: certificate.file, line: certificate.line },
    ...options,
    details: { subject: certificate.subject, sha256: certificate.sha256, ...options.details },
  })
}
