// One certificate of a file: Node's view of it, further fields read from its DER, and where it came from.
import { X509Certificate } from 'node:crypto'
import { type Problem, problem } from '../problems/index.ts'
import {
  type Der,
  DerError,
  derBitString,
  derBits,
  derBoolean,
  derChildren,
  derContent,
  derInteger,
  derOid,
  derSequence,
  derSmallInteger,
  derTag,
  extensionOid,
  type PssParameters,
  readDer,
  readPss,
  rsaPss,
} from './der.ts'
import {
  type GeneralName,
  generalName,
  type NameAttribute,
  nameAttributes,
  nameKey,
  showDistinguishedName,
  showName,
} from './distinguished-name.ts'
import type { PemBlock } from './pem.ts'
import type { CertificateFacts, CertificateRole } from './trust-plan.ts'

export interface Certificate {
  x509: X509Certificate
  fields: CertificateFields
  /** Of the DER bytes, lower-case hex. */
  sha256: string
  subject: string
  issuer: string
  /** Equal for names that OpenSSL treats as equal. */
  subjectKey: string
  issuerKey: string
  file: string
  /** Number of the block in its file, and the line of its BEGIN marker; both start at 1. */
  block: number
  line: number
}

export function readCertificate(
  block: PemBlock,
  file: string,
): { certificate?: Certificate; problems: Problem[] } {
  const broken = (reason: string, cause?: unknown) => ({
    problems: [
      problem('TLS_PEM_BROKEN', `block ${block.number} of ${file} is not usable: ${reason}`, {
        where: { file, line: block.line },
        cause,
      }),
    ],
  })
  if (block.fault) return broken(block.fault)
  const read = readX509(block.der)
  if ('fault' in read) return broken(read.fault, read.cause)
  const { x509, fields } = read
  const certificate: Certificate = {
    x509,
    fields,
    sha256: x509.fingerprint256.replaceAll(':', '').toLowerCase(),
    subject: showDistinguishedName(fields.subject),
    issuer: showDistinguishedName(fields.issuer),
    subjectKey: nameKey(fields.subject),
    issuerKey: nameKey(fields.issuer),
    file,
    block: block.number,
    line: block.line,
  }
  return { certificate, problems: [] }
}

/**
 * Reads the certificates of files and of peers. Never throws: any bytes give either a certificate whose dates are valid,
 * or a fault, whose text quotes none of the bytes.
 */
export function readX509(
  der: Buffer,
): { x509: X509Certificate; fields: CertificateFields } | { fault: string; cause?: unknown } {
  try {
    const x509 = new X509Certificate(der)
    const fields = readCertificateFields(der)
    const dated = isMoment(x509.validFromDate, x509.validFrom) && isMoment(x509.validToDate, x509.validTo)
    return dated ? { x509, fields } : { fault: 'its dates are not valid' }
  } catch (cause) {
    if (cause instanceof DerError) return { fault: `it is not strict DER: it ${cause.message}`, cause }
    return { fault: 'its bytes are not an X.509 certificate', cause }
  }
}

/** What OpenSSL prints for a time it cannot read. Node then builds the date from uninitialised memory. */
const badTime = 'Bad time value'

function isMoment(date: Date, printed: string): boolean {
  return printed !== badTime && !Number.isNaN(date.getTime())
}

/** RFC 3339, UTC, or `an unreadable date`. Never throws. */
export function validityOf(x509: X509Certificate): { notBefore: string; notAfter: string } {
  const text = (date: Date, printed: string) =>
    isMoment(date, printed) ? date.toISOString() : 'an unreadable date'
  return {
    notBefore: text(x509.validFromDate, x509.validFrom),
    notAfter: text(x509.validToDate, x509.validTo),
  }
}

/** A root for OpenSSL and for Go: its issuer is its own subject, and its own key signed it. */
export function isSelfSigned(certificate: Certificate): boolean {
  // Not checkIssued(): that is false for a self-signed server certificate whose keyUsage lacks keyCertSign.
  return certificate.subjectKey === certificate.issuerKey && isSignedBy(certificate, certificate)
}

