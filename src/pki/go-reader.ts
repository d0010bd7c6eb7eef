// Reads DER in order, as Go's parser of certificates does: what follows the last part it wants is not looked at.
import {
  type Der,
  DerError,
  derBitString,
  derBoolean,
  derInteger,
  derTag,
  isShortestOid,
  readDer,
} from './der.ts'

/** Every method that reads throws DerError if the next element is missing or has another form. */
export class GoReader {
  #rest: Buffer

  constructor(bytes: Buffer) {
    this.#rest = bytes
  }

  get isEmpty(): boolean {
    return this.#rest.length === 0
  }

  /** Whether the next element has this tag. */
  isNext(tag: number): boolean {
    return this.#rest[0] === tag
  }

  /** The next element, of any type. */
  element(): Der {
    const element = readDer(this.#rest)
    this.#rest = this.#rest.subarray(element.bytes.length)
    return element
  }

  /** The next element, which must have this tag. */
  of(tag: number): Der {
    if (!this.isNext(tag)) throw new DerError('has another element than expected')
    return this.element()
  }

  /** The inside of the next element, which must have this tag. */
  inside(tag: number = derTag.sequence): GoReader {
    return new GoReader(this.of(tag).content)
  }

  /** The next element if it has this tag. */
  optional(tag: number): Der | undefined {
    return this.isNext(tag) ? this.element() : undefined
  }

  /** Content of an INTEGER of any size. */
  integer(): Buffer {
    return derInteger(this.element())
  }

  /** An INTEGER that fits into 64 bits, also one with an implicit tag. */
  integer64(tag: number = derTag.integer): bigint {
    const content = derInteger({ ...this.of(tag), tag: derTag.integer })
    if (content.length > 8) throw new DerError('has an integer of more than 64 bits')
    return BigInt.asIntN(content.length * 8, BigInt(`0x${content.toString('hex')}`))
  }

  boolean(): boolean {
    return derBoolean(this.element())
  }

  /** Bytes of a BIT STRING. */
  bits(): Buffer {
    return derBitString(this.element())
  }

  /** An OBJECT IDENTIFIER whose numbers fit into 31 bits. */
  oid(): Der {
    const element = this.of(derTag.oid)
    if (!isGoOid(element.content)) throw new DerError('has a malformed object identifier')
    return element
  }
}

/** cryptobyte: each number in its shortest form (X.690 section 8.19.2) and in at most 31 bits. */
function isGoOid(content: Buffer): boolean {
  if (!isShortestOid(content)) return false
  let value = 0
  for (const byte of content) {
    if (value >= 2 ** 24) return false
    value = byte & 0x80 ? value * 128 + (byte & 0x7f) : 0
  }
  return true
}
