// What certificates may be used for: the leaf in a TLS server, the ones above it to sign (OpenSSL's purpose checks).
import type { Problem } from '../problems/problem.ts'
import { keyUsageBit } from './certificate-extensions.ts'
import { fault, type Link } from './link.ts'
import { serverAuth, usageName } from './oids.ts'

export function checkUsage(links: Link[]): Problem[] {
  return links.flatMap((link) => (link.role === 'leaf' ? checkLeaf(link) : checkCa(link)))
}

function checkLeaf(leaf: Link): Problem[] {
  const { fields } = leaf.certificate
  const problems: Problem[] = []
  const { extendedKeyUsage, keyUsage } = fields
  if (!fields.names.some((name) => name.kind === 'dns' || name.kind === 'ip'))
    problems.push(
      fault(
        leaf,
        'TLS_NO_SAN',
        'has no DNS name or IP address in subjectAltName; Go ignores its common name',
      ),
    )
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
    problems.push(fault(leaf, 'TLS_NOT_FOR_SERVERS', 'has a keyUsage that allows no TLS handshake'))
  // Bit 1 is SSL Server; OpenSSL still honours this old extension.
  if (fields.netscapeCertType && !fields.netscapeCertType.has(1))
    problems.push(fault(leaf, 'TLS_NOT_FOR_SERVERS', 'has a Netscape certificate type other than server'))
  return problems
}

function checkCa(ca: Link): Problem[] {
  const { version, basicConstraints, keyUsage, extendedKeyUsage } = ca.certificate.fields
  const problems: Problem[] = []
  // Version 1 has no extensions; both OpenSSL and Go let such a root, and only a root, sign.
  const oldRoot = version === 1 && ca.selfSigned
  if (!basicConstraints?.ca && !oldRoot) {
    const why = basicConstraints ? 'its basicConstraints say CA:FALSE' : 'it has no basicConstraints'
    problems.push(fault(ca, 'TLS_NOT_A_CA', `signed a certificate of the chain, but is no CA: ${why}`))
  }
  if (keyUsage && !keyUsage.has(keyUsageBit.keyCertSign))
    problems.push(
      fault(ca, 'TLS_NOT_A_CA', 'signed a certificate of the chain, but its keyUsage lacks keyCertSign'),
    )
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
