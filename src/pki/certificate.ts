// One certificate of a file: Node's view of it, further fields read from its DER, and where it came from.
import { X509Certificate } from 'node:crypto'
import { type Problem, problem } from '../problems/index.ts'
import {
  type Der,
  DerError,
  derBitString,
  derChildren,
  derInteger,
  derOid,
  derSequence,
  derSmallInteger,
  type PssParameters,
  readDer,
  readPss,
  rsaPss,
} from './der.ts'
import {
  type NameAttribute,
  nameAttributes,
  nameKey,
  showDistinguishedName,
  showName,
} from './distinguished-name.ts'
import { type Extension, type KnownExtensions, readExtensions, readKnownExtensions } from './extensions.ts'
import { type GoCertificate, readAsGo } from './go-parser.ts'
import { literalLineEnds, type PemBlock } from './pem.ts'
import type { CertificateFacts, CertificateRole } from './trust-plan.ts'

export interface Certificate {
  x509: X509Certificate
  fields: CertificateFields
  asGo: GoCertificate
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
        ...(reason === literalLineEnds && {
          remedy: `Write real line ends: \`printf '%b' "$(cat ${file})" > ${file}.pem\`.`,
        }),
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
    asGo: readAsGo(x509.raw),
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

/** A root for OpenSSL and for Go: it issued itself. */
export function isSelfSigned(certificate: Certificate): boolean {
  // Not checkIssued(): that is false for a self-signed server certificate whose keyUsage lacks keyCertSign.
  return isIssuedBy(certificate, certificate)
}

/**
 * Whether OpenSSL takes `issuer` for the issuer of the certificate: by its name, then by the authority key identifier, then
 * by the signature. Does not check whether it is allowed to sign.
 */
export function isIssuedBy(certificate: Certificate, issuer: Certificate): boolean {
  return (
    certificate.issuerKey === issuer.subjectKey &&
    keyIdMismatch(certificate, issuer) === undefined &&
    isSignedBy(certificate, issuer)
  )
}

/**
 * Why the authority key identifier (RFC 5280 section 4.2.1.1) names another certificate than `issuer`; undefined if it does
 * not. Each part that it has must agree (OpenSSL, X509_check_akid). Go ignores it.
 */
export function keyIdMismatch(certificate: Certificate, issuer: Certificate): string | undefined {
  const { keyId, serial, issuerKey } = certificate.fields.authorityKeyId ?? {}
  const { subjectKeyId, serial: itsSerial } = issuer.fields
  if (keyId && subjectKeyId && !keyId.equals(subjectKeyId))
    return `the key identifier ${hex(keyId)} instead of ${hex(subjectKeyId)}`
  if (serial && !serial.equals(itsSerial))
    return `the serial number ${hex(serial)} instead of ${hex(itsSerial)}`
  if (issuerKey !== undefined && issuerKey !== issuer.issuerKey)
    return `a certificate that was not issued by ${issuer.issuer}`
  return undefined
}

function hex(bytes: Buffer): string {
  return bytes.toString('hex').toUpperCase().slice(0, 80)
}

/** RFC 5280 section 3.2: subject and issuer are the same name; the key that signed may be another. */
export function isSelfIssued(certificate: Certificate): boolean {
  return certificate.subjectKey === certificate.issuerKey
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
  /** Content of the INTEGER. */
  serial: Buffer
  /** The algorithm the certificate is signed with; `pss` when that is RSA-PSS. */
  signature: { oid: string; pss?: PssParameters }
  /** DER of the names: Go compares these bytes. */
  issuerDer: Buffer
  subjectDer: Buffer
  issuer: NameAttribute[]
  subject: NameAttribute[]
  publicKey: { oid: string; parameters?: Der; bytes: Buffer }
  extensions: Extension[]
}

/** Throws DerError when the bytes are not the strict DER of a certificate. */
export function readCertificateFields(der: Buffer): CertificateFields {
  const [signed, algorithm, signature] = derSequence(readDer(der))
  derBitString(signature)
  const all = derSequence(signed)
  const versioned = all[0]?.tag === 0xa0
  const [serial, innerAlgorithm, issuer, , subject, key, ...rest] = versioned ? all.slice(1) : all
  if (!algorithm || !innerAlgorithm || !issuer || !subject) throw new DerError('is not a certificate')
  const extensions = readExtensions(rest.find((part) => part.tag === 0xa3))
  return {
    version: versioned ? derSmallInteger(derChildren(all[0]!.content)[0]) + 1 : 1,
    serial: derInteger(serial),
    signature: readSignature(algorithm),
    issuerDer: issuer.bytes,
    subjectDer: subject.bytes,
    issuer: nameAttributes(issuer),
    subject: nameAttributes(subject),
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
