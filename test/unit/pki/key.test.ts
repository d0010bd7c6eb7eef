import { describe, expect, test } from 'vitest'
import { readCertificates } from '../../../src/pki/chain.ts'
import { fits, mismatch, readKey } from '../../../src/pki/key.ts'
import { decodeText } from '../../../src/pki/pem.ts'
import { threeOf } from '../../support/shapes/shape.ts'
import { type KeyKind, testKey } from '../../support/test-keys.ts'
import { pemOf } from '../../support/x509.ts'
import { server } from '../../support/x509-profiles.ts'

const serverKey = testKey('p256', 'server')
const other = testKey('p256', 'another')
const certificate = (kind: KeyKind = 'p256') =>
  readCertificates(server(undefined, { key: testKey(kind, 'server') }).pem, 'cert.pem').certificates[0]!

describe('a key that can be read', () => {
  const kinds: KeyKind[] = ['p256', 'p384', 'ed25519', 'rsa2048', 'rsa-pss', 'dsa']

  test.each(kinds)('%s as PKCS#8', (kind) => {
    const { key, problems } = readKey(testKey(kind, 'server').pem, 'key.pem')
    expect(problems).toEqual([])
    expect(fits(key!, certificate(kind))).toBe(true)
    expect(fits(key!, certificate(kind === 'p256' ? 'p384' : 'p256'))).toBe(false)
  })

  test.each([
    ['SEC 1', serverKey.privateKey.export({ type: 'sec1', format: 'pem' })],
    ['PKCS#1', testKey('rsa2048', 'server').privateKey.export({ type: 'pkcs1', format: 'pem' })],
    ['PKCS#8 with CRLF', serverKey.pem.replaceAll('\n', '\r\n')],
    ['PKCS#8 after a comment', `# key\n${serverKey.pem}`],
    ['PKCS#8 after its certificate', server().pem + serverKey.pem],
  ])('as %s', (_, text) => {
    const { key, problems } = readKey(text.toString(), 'key.pem')
    expect(problems).toEqual([])
    expect(key?.type).toBe('private')
  })

  test('after a byte order mark, with a warning, because Go would not find it', () => {
    const { key, problems } = readKey(`\uFEFF${serverKey.pem}`, 'key.pem')
    expect(key).toBeDefined()
    expect(problems.map(({ code }) => code)).toEqual(['TLS_PEM_MENDED'])
  })
})

describe('an unreadable key is reported with reason and position', () => {
  test.each([
    ['an empty file', ' \n', 'TLS_FILE_NOT_PEM', 'key.pem is empty', undefined],
    [
      'DER',
      decodeText(serverKey.privateKey.export({ type: 'pkcs8', format: 'der' })),
      'TLS_FILE_NOT_PEM',
      'key.pem is a private key in DER, not PEM',
      undefined,
    ],
    ['text', 'hello', 'TLS_FILE_NOT_PEM', 'key.pem contains no PEM block (-----BEGIN …)', undefined],
    [
      'a certificate',
      server().pem,
      'TLS_KEY_UNREADABLE',
      'no private key can be read from key.pem: it contains no private key, only: CERTIFICATE',
      undefined,
    ],
    [
      'a public key',
      pemOf(serverKey.spki, 'PUBLIC KEY'),
      'TLS_KEY_UNREADABLE',
      'no private key can be read from key.pem: it contains no private key, only: PUBLIC KEY',
      undefined,
    ],
    [
      'an OpenSSH key',
      `\n${pemOf(serverKey.spki, 'OPENSSH PRIVATE KEY')}`,
      'TLS_KEY_UNREADABLE',
      "no private key can be read from key.pem: it is a key in OpenSSH's own format, made for ssh",
      2,
    ],
    [
      'junk in the block',
      pemOf(Buffer.from([0x30, 3, 2, 1, 5]), 'PRIVATE KEY'),
      'TLS_KEY_UNREADABLE',
      'no private key can be read from key.pem: block 1 is not a key that OpenSSL can read',
      1,
    ],
    [
      'a truncated key',
      serverKey.pem.slice(0, 80),
      'TLS_KEY_UNREADABLE',
      'no private key can be read from key.pem: block 1 is not usable: it is cut off: its END line is missing',
      1,
    ],
  ])('%s', (_, text, code, message, line) => {
    const { key, problems } = readKey(text, 'key.pem')
    expect(key).toBeUndefined()
    expect(problems).toEqual([
      expect.objectContaining({ code, message, where: { file: 'key.pem', ...(line && { line }) } }),
    ])
  })

  test('an encrypted key', () => {
    const text = serverKey.privateKey.export({
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-128-cbc',
      passphrase: 'x',
    })
    expect(readKey(text.toString(), 'key.pem').problems.map(({ code }) => code)).toEqual([
      'TLS_KEY_ENCRYPTED',
    ])
  })
})

describe('several keys', () => {
  const keys = { ...readKey(other.pem + serverKey.pem, 'key.pem') }

  test('uses the first, as servers do', () => {
    expect(keys.key!.equals(other.privateKey)).toBe(true)
    expect(keys.problems).toEqual([
      expect.objectContaining({ code: 'TLS_KEY_SEVERAL', where: expect.objectContaining({ line: 6 }) }),
    ])
  })

  test('a mismatch reports that a later key would fit', () => {
    const found = mismatch({ ...keys, key: keys.key! }, certificate(), 'key.pem')
    expect(found.message).toBe(
      'the key in key.pem does not belong to CN=master; a later key of the file does, but servers use the first',
    )
  })
})

test('a mismatch of types names both types', () => {
  const keys = readKey(testKey('rsa2048', 'server').pem, 'key.pem')
  const found = mismatch({ ...keys, key: keys.key! }, certificate(), 'key.pem')
  expect(found.message).toBe(
    "the key in key.pem does not belong to CN=master: the key is rsa, the certificate's ec",
  )
})

test('no problem contains any part of a key', () => {
  const texts = [
    serverKey.pem.slice(0, 120),
    serverKey.pem.replace('MIG', '*IG'),
    serverKey.pem + other.pem,
    threeOf()[0].pem,
  ]
  for (const text of texts) expect(JSON.stringify(readKey(text, 'key.pem').problems)).not.toContain('MIG')
})
