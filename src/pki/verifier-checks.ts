// Faults that only Go reports (crypto/x509): it refuses the certificate, and with it the whole handshake.
import { isUtf8 } from 'node:buffer'
import { ipVersion } from '../platform/index.ts'
import { type Problem, type ProblemCode, type ProblemOptions, problem } from '../problems/index.ts'
import { type Certificate, type CertificateFields, type Extension, keyUsageBit } from './certificate.ts'
import type { ChainPath } from './chain.ts'
import { derTag, extensionOid } from './der.ts'
import { type GeneralName, type NameAttribute, type NameKind, showName } from './distinguished-name.ts'
import type { CertificateRole } from './trust-plan.ts'

/** Checks every certificate of the file, because a Go master sends them all. */
export function checkForGo(certificates: Certificate[]): Problem[] {
  return certificates.flatMap((certificate) =>
    goFaults(certificate.fields).map((what) =>
      faultIn(certificate, 'the certificate', 'TLS_GO_REFUSES', what),
    ),
  )
}

/** Go compares names byte by byte where OpenSSL ignores string types, case and blanks. */
export function checkNameEncoding(links: Link[]): Problem[] {
  return links.flatMap((link, index) => {
    const issuer = links[index + 1]
    if (!issuer || link.certificate.fields.issuerDer.equals(issuer.certificate.fields.subjectDer)) return []
    return [
      faultIn(
        link.certificate,
        'the certificate',
        'TLS_NAME_ENCODING',
        `encodes its issuer's name in other bytes than ${issuer.certificate.subject} encodes its subject`,
      ),
    ]
  })
}

function goFaults(fields: CertificateFields): string[] {
  const faults: string[] = []
  const oids = fields.extensions.map((extension) => extension.oid)
  const repeated = oids.find((oid, index) => oids.indexOf(oid) !== index)
  if (fields.serialNegative) faults.push('has a negative serial number')
  if (fields.version > 3) faults.push(`is of version ${fields.version}`)
  if (fields.signatureDiffers) faults.push('names two different signature algorithms')
  if (repeated) faults.push(`has the extension ${repeated} twice`)
  const neverCritical = [
    extensionOid.authorityKeyIdentifier,
    extensionOid.subjectKeyIdentifier,
    extensionOid.authorityInfoAccess,
  ]
  for (const { oid, critical } of fields.extensions)
    if (critical && neverCritical.some((candidate) => candidate === oid))
      faults.push(`marks the extension ${oid} as critical`)
  if (fields.times.some((time) => !isGoodTime(time)))
    faults.push('has a date in a form RFC 5280 does not allow')
  for (const attribute of [...fields.subject, ...fields.issuer])
    if (!isGoodString(attribute)) faults.push(`has characters in a name that its string type does not allow`)
  // RFC 3279 section 2.3.1: the parameters of an RSA key are NULL.
  if (fields.publicKey.oid === '1.2.840.113549.1.1.1' && fields.publicKey.parameters?.tag !== derTag.null)
    faults.push('has an RSA key without its NULL parameters')
  for (const name of fields.names)
    if (!isGoodName(name)) faults.push(`has the malformed name ${showName(name)}`)
  return [...new Set(faults)]
}

/** RFC 5280 section 4.1.2.5: seconds, no fractions, UTC; and a valid date. */
function isGoodTime({ tag, text }: { tag: number; text: string }): boolean {
  const digits = tag === derTag.utcTime ? `${text < '50' ? 20 : 19}${text}` : text
  const iso = digits.replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6.000Z')
  const moment = new Date(iso)
  return !Number.isNaN(moment.getTime()) && moment.toISOString() === iso
}

