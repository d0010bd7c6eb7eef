// A bounds-checked DER reader for fields that node:crypto's X509Certificate does not expose.

/** One element: its tag byte, all its bytes, and its content. */
export interface Der {
  tag: number
  bytes: Buffer
  content: Buffer
}

/** The bytes are not DER. The message gives the reason and quotes none of the bytes. */
export class DerError extends Error {}

export const derTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

/** The element at the start of `bytes`; bytes after it are ignored. Throws DerError. */
export function readDer(bytes: Buffer): Der {
  const tag = bytes[0]
  const first = bytes[1]
  if (tag === undefined || first === undefined) throw new DerError('ends inside an element')
  if ((tag & 0x1f) === 0x1f) throw new DerError('has a tag of more than one byte')
  let length = first
  let start = 2
  if (first & 0x80) {
    const size = first & 0x7f
    if (size === 0 || size > 4 || bytes.length < 2 + size) throw new DerError('has a length that is not DER')
    length = bytes.readUIntBE(2, size)
    start += size
    // X.690 section 10.1: the shortest form. Go refuses any other, OpenSSL does not.
    if (length < 0x80 || length < 256 ** (size - 1)) throw new DerError('has a length that is not DER')
  }
  const end = start + length
  if (end > bytes.length) throw new DerError('ends inside an element')
  return { tag, bytes: bytes.subarray(0, end), content: bytes.subarray(start, end) }
}

/** The elements inside a content. Throws DerError. */
export function derChildren(content: Buffer): Der[] {
  const children: Der[] = []
  for (let rest = content; rest.length > 0; ) {
    const child = readDer(rest)
    children.push(child)
    rest = rest.subarray(child.bytes.length)
  }
  return children
}

/** The elements of a SEQUENCE (or of the type `tag`). Throws DerError for another type or no element. */
export function derSequence(element: Der | undefined, tag: number = derTag.sequence): Der[] {
  return derChildren(derContent(element, tag))
}

/** The content of an element that must have this tag. Throws DerError. */
export function derContent(element: Der | undefined, tag: number): Buffer {
  if (element?.tag !== tag)
    throw new DerError(`has ${element ? `tag ${element.tag}` : 'nothing'} where tag ${tag} belongs`)
  return element.content
}

/** Each number of an OBJECT IDENTIFIER is complete and in its shortest form (X.690 section 8.19.2). */
export function isShortestOid(content: Buffer): boolean {
  if (content.length === 0 || content.at(-1)! & 0x80) return false
  return content.every((byte, index) => byte !== 0x80 || (index > 0 && (content[index - 1]! & 0x80) !== 0))
}

/** Dotted form of an OBJECT IDENTIFIER. Throws DerError. */
export function derOid(element: Der | undefined): string {
  const arcs: number[] = []
  let arc = 0
  const content = derContent(element, derTag.oid)
  if (!isShortestOid(content)) throw new DerError('has a malformed object identifier')
  for (const byte of content) {
    arc = arc * 128 + (byte & 0x7f)
    if (byte & 0x80) continue
    arcs.push(arc)
    arc = 0
  }
  const [first = 0, ...others] = arcs
  const root = Math.min(Math.floor(first / 40), 2)
  return [root, first - root * 40, ...others].join('.')
}

/** Content of an INTEGER in its shortest form (X.690 section 8.3.2). Throws DerError. */
export function derInteger(element: Der | undefined): Buffer {
  const content = derContent(element, derTag.integer)
  const [first = 0, second = 0] = content
  const padded = content.length > 1 && (first === 0 || first === 0xff) && (first ^ second) < 0x80
  if (content.length === 0 || padded) throw new DerError('has an integer that is not DER')
  return content
}

/** A small non-negative INTEGER. Throws DerError for anything else. */
export function derSmallInteger(element: Der | undefined): number {
  const content = derInteger(element)
  if (content.length > 5 || content[0]! & 0x80) throw new DerError('has an integer out of range')
  return content.readUIntBE(0, content.length)
}

/** A BOOLEAN (X.690 section 11.1). Throws DerError. */
export function derBoolean(element: Der | undefined): boolean {
  const content = derContent(element, derTag.boolean)
  if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff))
    throw new DerError('has a boolean that is not DER')
  return content[0] === 0xff
}

/** Bytes of a BIT STRING, whose unused bits must be zero (X.690 section 11.2.1). Throws DerError. */
export function derBitString(element: Der | undefined): Buffer {
  const content = derContent(element, derTag.bitString)
  const unused = content[0] ?? 8
  const last = content.length > 1 ? content.at(-1)! : 0
  if (unused > 7 || (content.length === 1 && unused > 0) || last & ((1 << unused) - 1))
    throw new DerError('has a bit string that is not DER')
  return content.subarray(1)
}

