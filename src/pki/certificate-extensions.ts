// The extensions of a certificate that decide anything (RFC 5280 section 4.2).
import {
  type Der,
  DerError,
  derBits,
  derBoolean,
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
    const marked = parts[1]?.tag === derTag.boolean
    const critical = marked && derBoolean(parts[1])
    return { oid: derOid(parts[0]), critical, value: derContent(parts[marked ? 2 : 1], derTag.octetString) }
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
    throw new DerError('has name constraints that are none')
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
    throw new DerError('has a name constraint that is none')
  return name
}