function isGoodString({ stringTag, bytes }: NameAttribute): boolean {
  const text = bytes.toString('latin1')
  switch (stringTag) {
    case 0x0c: // UTF8String
      return isUtf8(bytes)
    case 0x12: // NumericString
      return /^[0-9 ]*$/.test(text)
    case 0x13: // PrintableString; Go lets * and & pass
      return /^[A-Za-z0-9 '()+,\-./:=?*&]*$/.test(text)
    case 0x14: // T61String
      return true
    case 0x16: // IA5String
      return /^[\x00-\x7f]*$/.test(text)
    case 0x1e: // BMPString
      return bytes.length % 2 === 0
    default:
      return false
  }
}

function isGoodName({ kind, value, bytes }: GeneralName): boolean {
  if (kind === 'ip') return bytes.length === 4 || bytes.length === 16
  if (kind !== 'dns' && kind !== 'email' && kind !== 'uri') return true
  if (/[^\x00-\x7f]/.test(value)) return false
  return kind !== 'uri' || goodUri.test(value)
}

/**
 * RFC 3986 with a scheme, as RFC 5280 section 4.2.1.6 requires, and a host that is a name. Stricter than Go's parser,
 * which also accepts some URIs that are neither.
 */
const goodUri = new RegExp(
  '^[a-z][a-z0-9+.-]*:' +
    String.raw`(?:\/\/(?:(?:[\w.~!$&'()*+,;=:-]|%[0-9a-f]{2})*@)?` +
    String.raw`(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)?(?::\d*)?(?=[/?#]|$)|(?!\/\/))` +
    String.raw`(?:[\w.~!$&'()*+,;=:@/?#-]|%[0-9a-f]{2})*$`,
  'i',
)

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

// Name constraints (RFC 5280 section 4.2.1.10): every name below a constrained CA must satisfy them.

const judged: NameKind[] = ['dns', 'ip', 'email', 'uri']

export function checkNameConstraints(links: Link[]): Problem[] {
  return links.flatMap((ca) => {
    const constraints = ca.certificate.fields.nameConstraints
    if (ca.role === 'leaf' || !constraints) return []
    const all = [...constraints.permitted, ...constraints.excluded]
    if (all.some((constraint) => !judged.includes(constraint.kind)))
      // Go treats such a critical extension as unhandled and refuses the chain.
      return [fault(ca, 'TLS_NAME_CONSTRAINTS', 'constrains names of a kind that Go agents cannot check')]
    return links
      .slice(0, links.indexOf(ca))
      .flatMap((below) =>
        below.certificate.fields.names
          .filter((name) => !allows(constraints, name))
          .map((name) =>
            fault(
              below,
              'TLS_NAME_CONSTRAINTS',
              `is for ${showName(name)}, which ${ca.certificate.subject} may not certify`,
            ),
          ),
      )
  })
}

function allows(
  constraints: { permitted: GeneralName[]; excluded: GeneralName[] },
  name: GeneralName,
): boolean {
  const matches = (constraint: GeneralName) => constraint.kind === name.kind && within(name, constraint)
  const permitted = constraints.permitted.filter((constraint) => constraint.kind === name.kind)
  return !constraints.excluded.some(matches) && (permitted.length === 0 || permitted.some(matches))
}

function within(name: GeneralName, constraint: GeneralName): boolean {
  const value = name.value.toLowerCase()
  const base = constraint.value.toLowerCase()
  switch (name.kind) {
    case 'ip':
      return ipWithin(name.bytes, constraint.bytes)
    case 'dns':
      return base === '' || value === base || value.endsWith(base.startsWith('.') ? base : `.${base}`)
    case 'email':
      return base.includes('@') ? value === base : hostWithin(value.slice(value.lastIndexOf('@') + 1), base)
    case 'uri':
      return hostWithin(uriHost(value), base)
    default:
      return false
  }
}

/** For email and URI a leading dot means "below", its absence "exactly". */
function hostWithin(host: string, base: string): boolean {
  return base.startsWith('.') ? host.endsWith(base) : host === base
}

function uriHost(uri: string): string {
  const host = URL.canParse(uri) ? new URL(uri).hostname : ''
  return ipVersion(host) ? '' : host
}

/** The constraint is an address followed by a mask of the same length. */
function ipWithin(address: Buffer, constraint: Buffer): boolean {
  const size = address.length
  if (constraint.length !== size * 2) return false
  return address.every((byte, i) => ((byte ^ constraint[i]!) & constraint[size + i]!) === 0)
}

// One certificate and its position in a path, and the wording of problems with it.

export interface Link {
  certificate: Certificate
  role: CertificateRole
  /** CAs between this one and the server certificate. */
  below: number
  /** Its own key signed it; no verifier checks that signature. */
  selfSigned: boolean
}

/** A path that starts at a server certificate, or at a CA of an anchor file (`start: 'ca'`). */
export function linksOf(path: ChainPath, start: 'leaf' | 'ca' = 'leaf'): Link[] {
  const last = path.certificates.length - 1
  return path.certificates.map((certificate, index) => {
    const selfSigned = path.complete && index === last
    const leaf = start === 'leaf' && index === 0
    const below = Math.max(start === 'leaf' ? index - 1 : index, 0)
    return { certificate, below, selfSigned, role: leaf ? 'leaf' : selfSigned ? 'root' : 'intermediate' }
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
