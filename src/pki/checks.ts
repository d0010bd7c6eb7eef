// Checks of a certificate path that need only its bytes and the time, not a connection.

import type { AsymmetricKeyDetails } from 'node:crypto'
import { isError, type Problem } from '../problems/index.ts'
import { type Certificate, validityOf } from './certificate.ts'
import type { ChainPath } from './chain.ts'
import { extensionOid, serverAuth, usageName } from './der.ts'
import { keyUsageBit } from './extensions.ts'
import { checkRenewal, unknownToGo } from './go-verify.ts'
import { checkResources } from './internet-resources.ts'
import { checkNameConstraints } from './name-constraints.ts'
import { judgeSignature } from './signatures.ts'
import {
  checkForGo,
  checkForOpenssl,
  checkStrict,
  fault,
  faultIn,
  type Link,
  linksOf,
} from './verifier-checks.ts'

/** Errors and warnings of a path that starts at a server certificate. `now` is in milliseconds since the epoch. */
export function checkPath(path: ChainPath, now: number): Problem[] {
  return checkLinks(linksOf(path), now)
}

/** The same for a path that may start at any certificate. */
export function checkLinks(links: Link[], now: number): Problem[] {
  const problems = [
    ...checkValidity(links, now),
    ...checkKeys(links),
    ...checkSignatures(links),
    ...checkUsage(links),
    ...checkNameConstraints(links),
    ...checkCritical(links),
    ...checkForGo(links.map((link) => link.certificate)),
    ...checkForOpenssl(links),
    ...checkResources(links),
  ]
  // A path that some verifier refuses needs no further warning about the newest Python or a later renewal.
  if (problems.some(isError)) return problems
  const renewal = checkRenewal(links)
  return [...problems, ...(renewal.some(isError) ? [] : checkStrict(links)), ...renewal]
}

/** Reports certificates beside the path only if clients would refuse a server that sends the whole file. */
export function checkExtras(extras: Certificate[]): Problem[] {
  const unreadable = extras.flatMap((certificate) => {
    const judged = judgeKey(certificate)
    return judged?.code === 'TLS_KEY_TYPE'
      ? [faultIn(certificate, 'the certificate', judged.code, `beside the chain ${judged.what}`)]
      : []
  })
  return [...checkForGo(extras), ...unreadable]
}

// Dates: all verifiers require every certificate of the path to be valid now.

const day = 86_400_000

/** A warning is reported in the last third of a certificate's life, but not earlier than this many days before its end. */
const expiryWarningDays = 30

export function checkValidity(links: Link[], now: number): Problem[] {
  return links.flatMap((link) => {
    const { validFromDate: from, validToDate: to } = link.certificate.x509
    const details = validityOf(link.certificate.x509)
    if (now < from.getTime())
      return [fault(link, 'TLS_NOT_YET_VALID', `is valid only from ${details.notBefore}`, { details })]
    if (now > to.getTime()) return [fault(link, 'TLS_EXPIRED', `expired on ${details.notAfter}`, { details })]
    const left = to.getTime() - now
    if (left > Math.min(expiryWarningDays * day, (to.getTime() - from.getTime()) / 3)) return []
    const when = left < day ? 'in less than a day' : `in ${Math.floor(left / day)} days`
    return [fault(link, 'TLS_EXPIRES_SOON', `expires ${when}, on ${details.notAfter}`, { details })]
  })
}

// Usage: the leaf must be allowed for TLS servers, those above it for signing (OpenSSL's purpose checks).

export function checkUsage(links: Link[]): Problem[] {
  return links.flatMap((link) => (link.role === 'leaf' ? checkLeaf(link) : checkCa(link)))
}

