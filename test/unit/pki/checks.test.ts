// Rules of single certificates that are not in the table of shapes.
import { describe, expect, test } from 'vitest'
import { type ChainPath, readCertificates } from '../../../src/pki/chain.ts'
import { checkPath } from '../../../src/pki/checks.ts'
import { checkForGo } from '../../../src/pki/verifier-checks.ts'
import { integer, nothing, octets, oid, sequence, set, text, tlv } from '../../support/der-writer.ts'
import { joined, threeOf } from '../../support/shapes/shape.ts'
import { testKey } from '../../support/test-keys.ts'
import { day, type Issued, issue, now } from '../../support/x509.ts'
import { email, extension, keyUsage, subjectAltName, uri } from '../../support/x509-extensions.ts'
import { type ServerSpec, server } from '../../support/x509-profiles.ts'

function pathOf(...file: Issued[]): ChainPath {
  return { certificates: readCertificates(joined(file), 'chain.pem').certificates, complete: true }
}
const check = (file: Issued[], at = now) => checkPath(pathOf(...file), at)
const codes = (file: Issued[], at?: number) => check(file, at).map(({ code }) => code)
const ofServer = (spec: ServerSpec) => check(threeOf({ server: spec }))

test('a correct chain has no fault', () => {
  expect(check(threeOf())).toEqual([])
})

test('reports every fault of every certificate at once', () => {
  const file = threeOf({
    server: { names: null, digest: 'sha1', notAfter: now - day, notBefore: now - 9 * day },
    intermediate: { basic: null },
    root: { key: testKey('rsa1024', 'root') },
  })
  expect(codes(file).sort()).toEqual([
    'TLS_EXPIRED',
    'TLS_NOT_A_CA',
    'TLS_NO_SAN',
    'TLS_WEAK_KEY',
    'TLS_WEAK_SIGNATURE',
  ])
})

test('a CA in place of the server is not to be reissued: its file is the wrong one', () => {
  const [, , root] = threeOf()
  const problems = check([root!])
  expect(problems.map(({ code }) => code)).toEqual(['TLS_NO_SAN', 'TLS_NOT_FOR_SERVERS'])
  expect(problems[0]!.message).toContain('is that of a CA')
  for (const { remedy } of problems) expect(remedy).toContain("the server's own certificate first")
})

describe('dates', () => {
  const end = Math.floor(now / 1000) * 1000 + 40 * day
  const file = [server(undefined, { notBefore: end - 100 * day, notAfter: end })]
  test.each([
    ['before its first second', end - 100 * day - 1, 'TLS_NOT_YET_VALID', /valid only from 20/],
    ['30 days before its end', end - 30 * day, 'TLS_EXPIRES_SOON', /expires in 30 days, on 20/],
    ['hours before its end', end - 3_600_000, 'TLS_EXPIRES_SOON', /expires in less than a day/],
    ['in its last second', end, 'TLS_EXPIRES_SOON', /less than a day/],
    ['after its last second', end + 1, 'TLS_EXPIRED', /expired on 20/],
  ])('%s', (_, at, code, message) => {
    expect(check(file, at)).toEqual([
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    ])
  })
  test.each([end - 100 * day, end - 30 * day - 1])('valid without a warning at %d', (at) => {
    expect(check(file, at)).toEqual([])
  })

  test.each([
    ['a day', 1],
    ['six days', 6],
    ['60 days', 60],
  ])('of a certificate for %s the last third is soon', (_, days) => {
    const short = [server(undefined, { notBefore: end - days * day, notAfter: end })]
    const third = Math.floor((days * day) / 3)
    expect(codes(short, end - third - 1)).toEqual([])
    expect(codes(short, end - third)).toEqual(['TLS_EXPIRES_SOON'])
  })
})

describe('keys', () => {
  /** SubjectPublicKeyInfo of a made-up RSA key. */
  const rsa = (bits: number, exponent: number | bigint = 65_537, parameters: Buffer[] = [nothing()]) =>
    sequence(
      sequence(oid('1.2.840.113549.1.1.1'), ...parameters),
      tlv(0x03, Buffer.from([0]), sequence(integer((1n << BigInt(bits)) - 1n), integer(exponent))),
    )
  test.each([
    ['2047 bits', rsa(2047), ['TLS_WEAK_KEY']],
    ['2048 bits', rsa(2048), []],
    ['8192 bits', rsa(8192), []],
    ['8200 bits', rsa(8200), ['TLS_KEY_TYPE']],
    ['an exponent of 33 bits', rsa(2048, 0x1_0000_0001n), ['TLS_KEY_TYPE']],
    ['no NULL parameters', rsa(2048, 65_537, []), ['TLS_GO_REFUSES']],
  ])('RSA of %s', (_, spki, expected) => {
    expect(ofServer({ spki }).map(({ code }) => code)).toEqual(expected)
  })
})

describe('RSA-PSS signatures', () => {
  const signer = { key: testKey('rsa2048', 'intermediate') }
  test.each([
    ['SHA-256, salt 32', { digest: 'sha256', pssSalt: 32 }, []],
    ['SHA-512, salt 64', { digest: 'sha512', pssSalt: 64 }, []],
    ['SHA-384, salt 32', { digest: 'sha384', pssSalt: 32 }, ['TLS_RENEWAL_REFUSED']],
    ['SHA-1', { digest: 'sha1', pssSalt: 20 }, ['TLS_WEAK_SIGNATURE']],
    ['SHA-224', { digest: 'sha224', pssSalt: 28 }, ['TLS_SIGNATURE_TYPE']],
  ] as const)('%s', (_, spec, expected) => {
    expect(codes(threeOf({ server: spec, intermediate: signer }))).toEqual(expected)
  })
})

