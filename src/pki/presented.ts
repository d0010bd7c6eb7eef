// What a master presented, in words, and how it compares with what agents would be given.
import type { X509Certificate } from 'node:crypto'
import { readCertificate } from './certificate.ts'
import { type CertificateFields, readCertificateFields } from './certificate-fields.ts'
import { showDistinguishedName, visible } from './distinguished-name.ts'
import { showName } from './general-name.ts'
import { judgeKey } from './keys.ts'
import type { CertificateFacts, TrustPlan } from './trust-plan.ts'
import { checkForGo } from './verifier-checks.ts'

export type PresentedCertificate = Omit<CertificateFacts, 'role' | 'pem'>

/** How the presented server certificate stands to the one in the file. */
export type LeafComparison =
  /** No server certificate is known here, or none was presented. */
  | 'unknown'
  | 'same'
  /** For the same names, but issued earlier or later than the file's. */
  | 'older'
  | 'newer'
  | 'different'

export function presentedFacts(x509: X509Certificate): PresentedCertificate {
  const fields = fieldsOf(x509)
  return {
    subject: fields ? showDistinguishedName(fields.subject) : oneLine(x509.subject),
    issuer: fields ? showDistinguishedName(fields.issuer) : oneLine(x509.issuer),
    sans: fields ? fields.names.map(showName) : [],
    notBefore: x509.validFromDate.toISOString(),
    notAfter: x509.validToDate.toISOString(),
    sha256: x509.fingerprint256.replaceAll(':', '').toLowerCase(),
  }
}

export function compareLeaf(leaf: PresentedCertificate | undefined, plan: TrustPlan): LeafComparison {
  const own = plan.chain.find((certificate) => certificate.role === 'leaf') ?? loneRoot(plan)
  if (!leaf || !own) return 'unknown'
  if (leaf.sha256 === own.sha256) return 'same'
  const related = leaf.subject === own.subject || leaf.sans.some((name) => own.sans.includes(name))
  if (!related || leaf.notBefore === own.notBefore) return 'different'
  return leaf.notBefore < own.notBefore ? 'older' : 'newer'
}

/** How far the list leads up from the server certificate: the certificate whose issuer would have to be trusted. */
export function topOf(presented: PresentedCertificate[]): PresentedCertificate | undefined {
  const left = new Set(presented)
  let top = presented[0]
  for (let next = top; next; next = [...left].find(({ subject }) => subject === top?.issuer)) {
    top = next
    left.delete(next)
  }
  return top
}

/** Whether the list ends in a certificate that issued itself, as what tasks are given has to. */
export function endsInRoot(presented: PresentedCertificate[]): boolean {
  return presented.some((certificate) => certificate.subject === certificate.issuer)
}

/** Why a Go agent could not use the presented list: it parses every certificate, also where nothing is verified. */
export function unusableForGo(presented: X509Certificate[]): string[] {
  return presented.flatMap(({ raw }, index) => {
    const block = { label: 'CERTIFICATE', number: index + 1, line: 1, der: raw, untidy: [], headers: [] }
    const { certificate, problems } = readCertificate(block, 'the presented list')
    if (!certificate) return problems.map(({ message }) => message)
    const key = judgeKey(certificate)
    return [
      ...checkForGo([certificate]).map(({ message }) => message),
      ...(key?.code === 'TLS_KEY_TYPE' ? [`the certificate ${certificate.subject} ${key.what}`] : []),
    ]
  })
}

/** A lone self-signed server certificate is leaf and root in one. */
function loneRoot(plan: TrustPlan): CertificateFacts | undefined {
  const [only, ...more] = plan.chain
  return more.length === 0 && only?.sans.length ? only : undefined
}

/** A hostile master may present what OpenSSL reads and our stricter reader does not. */
function fieldsOf(x509: X509Certificate): CertificateFields | undefined {
  try {
    return readCertificateFields(x509.raw)
  } catch {
    return undefined
  }
}

function oneLine(name: string | undefined): string {
  return name ? visible(name.split('\n').reverse().join(', ')) : '(empty name)'
}
