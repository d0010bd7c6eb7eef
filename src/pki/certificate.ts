// One certificate of a file: node's view of it, what its DER says beyond that, and where it came from.
import { X509Certificate } from 'node:crypto'
import { type Problem, problem } from '../problems/problem.ts'
import { type CertificateFields, readCertificateFields } from './certificate-fields.ts'
import { DerError } from './der.ts'
import { nameKey, showDistinguishedName } from './distinguished-name.ts'
import { showName } from './general-name.ts'
import type { PemBlock } from './pem.ts'
import type { CertificateFacts, CertificateRole } from './trust-plan.ts'

export interface Certificate {
  x509: X509Certificate
  fields: CertificateFields
  /** Of the DER bytes, lower-case hex. */
  sha256: string
  subject: string
  issuer: string
  /** Equal for names that OpenSSL holds equal. */
  subjectKey: string
  issuerKey: string
  file: string
  /** Number of the block in its file and line of its BEGIN, both from 1. */
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
  try {
    const x509 = new X509Certificate(block.der)
    const fields = readCertificateFields(block.der)
    if (Number.isNaN(x509.validFromDate.getTime() + x509.validToDate.getTime()))
      return broken('its dates are not dates')
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
  } catch (error) {
    if (error instanceof DerError) return broken(`it is not strict DER: it ${error.message}`, error)
    return broken('its bytes are not an X.509 certificate', error)
  }
}

/** OpenSSL and Go both call this a root: its own subject issued it and its own key signed it. */
export function isSelfSigned(certificate: Certificate): boolean {
  // Not checkIssued(): that is false for a self-signed server certificate whose keyUsage lacks keyCertSign.
  return certificate.subjectKey === certificate.issuerKey && isSignedBy(certificate, certificate)
}

/** Whether the key of `parent` made the signature; whether it may is another question. */
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
    notBefore: x509.validFromDate.toISOString(),
    notAfter: x509.validToDate.toISOString(),
    sha256,
    pem: x509.toString(),
  }
}
