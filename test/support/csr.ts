// Certificate requests (PKCS #10) for tests: correct ones, and each part of one in another form.
import { createHash, sign } from 'node:crypto'
import { bitString, integer, nothing, oid, sequence, tlv } from './der-writer.ts'
import { type TestKey, testKey } from './test-keys.ts'
import { commonName } from './x509.ts'

export interface CsrSpec {
  key?: TestKey
  /** Common name, or the DER of a whole name. */
  subject?: string | Buffer
  version?: Buffer
  /** DER in place of the key's. */
  spki?: Buffer
  attributes?: Buffer[]
  digest?: string
  algorithm?: Buffer
  /** Makes the signature in place of `key`. */
  signer?: TestKey
}

export const ecdsaWithSha256 = sequence(oid('1.2.840.10045.4.3.2'))
export const ecdsaWithSha384 = sequence(oid('1.2.840.10045.4.3.3'))
export const rsaWithSha256 = sequence(oid('1.2.840.113549.1.1.11'), nothing())

/** SHA-256 of the public key, hex. */
export function keyHash({ spki }: TestKey): string {
  return createHash('sha256').update(spki).digest('hex')
}

/** Where an instance gets a nonce for its key. */
export function challengeFor(key: TestKey): string {
  return `/v1/join/challenge?key=${keyHash(key)}`
}

/** Exactly as specified; by default what an instance sends. */
export function csrOf({
  key = testKey('p256', 'csr'),
  subject = 'i-0123456789abcdef0',
  version = integer(0),
  spki = key.spki,
  attributes = [tlv(0xa0)],
  digest = 'sha256',
  algorithm = ecdsaWithSha256,
  signer = key,
}: CsrSpec = {}): Buffer {
  const name = typeof subject === 'string' ? commonName(subject) : subject
  const info = sequence(version, name, spki, ...attributes)
  return sequence(info, algorithm, bitString(sign(digest, info, signer.privateKey)))
}