/** Whether the key of `parent` made the signature. Does not check whether `parent` is allowed to sign. */
export function isSignedBy(certificate: Certificate, parent: Certificate): boolean {
  try {
    return certificate.x509.verify(parent.x509.publicKey)
  } catch {
    // A key or algorithm this OpenSSL does not know.
    return false
  }
}

export function certificateFacts(certificate: Certificate, role: CertificateRole): CertificateFacts {
  const { x509, fields, subject, issuer, sha256 } = certificate
  return {
    role,
    subject,
    issuer,
    sans: fields.names.map(showName),
    ...validityOf(x509),
    sha256,
    pem: x509.toString(),
  }
}

// The fields that verifiers check in a certificate (RFC 5280 section 4.1), read from its DER.

export interface CertificateFields extends KnownExtensions {
  /** 1, 2 or 3. */
  version: number
  serialNegative: boolean
  /** The algorithm the certificate is signed with; `pss` when that is RSA-PSS. */
  signature: { oid: string; pss?: PssParameters }
  /** The signed part and the certificate name different signature algorithms. */
  signatureDiffers: boolean
  /** DER of the names: Go compares these bytes. */
  issuerDer: Buffer
  subjectDer: Buffer
  issuer: NameAttribute[]
  subject: NameAttribute[]
  /** As in the certificate, such as `301231235959Z`, with the tag of the time type. */
  times: { tag: number; text: string }[]
  publicKey: { oid: string; parameters?: Der; bytes: Buffer }
  extensions: Extension[]
}

/** Throws DerError when the bytes are not the strict DER of a certificate. */
export function readCertificateFields(der: Buffer): CertificateFields {
  const [signed, algorithm, signature] = derSequence(readDer(der))
  derBitString(signature)
  const all = derSequence(signed)
  const versioned = all[0]?.tag === 0xa0
  const [serial, innerAlgorithm, issuer, validity, subject, key, ...rest] = versioned ? all.slice(1) : all
  if (!algorithm || !innerAlgorithm || !issuer || !subject) throw new DerError('is not a certificate')
  const extensions = readExtensions(rest.find((part) => part.tag === 0xa3))
  return {
    version: versioned ? derSmallInteger(derChildren(all[0]!.content)[0]) + 1 : 1,
    serialNegative: (derInteger(serial)[0]! & 0x80) !== 0,
    signature: readSignature(algorithm),
    signatureDiffers: !algorithm.bytes.equals(innerAlgorithm.bytes),
    issuerDer: issuer.bytes,
    subjectDer: subject.bytes,
    issuer: nameAttributes(issuer),
    subject: nameAttributes(subject),
    times: derSequence(validity).map((time) => ({ tag: time.tag, text: time.content.toString('latin1') })),
    publicKey: readPublicKey(key),
    extensions,
    ...readKnownExtensions(extensions),
  }
}

function readSignature(algorithm: Der): CertificateFields['signature'] {
  const { oid, parameters } = readAlgorithm(algorithm)
  return oid === rsaPss ? { oid, pss: readPss(parameters) } : { oid }
}

function readAlgorithm(element: Der | undefined): { oid: string; parameters?: Der } {
  const [oid, parameters] = derSequence(element)
  return { oid: derOid(oid), parameters }
}

function readPublicKey(element: Der | undefined): CertificateFields['publicKey'] {
  const [algorithm, bits] = derSequence(element)
  if (bits?.content[0] !== 0) throw new DerError('has a malformed public key')
  return { ...readAlgorithm(algorithm), bytes: derBitString(bits) }
}

// The extensions of a certificate that the checks use (RFC 5280 section 4.2).

export interface Extension {
  oid: string
  critical: boolean
  value: Buffer
}

export interface NameConstraints {
  permitted: GeneralName[]
  excluded: GeneralName[]
}