function checkLeaf(leaf: Link): Problem[] {
  const { fields, asGo } = leaf.certificate
  const problems: Problem[] = []
  const { extendedKeyUsage, keyUsage } = fields
  const isAuthority = fields.basicConstraints?.ca === true && keyUsage?.has(keyUsageBit.keyCertSign)
  const remedy = isAuthority && {
    remedy: "Name the file with the server's own certificate first, followed by those of its issuers.",
  }
  const seenByGo = asGo.extensions.some(({ oid }) => oid === extensionOid.subjectAltName)
  if (!fields.names.some((name) => name.kind === 'dns' || name.kind === 'ip'))
    problems.push(
      fault(
        leaf,
        'TLS_NO_SAN',
        isAuthority
          ? 'is that of a CA, and has no DNS name or IP address in subjectAltName'
          : 'has no DNS name or IP address in subjectAltName; Go ignores its common name',
        remedy || {},
      ),
    )
  else if (asGo.faults.length === 0 && !seenByGo) {
    const what = `is of version ${fields.version}, but Go reads the extensions of version 3 only, and so finds no name`
    problems.push(fault(leaf, 'TLS_NO_SAN', what))
  }
  // anyExtendedKeyUsage does not count: OpenSSL refuses it (Go would not).
  if (extendedKeyUsage && !extendedKeyUsage.includes(serverAuth))
    problems.push(
      fault(
        leaf,
        'TLS_NOT_FOR_SERVERS',
        `has extendedKeyUsage ${extendedKeyUsage.map(usageName).join(', ')} without serverAuth`,
      ),
    )
  const serves = [keyUsageBit.digitalSignature, keyUsageBit.keyEncipherment, keyUsageBit.keyAgreement]
  if (keyUsage && !serves.some((bit) => keyUsage.has(bit)))
    problems.push(
      fault(leaf, 'TLS_NOT_FOR_SERVERS', 'has a keyUsage that allows no TLS handshake', remedy || {}),
    )
  // Bit 1 is SSL Server; OpenSSL still honours this old extension.
  if (fields.netscapeCertType && !fields.netscapeCertType.has(1))
    problems.push(fault(leaf, 'TLS_NOT_FOR_SERVERS', 'has a Netscape certificate type other than server'))
  return problems
}

/** OpenSSL's default (X509_VERIFY_PARAM_set_depth), and the number of signatures that Go checks. */
const maxDepth = 100

function checkCa(ca: Link): Problem[] {
  const { version, basicConstraints, keyUsage, extendedKeyUsage, netscapeCertType } = ca.certificate.fields
  const problems: Problem[] = []
  // Only a root may lack basicConstraints (OpenSSL, check_ca): if it is of version 1, which has no extensions, or if its
  // keyUsage or its Netscape certificate type (bit 5 is SSL CA) says that it is a CA.
  const oldRoot =
    ca.selfSigned && !basicConstraints && (version === 1 || keyUsage || netscapeCertType?.has(5))
  if (!basicConstraints?.ca && !oldRoot) {
    const why = basicConstraints ? 'its basicConstraints are CA:FALSE' : 'it has no basicConstraints'
    problems.push(fault(ca, 'TLS_NOT_A_CA', `signed a certificate of the chain, but is not a CA: ${why}`))
  }
  if (keyUsage && !keyUsage.has(keyUsageBit.keyCertSign))
    problems.push(
      fault(ca, 'TLS_NOT_A_CA', 'signed a certificate of the chain, but its keyUsage lacks keyCertSign'),
    )
  if (ca.depth > maxDepth)
    problems.push(fault(ca, 'TLS_CA_PATH_LENGTH', `is above ${ca.depth - 1} CAs; clients follow ${maxDepth}`))
  const pathLength = basicConstraints?.pathLength
  if (pathLength !== undefined && ca.below > pathLength)
    problems.push(
      fault(ca, 'TLS_CA_PATH_LENGTH', `allows ${pathLength} CAs below itself, but the chain has ${ca.below}`),
    )
  if (extendedKeyUsage && !extendedKeyUsage.includes(serverAuth))
    problems.push(
      fault(
        ca,
        'TLS_CA_NOT_FOR_SERVERS',
        `may be used for ${extendedKeyUsage.map(usageName).join(', ')} only, not for TLS servers`,
      ),
    )
  return problems
}

// Critical extensions: a verifier that does not know one has to refuse the certificate (RFC 5280 section 4.2).

/** Known to OpenSSL, whatever their content (crypto/x509/v3_purp.c, X509_supported_extension). */
const knownToOpenssl: string[] = [
  extensionOid.keyUsage,
  extensionOid.subjectAltName,
  extensionOid.basicConstraints,
  extensionOid.nameConstraints,
  extensionOid.crlDistributionPoints,
  extensionOid.certificatePolicies,
  extensionOid.policyMappings,
  extensionOid.policyConstraints,
  extensionOid.inhibitAnyPolicy,
  extensionOid.extendedKeyUsage,
  extensionOid.netscapeCertType,
  extensionOid.addressBlocks,
  extensionOid.asNumbers,
  // Go refuses these when they are critical; TLS_GO_REFUSES reports that.
  extensionOid.subjectKeyIdentifier,
  extensionOid.authorityKeyIdentifier,
  extensionOid.authorityInfoAccess,
  // TLS_OPENSSL_REFUSES reports it.
  extensionOid.proxyCertInfo,
]

