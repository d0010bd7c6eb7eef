// The extensions of a certificate that decide anything (RFC 5280 section 4.2).
import {
  type Der,
  derBits,
  derChildren,
  derContent,
  derOid,
  derSequence,
  derSmallInteger,
  derTag,
  readDer,
} from './der.ts'
import { type GeneralName, generalName } from './general-name.ts'
import { extensionOid } from './oids.ts'

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
  /** Only a key identifier counts: OpenSSL's strict mode wants that form. */
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

/** From the `[3]` element of a certificate. Throws DerError. */
export function readExtensions(wrapper: Der | undefined): Extension[] {
  if (!wrapper) return []
  return derSequence(derChildren(wrapper.content)[0]).map((element) => {
    const parts = derSequence(element)
    const critical = parts[1]?.tag === derTag.boolean && parts[1].content[0] !== 0
    return { oid: derOid(parts[0]), critical, value: derContent(parts.at(-1), derTag.octetString) }
  })
}

/** Throws DerError when an extension is not what its standard says. */
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
    hasSubjectKeyId: extensions.some((extension) => extension.oid === extensionOid.subjectKeyIdentifier),
  }
}

function readBasicConstraints(element: Der): { ca: boolean; pathLength?: number } {
  const parts = derSequence(element)
  const length = parts.find((part) => part.tag === derTag.integer)
  return {
    ca: parts[0]?.tag === derTag.boolean && parts[0].content[0] !== 0,
    ...(length && { pathLength: derSmallInteger(length) }),
  }
}

function hasKeyIdentifier(element: Der): boolean {
  return derSequence(element).some((part) => part.tag === 0x80)
}

function readNameConstraints(element: Der): NameConstraints {
  const parts = derSequence(element)
  const subtrees = (tag: number) => {
    const list = parts.find((part) => part.tag === tag)
    return list ? derChildren(list.content).map((subtree) => generalName(derSequence(subtree)[0]!)) : []
  }
  return { permitted: subtrees(0xa0), excluded: subtrees(0xa1) }
}