export interface KnownExtensions {
  /** Numbers of the bits of section 4.2.1.3; undefined without the extension. */
  keyUsage?: Set<number>
  basicConstraints?: { ca: boolean; pathLength?: number }
  extendedKeyUsage?: string[]
  nameConstraints?: NameConstraints
  /** Bits of Netscape's certificate type; 1 is a TLS server. */
  netscapeCertType?: Set<number>
  names: GeneralName[]
  /** True only for the form with a key identifier, which OpenSSL's strict mode requires. */
  hasAuthorityKeyId: boolean
  hasSubjectKeyId: boolean
}

export const keyUsageBit = {
  digitalSignature: 0,
  keyEncipherment: 2,
  keyAgreement: 4,
  keyCertSign: 5,
  crlSign: 6,
}

/** Reads the `[3]` element of a certificate. Throws DerError. */
export function readExtensions(wrapper: Der | undefined): Extension[] {
  if (!wrapper) return []
  return derSequence(derChildren(wrapper.content)[0]).map((element) => {
    const parts = derSequence(element)
    const marked = parts[1]?.tag === derTag.boolean
    const critical = marked && derBoolean(parts[1])
    return { oid: derOid(parts[0]), critical, value: derContent(parts[marked ? 2 : 1], derTag.octetString) }
  })
}

/** Throws DerError when an extension does not have the form its standard requires. */
export function readKnownExtensions(extensions: Extension[]): KnownExtensions {
  const read = <T>(oid: string, reader: (element: Der) => T): T | undefined => {
    const extension = extensions.find((candidate) => candidate.oid === oid)
    return extension && reader(readDer(extension.value))
  }
  return {
    keyUsage: read(extensionOid.keyUsage, derBits),
    basicConstraints: read(extensionOid.basicConstraints, readBasicConstraints),
    extendedKeyUsage: read(extensionOid.extendedKeyUsage, (element) => derSequence(element).map(derOid)),
    nameConstraints: read(extensionOid.nameConstraints, readNameConstraints),
    netscapeCertType: read(extensionOid.netscapeCertType, derBits),
    names: read(extensionOid.subjectAltName, (element) => derSequence(element).map(generalName)) ?? [],
    hasAuthorityKeyId: read(extensionOid.authorityKeyIdentifier, hasKeyIdentifier) ?? false,
    hasSubjectKeyId:
      read(extensionOid.subjectKeyIdentifier, (element) => derContent(element, derTag.octetString)) !==
      undefined,
  }
}

function readBasicConstraints(element: Der): { ca: boolean; pathLength?: number } {
  const parts = derSequence(element)
  const marked = parts[0]?.tag === derTag.boolean
  const length = parts[marked ? 1 : 0]
  return {
    ca: marked && derBoolean(parts[0]),
    ...(length && { pathLength: derSmallInteger(length) }),
  }
}

function hasKeyIdentifier(element: Der): boolean {
  return derSequence(element).some((part) => part.tag === 0x80)
}

function readNameConstraints(element: Der): NameConstraints {
  const parts = derSequence(element)
  if (parts.length === 0 || parts.some((part) => part.tag !== 0xa0 && part.tag !== 0xa1))
    throw new DerError('has malformed name constraints')
  const subtrees = (tag: number) => {
    const list = parts.find((part) => part.tag === tag)
    return list ? derChildren(list.content).map((subtree) => readConstraint(derSequence(subtree)[0])) : []
  }
  return { permitted: subtrees(0xa0), excluded: subtrees(0xa1) }
}

function readConstraint(element: Der | undefined): GeneralName {
  const name = element && generalName(element)
  // RFC 5280 section 4.2.1.10: an address and its mask.
  const range = name?.kind !== 'ip' || name.bytes.length === 8 || name.bytes.length === 32
  if (!name || !range || /[^\x00-\x7f]/.test(name.kind === 'ip' ? '' : name.value))
    throw new DerError('has a malformed name constraint')
  return name
}
