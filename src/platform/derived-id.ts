// Ids derived from an intent, so that a repeated request has the same id.
import { createHash } from 'node:crypto'

const namespace = Buffer.from('6f1c2b5d9a3e4c178b2d0e5f7a91c3d4', 'hex')

/** A UUID of version 5 (RFC 9562 section 5.5), the same for the same parts; never the zero UUID, which GCE refuses. */
export function derivedUuid(...parts: string[]): string {
  const hash = createHash('sha1').update(namespace).update(parts.join('/')).digest().subarray(0, 16)
  hash[6] = (hash[6]! & 0x0f) | 0x50
  hash[8] = (hash[8]! & 0x3f) | 0x80
  return hash.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'

/** `length` characters of a-z and 2-7 (RFC 4648 section 6 in lower case), five bits of SHA-256 each, at most 51. */
export function derivedName(length: number, ...parts: string[]): string {
  const hash = createHash('sha256').update(parts.join('/')).digest()
  let bits = BigInt(`0x${hash.toString('hex')}`)
  let name = ''
  for (let i = 0; i < length; i++) {
    name += alphabet[Number(bits & 31n)]
    bits >>= 5n
  }
  return name
}
