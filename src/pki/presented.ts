// Describes the certificates a peer presented and compares them with the trust plan. A peer may present anything.
import type { X509Certificate } from 'node:crypto'
import type { Problem } from '../problems/index.ts'
import { isIssuedBy, readCertificate, readX509, validityOf } from './certificate.ts'
import { findNearIssuer, nearIssuerProblem, readCertificates } from './chain.ts'
import { judgeKey } from './checks.ts'
import { showDistinguishedName, showName, visible } from './distinguished-name.ts'
import type { CertificateFacts, TrustPlan } from './trust-plan.ts'
import { checkForGo } from './verifier-checks.ts'

/** Dates are RFC 3339 strings, or `an unreadable date`. */
export type PresentedCertificate = Omit<CertificateFacts, 'role' | 'pem'>

/** How the presented server certificate relates to the one in the file. */
export type LeafComparison =
  /** No server certificate is known here, or none was presented. */
  | 'unknown'
  | 'same'
  /** For the same names, but issued earlier or later than the file's. */
  | 'older'
  | 'newer'
  | 'different'

/** Never throws: for a certificate that our reader refuses, the facts come from Node. */
export function presentedFacts(x509: X509Certificate): PresentedCertificate {
  const read = readX509(x509.raw)
  const fields = 'fields' in read ? read.fields : undefined
  return {
    subject: fields ? showDistinguishedName(fields.subject) : oneLine(() => x509.subject),
    issuer: fields ? showDistinguishedName(fields.issuer) : oneLine(() => x509.issuer),
    sans: fields ? fields.names.map(showName) : [],
    ...validityOf(x509),
    sha256: x509.fingerprint256.replaceAll(':', '').toLowerCase(),
  }
}

/** One line with at most ten names: a peer may present 60 KB of them. */
export function describe(certificate: PresentedCertificate): string {
  const { subject, sans, notAfter, sha256 } = certificate
  const more = sans.length - shownNames
  const some = sans.slice(0, shownNames).map((name) => cut(name, 260))
  const names = sans.length > 0 ? `${some.join(', ')}${more > 0 ? ` and ${more} more` : ''}` : 'no names'
  return `${cut(subject, 500)} (${names}; valid until ${notAfter}; SHA-256 ${sha256})`
}

const shownNames = 10

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text
}

export function compareLeaf(leaf: PresentedCertificate | undefined, plan: TrustPlan): LeafComparison {
  const own = plan.chain.find((certificate) => certificate.role === 'leaf') ?? loneRoot(plan)
  if (!leaf || !own) return 'unknown'
  if (leaf.sha256 === own.sha256) return 'same'
  const related = leaf.subject === own.subject || leaf.sans.some((name) => own.sans.includes(name))
  const dated = !Number.isNaN(Date.parse(leaf.notBefore))
  if (!related || !dated || leaf.notBefore === own.notBefore) return 'different'
  return leaf.notBefore < own.notBefore ? 'older' : 'newer'
}

/** The last certificate of the chain from the server certificate upwards: its issuer must be trusted. */
export function topOf(presented: PresentedCertificate[]): PresentedCertificate | undefined {
  const left = new Set(presented)
  let top = presented[0]
  for (let next = top; next; next = [...left].find(({ subject }) => subject === top?.issuer)) {
    top = next
    left.delete(next)
  }
  return top
}

/** Whether the list contains a self-issued certificate, as the certificates given to tasks must. */
export function endsInRoot(presented: PresentedCertificate[]): boolean {
  return presented.some((certificate) => certificate.subject === certificate.issuer)
}

/** Why a Go agent could not use the presented list: it parses every certificate, even if it verifies none. */
export function unusableForGo(presented: X509Certificate[]): string[] {
  const faults = presented.flatMap(({ raw }, index) => {
    const block = { label: 'CERTIFICATE', number: index + 1, line: 1, der: raw, untidy: [], headers: [] }
    const { certificate, problems } = readCertificate(block, 'the presented list')
    if (!certificate) return problems.map(({ message }) => message)
    const key = judgeKey(certificate)
    return [
      ...checkForGo([certificate]).map(({ message }) => message),
      ...(key?.code === 'TLS_KEY_TYPE' ? [`the certificate ${certificate.subject} ${key.what}`] : []),
    ]
  })
  const more = faults.length - shownFaults
  const shown = faults.slice(0, shownFaults).map((fault) => cut(fault, 1000))
  return more > 0 ? [...shown, `${more} more faults of this kind`] : shown
}

const shownFaults = 5

/**
 * The first presented certificate without an issuer here whose signer is here, under another key identifier or serial
 * number: OpenSSL reports only that an issuer is missing.
 */
export function nearIssuerOf(presented: X509Certificate[], plan: TrustPlan): Problem | undefined {
  const given = plan.chain.map(({ pem }) => pem).join('')
  const all = [
    ...readCertificates(presented.map((x509) => x509.toString()).join(''), 'the presented list').certificates,
    ...readCertificates(given || ' ', 'the trust plan').certificates,
  ]
  for (const certificate of all) {
    if (all.some((issuer) => isIssuedBy(certificate, issuer))) continue
    const near = findNearIssuer(certificate, all)
    if (near) return nearIssuerProblem(certificate, near)
  }
  return undefined
}

/** A single self-signed server certificate is leaf and root at once. */
function loneRoot(plan: TrustPlan): CertificateFacts | undefined {
  const [only, ...more] = plan.chain
  return more.length === 0 && only?.sans.length ? only : undefined
}

function oneLine(read: () => string | undefined): string {
  try {
    const name = read()
    return name ? visible(name.split('\n').reverse().join(', ')) : '(empty name)'
  } catch {
    return '(unreadable name)'
  }
}