test('an RSA-PSS signature with another hash in its mask is judged by its parameters', () => {
  const [leaf] = threeOf({
    server: { pssSalt: 32, pssMask: 'sha1' },
    intermediate: { key: testKey('rsa2048', 'intermediate') },
  })
  const path = { ...pathOf(leaf), complete: false }
  expect(checkPath(path, now)).toEqual([
    expect.objectContaining({
      code: 'TLS_SIGNATURE_TYPE',
      message: expect.stringContaining('RSA-PSS with SHA-256 and another hash in its mask'),
    }),
  ])
})

describe('Netscape certificate type, which OpenSSL still supports', () => {
  const type = (bits: number) => extension('2.16.840.1.113730.1.1', tlv(0x03, Buffer.from([6, bits])))
  test.each([
    ['a server', 0x40, []],
    ['a client', 0x80, ['TLS_NOT_FOR_SERVERS']],
  ])('of %s', (_, bits, expected) => {
    expect(ofServer({ extra: [type(bits)] }).map(({ code }) => code)).toEqual(expected)
  })
})

describe('RFC 5280 as the newest Python checks it', () => {
  const strict = (file: Issued[]) => check(file).map(({ code, message }) => [code, message.split('; ')[0]])
  const noSubject = Buffer.from([0x30, 0])

  test.each<[string, Issued[], string]>([
    [
      'a leaf that may sign certificates',
      threeOf({ server: { usage: keyUsage('digitalSignature', 'keyCertSign') } }),
      'the server certificate CN=master has keyUsage keyCertSign without being a CA',
    ],
    [
      'an end certificate with a path length',
      threeOf({ server: { basic: extension('2.5.29.19', sequence(integer(0)), true) } }),
      'the server certificate CN=master has a path length without being a CA',
    ],
    [
      'a single certificate that may sign',
      [server(undefined, { basic: null, usage: keyUsage('digitalSignature', 'keyCertSign') })],
      'the server certificate CN=master has keyUsage keyCertSign without basicConstraints',
    ],
    [
      'a CA without a name',
      threeOf({ root: { subject: noSubject } }),
      'the intermediate CN=Test Intermediate has no issuer name',
    ],
    [
      'a leaf without a name that signs revocation lists',
      threeOf({ server: { subject: noSubject, usage: keyUsage('digitalSignature', 'cRLSign') } }),
      'the server certificate (empty name) has no subject name',
    ],
    [
      'an issuer key identifier without the identifier',
      threeOf({ server: { aki: false, extra: [extension('2.5.29.35', sequence())] } }),
      'the server certificate CN=master has no authority key identifier',
    ],
  ])('%s', (_, file, message) => {
    expect(strict(file)).toContainEqual(['TLS_STRICT_RFC5280', message])
  })

  test('is not reported when every verifier refuses the chain', () => {
    expect(codes(threeOf({ server: { aki: false, names: null } }))).toEqual(['TLS_NO_SAN'])
  })
})

describe("Go's parser", () => {
  const goFaults = (issued: Issued) => {
    const { certificates, problems } = readCertificates(issued.pem, 'x.pem')
    return [...problems, ...checkForGo(certificates)].map(({ message }) => message)
  }
  const subject = (value: Buffer) => sequence(set(sequence(oid('2.5.4.3'), value)))

  test.each<[string, Parameters<typeof issue>[0], string | undefined]>([
    [
      'a PrintableString with a star and an ampersand',
      { subject: subject(text('*.a & b', 'printable')) },
      undefined,
    ],
    [
      'a PrintableString with an at sign',
      { subject: subject(text('a@b', 'printable')) },
      'characters in a name',
    ],
    ['an IA5String beyond ASCII', { subject: subject(text('ü', 'ia5')) }, 'characters in a name'],
    ['a T61String beyond ASCII', { subject: subject(text('ü', 't61')) }, undefined],
    ['a BMPString', { subject: subject(text('münchen', 'bmp')) }, undefined],
    ['a VisibleString', { subject: subject(text('a', 'visible')) }, 'not an X.509 certificate'],
    ['broken UTF-8', { subject: subject(tlv(0x0c, Buffer.from([0xff]))) }, 'not an X.509 certificate'],
    [
      'an address of five bytes',
      { extensions: [subjectAltName(tlv(0x87, Buffer.alloc(5)))] },
      'malformed name IP:0000000000',
    ],
    [
      'a critical subject key identifier',
      { extensions: [extension('2.5.29.14', octets(Buffer.alloc(20)), true)] },
      'extension 2.5.29.14 as critical',
    ],
    [
      'two signature algorithms',
      { innerAlgorithm: sequence(oid('1.2.840.10045.4.3.3')) },
      'two different signature algorithms',
    ],
    ['a URI without a host', { extensions: [subjectAltName(uri('urn:uuid:1'))] }, undefined],
    [
      'a URI with a broken escape',
      { extensions: [subjectAltName(uri('https://a/%zz'))] },
      'malformed name uri:https://a/%zz',
    ],
    [
      'an e-mail address beyond ASCII',
      { extensions: [subjectAltName(email('ü@example.com'))] },
      'malformed name email:\\xfc@example.com',
    ],
  ])('%s', (_, spec, message) => {
    const faults = goFaults(issue(spec))
    expect(faults).toEqual(message === undefined ? [] : [expect.stringContaining(message)])
  })
})

test('an unknown extension that is not critical is accepted', () => {
  expect(ofServer({ extra: [extension('1.2.3.4', integer(1))] })).toEqual([])
})

test('a CA of version 1 is accepted only as a root', () => {
  const old = { version: 1, basic: null, usage: null, ski: false, aki: false } as const
  expect(codes(threeOf({ intermediate: old }))).toEqual(['TLS_NOT_A_CA'])
})
