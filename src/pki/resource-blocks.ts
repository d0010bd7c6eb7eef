// The IP addresses and AS numbers that a certificate was given (RFC 3779).
import { type Der, DerError, derChildren, derContent, derInteger, derSequence, derTag } from './der.ts'

/** First and last address or number. */
export interface Range {
  first: bigint
  last: bigint
  /** Written as a range although it is a prefix, or in a form that cannot be compared. */
  odd?: boolean
}

/** `inherit`: those of the issuer. */
export type Resources = 'inherit' | Range[]

/** Of each address family (its bytes in hex), in the order of the certificate. */
export type AddressBlocks = [family: string, Resources][]

export interface AsNumbers {
  asnum?: Resources
  rdi?: Resources
}

/** Reads the extension of section 2.2.3. Throws DerError. */
export function readAddressBlocks(element: Der): AddressBlocks {
  return derSequence(element).map((block) => {
    const [family, choice] = exactly(2, derSequence(block))
    const code = derContent(family, derTag.octetString)
    const size = code.length < 2 ? 0 : (sizes[code.readUInt16BE(0)] ?? 0)
    return [code.toString('hex'), readChoice(choice, (item) => readAddresses(item, size))]
  })
}

/** Bytes of an address of IPv4 and IPv6. */
const sizes: Record<number, number> = { 1: 4, 2: 16 }

function readAddresses(item: Der, size: number): Range {
  if (item.tag === derTag.bitString) return { ...prefixOf(item, item, size) }
  const [first, last] = exactly(2, derSequence(item))
  const range = prefixOf(first, last, size)
  const count = range.last - range.first + 1n
  const isPrefix = count > 0n && (count & (count - 1n)) === 0n && range.first % count === 0n
  return { ...range, odd: range.odd === true || isPrefix }
}

/** Bits that are not written are zeros in the first address and ones in the last. */
function prefixOf(first: Der | undefined, last: Der | undefined, size: number): Range {
  const [low, high] = [bitsOf(first), bitsOf(last)]
  if (low.bytes.length > size || high.bytes.length > size) return { first: 0n, last: 0n, odd: true }
  const free = BigInt(high.unused + 8 * (size - high.bytes.length))
  return {
    first: numberOf(low.bytes) << BigInt(8 * (size - low.bytes.length)),
    last: (numberOf(high.bytes) << BigInt(8 * (size - high.bytes.length))) | ((1n << free) - 1n),
  }
}

function bitsOf(element: Der | undefined): { bytes: Buffer; unused: number } {
  const content = derContent(element, derTag.bitString)
  const unused = content[0] ?? 8
  if (unused > 7) throw new DerError('has a malformed bit string')
  const bytes = Buffer.from(content.subarray(1))
  // OpenSSL ignores unused bits.
  if (bytes.length > 0) bytes[bytes.length - 1]! &= 0xff << unused
  return { bytes, unused: bytes.length > 0 ? unused : 0 }
}

/** Reads the extension of section 3.2.3. Throws DerError. */
export function readAsNumbers(element: Der): AsNumbers {
  const parts = derSequence(element)
  const part = (tag: number) => {
    if (parts[0]?.tag !== tag) return undefined
    const [choice] = exactly(1, derChildren(parts.shift()!.content))
    return readChoice(choice, readNumbers)
  }
  const [asnum, rdi] = [part(0xa0), part(0xa1)]
  exactly(0, parts)
  return { ...(asnum && { asnum }), ...(rdi && { rdi }) }
}

function readNumbers(item: Der): Range {
  if (item.tag === derTag.integer) return { first: integerOf(item), last: integerOf(item) }
  const [first, last] = exactly(2, derSequence(item))
  return { first: integerOf(first), last: integerOf(last) }
}

function readChoice(choice: Der | undefined, read: (item: Der) => Range): Resources {
  if (choice?.tag !== derTag.null) return derSequence(choice).map(read)
  if (choice.content.length > 0) throw new DerError('has a malformed NULL')
  return 'inherit'
}

function exactly(count: number, elements: Der[]): Der[] {
  if (elements.length !== count) throw new DerError('has another number of parts than it must have')
  return elements
}

function integerOf(element: Der | undefined): bigint {
  const content = derInteger(element)
  return BigInt.asIntN(content.length * 8, numberOf(content))
}

function numberOf(bytes: Buffer): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${bytes.toString('hex')}`)
}
