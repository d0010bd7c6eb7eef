// The extensions of a certificate (RFC 5280 section 4.2), read as OpenSSL does before it uses a certificate in a chain
// (crypto/x509/v3_purp.c, ossl_x509v3_cache_extensions). It refuses a chain with one that it cannot read.
import { isUtf8 } from 'node:buffer'
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
  readDer,
} from './der.ts'
import { type GeneralName, generalName, nameAttributes, nameKey } from './distinguished-name.ts'
import { type AddressBlocks, type AsNumbers, readAddressBlocks, readAsNumbers } from './resource-blocks.ts'

export interface Extension {
  oid: string
  critical: boolean
  value: Buffer
}

/** A subtree of names, and whether it has a minimum or maximum, which no verifier supports. */
export interface Subtree extends GeneralName {
  limited: boolean
}

export interface NameConstraints {
  permitted: Subtree[]
  excluded: Subtree[]
}

/** Which certificate issued this one; each part may be missing. */
export interface AuthorityKeyId {
  keyId?: Buffer
  /** The issuer of that certificate, as nameKey() writes it. */
  issuerKey?: string
  serial?: Buffer
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
  authorityKeyId?: AuthorityKeyId
  subjectKeyId?: Buffer
  addressBlocks?: AddressBlocks
  asNumbers?: AsNumbers
  /** Why OpenSSL refuses to use the certificate. Each one continues `the certificate CN=example …`. */
  opensslFaults: string[]
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

/** An extension that cannot be read is left out, with a fault. */
export function readKnownExtensions(extensions: Extension[]): KnownExtensions {
  const opensslFaults: string[] = []
  const read = <T>(oid: string, reader: (element: Der) => T): T | undefined => {
    const extension = extensions.find((candidate) => candidate.oid === oid)
    if (!extension) return undefined
    try {
      return reader(readDer(extension.value))
    } catch (error) {
      if (!(error instanceof DerError)) throw error
      opensslFaults.push(`has the extension ${oid}, which ${error.message}`)
      return undefined
    }
  }
  const known = {
    keyUsage: read(extensionOid.keyUsage, readKeyUsage),
    basicConstraints: read(extensionOid.basicConstraints, readBasicConstraints),
    extendedKeyUsage: read(extensionOid.extendedKeyUsage, (element) => derSequence(element).map(derOid)),
    nameConstraints: read(extensionOid.nameConstraints, readNameConstraints),
    netscapeCertType: read(extensionOid.netscapeCertType, derBits),
    names: read(extensionOid.subjectAltName, (element) => derSequence(element).map(readGeneralName)) ?? [],
    authorityKeyId: read(extensionOid.authorityKeyIdentifier, readAuthorityKeyId),
    subjectKeyId: read(extensionOid.subjectKeyIdentifier, (element) =>
      derContent(element, derTag.octetString),
    ),
    addressBlocks: read(extensionOid.addressBlocks, readAddressBlocks),
    asNumbers: read(extensionOid.asNumbers, readAsNumbers),
  }
  read(extensionOid.crlDistributionPoints, (element) => derSequence(element).forEach(checkPoint))
  // RFC 3820. OpenSSL accepts a proxy certificate only from programs that ask for it.
  if (extensions.some(({ oid }) => oid === extensionOid.proxyCertInfo))
    opensslFaults.push('is a proxy certificate (RFC 3820)')
  return { ...known, opensslFaults }
}

function readKeyUsage(element: Der): Set<number> {
  const bits = derBits(element)
  // RFC 5280 section 4.2.1.3.
  if (bits.size === 0) throw new DerError('is empty')
  return bits
}

function readBasicConstraints(element: Der): { ca: boolean; pathLength?: number } {
  const parts = derSequence(element)
  const marked = parts[0]?.tag === derTag.boolean
  const [length, ...more] = parts.slice(marked ? 1 : 0)
  noMore(more)
  return {
    ca: marked && derBoolean(parts[0]),
    ...(length && { pathLength: derSmallInteger(length) }),
  }
}

/** RFC 5280 section 4.2.1.1: `[0]` a key identifier, `[1]` names of its issuer, `[2]` its serial number. */
function readAuthorityKeyId(element: Der): AuthorityKeyId {
  const [keyId, issuer, serial] = optionalParts(derSequence(element), [0x80, 0xa1, 0x82])
  const names = issuer ? derChildren(issuer.content).map(readGeneralName) : []
  // OpenSSL looks at the first directory name only.
  const directory = names.find(({ kind }) => kind === 'directory')
  return {
    ...(keyId && { keyId: keyId.content }),
    ...(directory && { issuerKey: nameKey(nameAttributes(readDer(directory.bytes))) }),
    ...(serial && { serial: derInteger({ ...serial, tag: derTag.integer }) }),
  }
}

function readNameConstraints(element: Der): NameConstraints {
  const [permitted, excluded] = optionalParts(derSequence(element), [0xa0, 0xa1])
  const subtrees = (list: Der | undefined) => (list ? derChildren(list.content).map(readSubtree) : [])
  return { permitted: subtrees(permitted), excluded: subtrees(excluded) }
}

function readSubtree(element: Der): Subtree {
  const [base, ...distances] = derSequence(element)
  const [minimum, maximum] = optionalParts(distances, [0x80, 0x81])
  const least = minimum && derInteger({ ...minimum, tag: derTag.integer })
  if (maximum) derInteger({ ...maximum, tag: derTag.integer })
  return {
    ...readGeneralName(base),
    limited: maximum !== undefined || (least?.some((byte) => byte) ?? false),
  }
}

/** RFC 5280 section 4.2.1.13: a distribution point must not consist of only the reasons. */
function checkPoint(element: Der): void {
  const [name, reasons, issuer] = optionalParts(derSequence(element), [0xa0, 0x81, 0xa2])
  if (reasons) derBitString({ ...reasons, tag: derTag.bitString })
  const issuers = issuer ? derChildren(issuer.content).map(readGeneralName) : []
  if (!name) {
    if (issuers.length === 0) throw new DerError('has a point with neither a name nor an issuer')
    return
  }
  const [choice, ...more] = derChildren(name.content)
  noMore(more)
  if (choice?.tag === 0xa0) for (const full of derChildren(choice.content)) readGeneralName(full)
  else if (choice?.tag === 0xa1) derChildren(choice.content).forEach(checkAttribute)
  else throw new DerError('has a point with a malformed name')
}

/** OpenSSL also compares the text of a name as UTF-8, and cannot read a name that has none. */
function checkName(name: Der): void {
  for (const part of derSequence(name)) derSequence(part, derTag.set).forEach(checkAttribute)
}

function checkAttribute(attribute: Der): void {
  const [type, value, ...more] = derSequence(attribute)
  derOid(type)
  noMore(more)
  if (!value || !isText(value.tag, value.content))
    throw new DerError('has a name with characters that its string type does not allow')
}

/** ASN1_PRINTABLE of OpenSSL. Bytes of the types that it does not take for text are not looked at. */
function isText(tag: number, bytes: Buffer): boolean {
  switch (tag) {
    case derTag.bitString:
      return isBits(bytes)
    case 0x0c: // UTF8String
      return isUtf8(bytes)
    case 0x1e: // BMPString: each half of a surrogate pair is no character
      return bytes.length % 2 === 0 && unitsOf(bytes, 2).every(isCharacter)
    case 0x1c: // UniversalString
      return bytes.length % 4 === 0 && unitsOf(bytes, 4).every(isCharacter)
    default:
      return textTypes.has(tag)
  }
}

/** NumericString, PrintableString, T61String, IA5String, SEQUENCE, and types for which OpenSSL has no name. */
const textTypes = new Set([
  ...[0x12, 0x13, 0x14, 0x16, 0x30],
  ...[0x07, 0x08, 0x09, 0x0b, 0x0d, 0x0e, 0x0f, 0x1d],
])

function unitsOf(bytes: Buffer, size: number): number[] {
  return Array.from({ length: bytes.length / size }, (_, n) => bytes.readUIntBE(n * size, size))
}

function isCharacter(point: number): boolean {
  return point < 0x110000 && (point < 0xd800 || point > 0xdfff)
}

/** OpenSSL ignores unused bits that are not zero. */
function isBits(bytes: Buffer): boolean {
  return bytes.length > 0 && bytes[0]! <= 7
}

/** A value of any type: OpenSSL reads the types it knows. A string of several parts is not DER. */
function checkAny(element: Der): void {
  const { tag, content } = element
  const isOther = tag >= 0x40 || tag === derTag.sequence || tag === derTag.set
  if (isOther) return
  const good = () => {
    switch (tag) {
      case derTag.boolean:
        return content.length === 1
      case derTag.null:
        return content.length === 0
      case 0x1e: // BMPString
        return content.length % 2 === 0
      case 0x1c: // UniversalString
        return content.length % 4 === 0
      case derTag.bitString:
        return isBits(content)
      default:
        return tag !== 0 && tag < 0x20 && !isPrimitiveList(tag)
    }
  }
  if (!good()) throw new DerError('has a malformed value')
  if (tag === derTag.integer || tag === enumerated) derInteger({ ...element, tag: derTag.integer })
  if (tag === derTag.oid) derOid(element)
}

/** SEQUENCE or SET without the bit of a constructed element. */
function isPrimitiveList(tag: number): boolean {
  return tag === 0x10 || tag === 0x11
}

const enumerated = 0x0a

/** The content of each kind is read too, except text, of which OpenSSL accepts any bytes. */
function readGeneralName(element: Der | undefined): GeneralName {
  if (!element) throw new DerError('lacks a name')
  const { tag, content } = element
  switch (tag) {
    case 0xa0: {
      const [type, value, ...more] = derChildren(content)
      derOid(type)
      const [inner, ...others] = derSequence(value, 0xa0)
      if (!inner) throw new DerError('has an empty name')
      checkAny(inner)
      noMore([...more, ...others])
      break
    }
    case 0xa4: {
      const [name, ...more] = derChildren(content)
      noMore(more)
      if (!name) throw new DerError('has an empty directory name')
      checkName(name)
      break
    }
    case 0xa3:
    case 0xa5:
      derChildren(content)
      break
    case 0x88:
      derOid({ ...element, tag: derTag.oid })
      break
    case 0x81:
    case 0x82:
    case 0x86:
    case 0x87:
      break
    default:
      throw new DerError(`has a name of the unknown kind ${tag}`)
  }
  return generalName(element)
}

/** The elements with these tags, in this order; each may be missing, and no other may be there. Throws DerError. */
function optionalParts(elements: Der[], tags: number[]): (Der | undefined)[] {
  const left = [...elements]
  const parts = tags.map((tag) => (left[0]?.tag === tag ? left.shift() : undefined))
  noMore(left)
  return parts
}

function noMore(elements: Der[]): void {
  if (elements.length > 0) throw new DerError('has more parts than it may have')
}
