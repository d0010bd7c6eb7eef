// A bounds-checked reader of DER, for what node:crypto's X509Certificate does not expose.

/** One element: its tag byte, all its bytes, and its content. */
export interface Der {
  tag: number
  bytes: Buffer
  content: Buffer
}

/** The bytes are not DER. The message says in what way; it holds nothing of the bytes themselves. */
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

/** The element at the start of `bytes`; what follows it is left alone. Throws DerError. */
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

/** The elements a content is made of. Throws DerError. */
export function derChildren(content: Buffer): Der[] {
  const children: Der[] = []
  for (let rest = content; rest.length > 0; ) {
    const child = readDer(rest)
    children.push(child)
    rest = rest.subarray(child.bytes.length)
  }
  return children
}

/** The elements of a SEQUENCE (or what else `tag` names). Throws DerError when it is something else or absent. */
export function derSequence(element: Der | undefined, tag: number = derTag.sequence): Der[] {
  return derChildren(derContent(element, tag))
}

/** The content of an element that must have this tag. Throws DerError. */
export function derContent(element: Der | undefined, tag: number): Buffer {
  if (element?.tag !== tag)
    throw new DerError(`has ${element ? `tag ${element.tag}` : 'nothing'} where tag ${tag} belongs`)
  return element.content
}

/** Dotted form of an OBJECT IDENTIFIER. Throws DerError. */
export function derOid(element: Der | undefined): string {
  const arcs: number[] = []
  let arc = 0
  for (const byte of derContent(element, derTag.oid)) {
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

/** Bytes of a BIT STRING; bits that do not count are zero (X.690 section 11.2.1). Throws DerError. */
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