/** Go looks at those of the server certificate; at those of a CA only after a renewal (checkRenewal). */
export function checkCritical(links: Link[]): Problem[] {
  return links.flatMap((link) => {
    const unknown = link.certificate.fields.extensions
      .filter(({ critical, oid }) => critical && !knownToOpenssl.includes(oid))
      .map(({ oid }) => oid)
    if (link.role === 'leaf') unknown.push(...unknownToGo(link.certificate))
    return [...new Set(unknown)].map((oid) =>
      fault(
        link,
        'TLS_CRITICAL_EXTENSION',
        `marks the extension ${oid} as critical, which ${knownToOpenssl.includes(oid) ? 'Go 1.22 does' : 'clients do'} not support`,
      ),
    )
  })
}

// Key types and sizes that Go agents, Python tasks and Node can all use.

/** OpenSSL's security level 2 (Debian, Ubuntu, Node 24); Go accepts RSA from 1024 bits. */
const minBits = 2048
/** Go refuses a handshake with a longer RSA key in it (crypto/tls, setting tlsmaxrsasize). */
const maxBits = 8192
const goodCurves: Record<string, string> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' }
const curveNames: Record<string, string> = { secp224r1: 'P-224' }

export function checkKeys(links: Link[]): Problem[] {
  return links.flatMap((link) => {
    const found = judgeKey(link.certificate)
    return found ? [fault(link, found.code, found.what)] : []
  })
}

/** What is wrong with the public key, or undefined. */
export function judgeKey(
  certificate: Certificate,
): { code: 'TLS_WEAK_KEY' | 'TLS_KEY_TYPE'; what: string } | undefined {
  const { type, details } = publicKeyOf(certificate)
  const bits = details.modulusLength ?? 0
  const unusable = (what: string) => ({ code: 'TLS_KEY_TYPE' as const, what })
  if ((type === 'rsa' || type === 'dsa' || type === 'rsa-pss') && bits < minBits)
    return {
      code: 'TLS_WEAK_KEY',
      what: `has a key of ${bits} bits (${type}); OpenSSL requires at least ${minBits}`,
    }
  switch (type) {
    case 'rsa':
      if (bits > maxBits)
        return unusable(`has an RSA key of ${bits} bits; Go agents reject more than ${maxBits}`)
      if ((details.publicExponent ?? 0n) > 0x7fffffffn)
        return unusable('has an RSA key whose public exponent is too large for Go agents')
      return undefined
    case 'ec':
      return judgeCurve(certificate, details.namedCurve)
    case 'ed25519':
      return undefined
    case 'rsa-pss':
      return unusable('has a key marked RSA-PSS, which Go agents cannot use; the plain RSA form of it works')
    case undefined:
      return unusable('has a key of an unknown type')
    default:
      return unusable(`has a key of type ${type}, which Go agents cannot use`)
  }
}

function judgeCurve(certificate: Certificate, curve = '') {
  const unusable = (what: string) => ({ code: 'TLS_KEY_TYPE' as const, what })
  if (!goodCurves[curve])
    return unusable(
      `has a key on ${curve ? `the curve ${curveNames[curve] ?? curve}` : 'a curve without a name'}; ` +
        `clients agree on ${Object.values(goodCurves).join(', ')} only`,
    )
  // RFC 5480 section 2.2; Go reads uncompressed points only.
  if (certificate.fields.publicKey.bytes[0] !== 0x04)
    return unusable('has its key written as a compressed point, which Go agents cannot read')
  return undefined
}

/** Node cannot read every key that a certificate may contain; then `type` is undefined. */
function publicKeyOf(certificate: Certificate): { type?: string; details: AsymmetricKeyDetails } {
  try {
    const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = certificate.x509.publicKey
    return { type, details }
  } catch {
    return { details: {} }
  }
}

// Signature algorithms. No verifier checks a root's own signature; OpenSSL must accept all others, and Go at least read them.

export function checkSignatures(links: Link[]): Problem[] {
  return links.flatMap((link) => {
    if (link.selfSigned) return []
    const { name, verdict } = judgeSignature(link.certificate.fields.signature)
    if (verdict === 'weak') return [fault(link, 'TLS_WEAK_SIGNATURE', `is signed with ${name}`)]
    if (verdict === 'unknown')
      return [fault(link, 'TLS_SIGNATURE_TYPE', `is signed with ${name}, which Go agents cannot verify`)]
    return []
  })
}
