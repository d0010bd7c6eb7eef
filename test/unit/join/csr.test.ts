// Certificate requests of instances: one form is accepted, and no other.
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { readCsr } from '../../../src/join/csr.ts'
import { derChildren, readDer } from '../../../src/pki/der.ts'
import { ProvisionError } from '../../../src/problems/index.ts'
import { csrOf, ecdsaWithSha384, rsaWithSha256 } from '../../support/csr.ts'
import { bitString, integer, nothing, oid, sequence, set, text, tlv } from '../../support/der-writer.ts'
import { testKey } from '../../support/test-keys.ts'
import { commonName } from '../../support/x509.ts'

const id = 'i-0123456789abcdef0'
const key = testKey('p256', 'csr')
const pair = (type: string, value: Buffer) => sequence(oid(type), value)

function verdict(csr: Buffer, of = id): string {
  try {
    return readCsr(csr, of).key
  } catch (error) {
    return error instanceof ProvisionError ? String(error.code) : String(error)
  }
}

const accepted = createHash('sha256').update(key.spki).digest('hex')

/** A signature whose last bit is zero, and does not count: this is DER, too. */
function withUnusedBits(): Buffer {
  for (;;) {
    const csr = csrOf()
    if (csr.at(-1)! & 1) continue
    // The elements of the request: what is signed, the algorithm, the signature.
    const [info, algorithm, signature] = derChildren(readDer(csr).content)
    return sequence(info!.bytes, algorithm!.bytes, bitString(signature!.content.subarray(1), 1))
  }
}

describe('a certificate request', () => {
  it.each([
    ['as instances send it', csrOf()],
    ['with its name as a PrintableString', csrOf({ subject: commonName(id, 'printable') })],
    [
      'with extensions that are ignored',
      csrOf({ attributes: [tlv(0xa0, sequence(oid('1.2.3'), nothing()))] }),
    ],
  ])('%s is accepted', (_, csr) => {
    expect(verdict(csr)).toBe(accepted)
  })

  const point = (bytes: Buffer) =>
    sequence(sequence(oid('1.2.840.10045.2.1'), oid('1.2.840.10045.3.1.7')), bitString(bytes))
  it.each([
    ['of another instance', csrOf({ subject: 'i-0123456789abcdef1' })],
    ['without a name', csrOf({ subject: sequence() })],
    [
      'with two common names',
      csrOf({ subject: sequence(...[id, id].map((one) => set(pair('2.5.4.3', text(one, 'utf8'))))) }),
    ],
    [
      'with two names in one set',
      csrOf({
        subject: sequence(set(pair('2.5.4.3', text(id, 'utf8')), pair('2.5.4.10', text('o', 'utf8')))),
      }),
    ],
    [
      'with an organization',
      csrOf({
        subject: sequence(set(pair('2.5.4.10', text('o', 'utf8'))), set(pair('2.5.4.3', text(id, 'utf8')))),
      }),
    ],
    [
      'with the id as another kind of name',
      csrOf({ subject: sequence(set(pair('2.5.4.10', text(id, 'utf8')))) }),
    ],
    ['with the name in wide characters', csrOf({ subject: commonName(id, 'bmp') })],
    ['with a zero byte after the name', csrOf({ subject: `${id}\0` })],
    ['with an empty set', csrOf({ subject: sequence(set()) })],
    ['on P-384', csrOf({ key: testKey('p384', 'csr') })],
    ['on secp256k1', csrOf({ key: testKey('secp256k1', 'csr') })],
    ['on brainpool', csrOf({ key: testKey('brainpool', 'csr') })],
    ['with an RSA key', csrOf({ key: testKey('rsa2048', 'csr'), algorithm: rsaWithSha256 })],
    ['with an Ed25519 key of its own signature', csrOf({ spki: testKey('ed25519').spki })],
    [
      'with a point that is not on the curve',
      csrOf({ spki: point(Buffer.concat([Buffer.of(4), Buffer.alloc(64, 7)])) }),
    ],
    [
      'with a compressed point',
      csrOf({ spki: point(Buffer.concat([Buffer.of(2), key.spki.subarray(27, 59)])) }),
    ],
    ['signed by another key', csrOf({ signer: testKey('p256', 'other') })],
    ['signed with SHA-384', csrOf({ digest: 'sha384', algorithm: ecdsaWithSha384 })],
    ['signed with SHA-384 and named SHA-256', csrOf({ digest: 'sha384' })],
    [
      'with parameters of the algorithm',
      csrOf({ algorithm: sequence(oid('1.2.840.10045.4.3.2'), nothing()) }),
    ],
    ['with unused bits in its signature', withUnusedBits()],
    ['of version 2', csrOf({ version: integer(1) })],
    ['without attributes', csrOf({ attributes: [] })],
    ['with more than attributes', csrOf({ attributes: [tlv(0xa0), tlv(0xa1)] })],
    ['with a byte after it', Buffer.concat([csrOf(), Buffer.of(0)])],
    ['that is empty', Buffer.alloc(0)],
    ['that is text', Buffer.from('-----BEGIN CERTIFICATE REQUEST-----')],
  ])('%s is refused', (_, csr) => {
    expect(verdict(csr)).toBe('JOIN_CSR_INVALID')
  })

  it('with any bit changed is refused, cut anywhere too', () => {
    const csr = csrOf()
    for (let length = 0; length < csr.length; length++)
      expect(verdict(csr.subarray(0, length))).toBe('JOIN_CSR_INVALID')
    for (let bit = 0; bit < csr.length * 8; bit++) {
      const changed = Buffer.from(csr)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      expect([bit, verdict(changed)]).toEqual([bit, 'JOIN_CSR_INVALID'])
    }
  })
})