/** Numbers of the bits set in a BIT STRING, the first bit being 0. Throws DerError. */
export function derBits(element: Der): Set<number> {
  const bits = new Set<number>()
  for (const [index, byte] of derBitString(element).entries())
    for (let bit = 0; bit < 8; bit++) if (byte & (0x80 >> bit)) bits.add(index * 8 + bit)
  return bits
}

// The object identifiers that the checks use (RFC 5280, RFC 3279, RFC 4055, RFC 5758, RFC 8410).

export const extensionOid = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  crlDistributionPoints: '2.5.29.31',
  certificatePolicies: '2.5.29.32',
  authorityKeyIdentifier: '2.5.29.35',
  policyMappings: '2.5.29.33',
  policyConstraints: '2.5.29.36',
  extendedKeyUsage: '2.5.29.37',
  inhibitAnyPolicy: '2.5.29.54',
  authorityInfoAccess: '1.3.6.1.5.5.7.1.1',
  addressBlocks: '1.3.6.1.5.5.7.1.7',
  asNumbers: '1.3.6.1.5.5.7.1.8',
  proxyCertInfo: '1.3.6.1.5.5.7.1.14',
  netscapeCertType: '2.16.840.1.113730.1.1',
} as const

export const serverAuth = '1.3.6.1.5.5.7.3.1'
export const rsaPss = '1.2.840.113549.1.1.10'

/** Common values of extendedKeyUsage, for messages. */
const usageNames: Record<string, string> = {
  [serverAuth]: 'serverAuth',
  '1.3.6.1.5.5.7.3.2': 'clientAuth',
  '1.3.6.1.5.5.7.3.3': 'codeSigning',
  '1.3.6.1.5.5.7.3.4': 'emailProtection',
  '1.3.6.1.5.5.7.3.8': 'timeStamping',
  '1.3.6.1.5.5.7.3.9': 'OCSPSigning',
  '2.5.29.37.0': 'anyExtendedKeyUsage',
}

export function usageName(oid: string): string {
  return usageNames[oid] ?? oid
}

/** Hash functions inside RSA-PSS parameters, with their size in bytes. */
export const hashOids: Record<string, { name: string; size: number }> = {
  '1.3.14.3.2.26': { name: 'SHA-1', size: 20 },
  '2.16.840.1.101.3.4.2.4': { name: 'SHA-224', size: 28 },
  '2.16.840.1.101.3.4.2.1': { name: 'SHA-256', size: 32 },
  '2.16.840.1.101.3.4.2.2': { name: 'SHA-384', size: 48 },
  '2.16.840.1.101.3.4.2.3': { name: 'SHA-512', size: 64 },
}

/** Signature algorithms every verifier supports. RSA-PSS depends on its parameters and is checked separately. */
export const goodSignatures: Record<string, string> = {
  '1.2.840.113549.1.1.11': 'RSA with SHA-256',
  '1.2.840.113549.1.1.12': 'RSA with SHA-384',
  '1.2.840.113549.1.1.13': 'RSA with SHA-512',
  '1.2.840.10045.4.3.2': 'ECDSA with SHA-256',
  '1.2.840.10045.4.3.3': 'ECDSA with SHA-384',
  '1.2.840.10045.4.3.4': 'ECDSA with SHA-512',
  '1.3.101.112': 'Ed25519',
}

/** Below OpenSSL's security level 2, the default of Debian, Ubuntu and Node 24. */
export const weakSignatures: Record<string, string> = {
  '1.2.840.113549.1.1.2': 'RSA with MD2',
  '1.2.840.113549.1.1.3': 'RSA with MD4',
  '1.2.840.113549.1.1.4': 'RSA with MD5',
  '1.2.840.113549.1.1.5': 'RSA with SHA-1',
  '1.3.14.3.2.29': 'RSA with SHA-1',
  '1.2.840.10045.4.1': 'ECDSA with SHA-1',
  '1.2.840.10040.4.3': 'DSA with SHA-1',
}

// Parameters of an RSA-PSS signature (RFC 4055 section 3.1).

export interface PssParameters {
  /** OIDs of the hash of the message and of the one inside MGF1. */
  hash: string
  mgfHash: string
  /** Bytes. */
  saltLength: number
}

const sha1 = '1.3.14.3.2.26'

/** Defaults of absent parameters: SHA-1, MGF1 with SHA-1, 20 bytes of salt. Throws DerError. */
export function readPss(parameters: Der | undefined): PssParameters {
  const parts = parameters ? derSequence(parameters) : []
  const inner = (tag: number) => {
    const part = parts.find((candidate) => candidate.tag === tag)
    return part && derChildren(part.content)[0]
  }
  const hash = inner(0xa0)
  const mask = inner(0xa1)
  const salt = inner(0xa2)
  return {
    hash: hash ? derOid(derSequence(hash)[0]) : sha1,
    mgfHash: mask ? derOid(derSequence(derSequence(mask)[1])[0]) : sha1,
    saltLength: salt ? derSmallInteger(salt) : 20,
  }
}
