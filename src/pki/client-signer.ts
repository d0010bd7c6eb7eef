// Whether a CA signed the certificate that a client presents, judged by the certificates of that CA alone.
import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { readCertificates } from './chain.ts'

const clientAuth = '1.3.6.1.5.5.7.3.2'
/** Paths of real clients have one or two CAs. */
const mostSteps = 8
/** OpenSSL accepts at most 100 KiB of certificates, so this limit cuts none. */
const maxPresentedBytes = 131_072

/** The certificates of one list of CAs. */
export interface ClientAuthorities {
  certificates: X509Certificate[]
  /** All of them have a path length of 0, so that only clients, and no further CAs, can be below them. */
  haveNoCaBelow: boolean
}

/** The certificates of a PEM text; those that cannot be read are left out. */
export function authoritiesIn(pem: string): ClientAuthorities {
  const { certificates } = readCertificates(pem, 'client CAs')
  return {
    certificates: certificates.map(({ x509 }) => x509),
    haveNoCaBelow: certificates.every(({ fields }) => fields.basicConstraints?.pathLength === 0),
  }
}

/**
 * What the other end has sent: its own certificate first, then each issuer. Reading removes the issuers from the connection:
 * call it once for each. Only the first one: of a resumed session, and of every client on the server's side of Node 24.21 and
 * 26.8, which read it themselves (nodejs/node#65579).
 */
export function presentedBy(socket: TLSSocket): X509Certificate[] {
  const presented: X509Certificate[] = []
  let bytes = 0
  for (
    let next = socket.getPeerX509Certificate();
    next && bytes < maxPresentedBytes;
    next = next.issuerCertificate
  ) {
    presented.push(next)
    bytes += next.raw.length
  }
  return presented
}

/**
 * Whether a path leads from the first presented certificate, over the others, to one of these authorities: by signature, and
 * every certificate of it valid at `now` (milliseconds since the epoch). It does not replace the verification by OpenSSL
 * (`authorized`), which also checks constraints and algorithms, but knows only whether any CA of the listener signed.
 */
export function isSignedByOneOf(
  authorities: readonly X509Certificate[],
  presented: readonly X509Certificate[],
  now: number,
): boolean {
  const [leaf, ...sent] = presented
  if (!leaf || !isValidAt(leaf, now)) return false
  // Node's name for the extended key usage.
  if (leaf.keyUsage && !leaf.keyUsage.includes(clientAuth)) return false
  const issuers = sent.filter((certificate) => certificate.ca && isValidAt(certificate, now))
  const anchors = authorities.filter((authority) => isValidAt(authority, now))
  return leads(leaf, issuers, anchors, mostSteps)
}

function leads(
  certificate: X509Certificate,
  issuers: readonly X509Certificate[],
  anchors: readonly X509Certificate[],
  steps: number,
): boolean {
  // A self-signed certificate of a client may itself be listed.
  if (anchors.some((anchor) => anchor.raw.equals(certificate.raw))) return true
  if (anchors.some((anchor) => isIssued(certificate, anchor))) return true
  if (steps === 0) return false
  return issuers.some((issuer) => {
    if (!isIssued(certificate, issuer)) return false
    const others = issuers.filter((other) => other !== issuer)
    return leads(issuer, others, anchors, steps - 1)
  })
}

/** `checkIssued` compares names, key identifiers and the right to sign, but not the signature. */
function isIssued(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
  } catch {
    // A key or algorithm this OpenSSL does not know.
    return false
  }
}

/** False for dates that cannot be read. `now`: milliseconds since the epoch. */
export function isValidAt({ validFromDate, validToDate }: X509Certificate, now: number): boolean {
  return validFromDate.getTime() <= now && now <= validToDate.getTime()
}
