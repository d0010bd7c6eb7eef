// A file that is not PEM: the message tells what it is, the remedy is a command that was run here with the same file.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { loadTlsCredentials, readTextFile } from '../../../src/pki/credentials.ts'
import { readKey } from '../../../src/pki/key.ts'
import { bitString, integer, octets, oid, sequence, tlv } from '../../support/der-writer.ts'
import { joined, threeOf } from '../../support/shapes/shape.ts'
import { testKey } from '../../support/test-keys.ts'
import { commonName, now, pemOf } from '../../support/x509.ts'

const folder = mkdtempSync(join(tmpdir(), 'file-kind-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const chain = threeOf()
const [leaf] = chain
const pem = joined(chain)
const key = testKey('p256', 'server')
const data = (type: string) => oid(`1.2.840.113549.1.7.${type}`)
const pkcs12 = sequence(integer(3), sequence(data('1'), tlv(0xa0, octets(Buffer.alloc(9)))))
const pkcs7 = sequence(data('2'), tlv(0xa0, sequence(integer(1))))
const request = sequence(
  sequence(integer(0), commonName('master'), key.spki, tlv(0xa0)),
  sequence(oid('1.2.840.10045.4.3.2')),
  bitString(Buffer.alloc(70)),
)
const encrypted = key.privateKey.export({
  type: 'pkcs8',
  format: 'der',
  cipher: 'aes-128-cbc',
  passphrase: 'x',
})
const der = key.privateKey.export({ type: 'pkcs8', format: 'der' })
const sec1 = key.privateKey.export({ type: 'sec1', format: 'der' })

function problemOf(bytes: string | Uint8Array) {
  const certFile = join(folder, 'chain')
  writeFileSync(certFile, bytes)
  const { material, problems } = loadTlsCredentials({ certFile }, { now })
  expect(material).toBeUndefined()
  expect(problems).toHaveLength(1)
  return { ...problems[0]!, file: certFile }
}

test.each<[string, string | Uint8Array, string, string]>([
  ['nothing', '', 'is empty', 'Write the file again'],
  [
    'a certificate',
    leaf.der,
    'is a certificate in DER, not PEM',
    'openssl x509 -inform DER -in FILE -out FILE.pem',
  ],
  ['a private key', der, 'is a private key in DER, not a certificate', 'openssl pkey -inform DER -in FILE'],
  ['a key of the older form', sec1, 'is a private key in DER, not a certificate', 'openssl pkey -inform DER'],
  ['an encrypted key', encrypted, 'is an encrypted private key in DER', 'openssl pkcs8 -inform DER -in FILE'],
  ['a keystore', pkcs12, 'is a PKCS#12 keystore', 'openssl pkcs12 -in FILE -nokeys -out FILE.pem'],
  ['a bundle', pkcs7, 'is a PKCS#7 bundle', 'openssl pkcs7 -inform DER -in FILE -print_certs -out FILE.pem'],
  ['a request', request, 'is a certificate request (CSR)', 'Send the request to a CA'],
  [
    'a Java keystore',
    Buffer.from('feedfeed00000002', 'hex'),
    'is a Java keystore (JKS)',
    'keytool -importkeystore',
  ],
  ['other bytes', Buffer.from([0x30, 2, 1, 0, 0xff]), 'is binary, not PEM', '`file FILE` tells'],
  [
    'wide text',
    Buffer.from(pem, 'utf16le'),
    'is text in UTF-16LE',
    'iconv -f UTF-16LE -t UTF-8 FILE > FILE.pem',
  ],
  [
    'wide text of the other order',
    Buffer.from(pem, 'utf16le').swap16(),
    'is text in UTF-16BE',
    'iconv -f UTF-16BE',
  ],
  [
    'a Kubernetes secret',
    Buffer.from(pem).toString('base64'),
    'is a PEM file encoded again in base64',
    'base64 -d FILE > FILE.pem',
  ],
  [
    'base64 without lines around it',
    leaf.der.toString('base64'),
    'is base64 without BEGIN and END lines; decoded, it is a certificate in DER',
    'First `base64 -d FILE > FILE.der`. Convert it: `openssl x509 -inform DER -in FILE.der -out FILE.der.pem`',
  ],
  ['a page', '\n<!DOCTYPE html><title>Login</title>', 'is an HTML or XML page', 'curl --fail --location'],
  ['JSON', '{"tls.crt": ""}', 'is JSON', 'jq -r'],
  [
    'an SSH key',
    'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI ada@example',
    'is a public key for SSH',
    'TLS certificate',
  ],
  [
    'four hyphens',
    pem.replace(/-----/g, '----'),
    'has BEGIN and END lines that do not have exactly five hyphens',
    'perl',
  ],
  [
    'long dashes',
    pem.replace(/-----/g, '—'),
    'has BEGIN and END lines that do not have exactly five hyphens',
    'perl',
  ],
  ['text', 'hello', 'contains no PEM block', 'certificate chain in PEM'],
])('%s', (_, bytes, what, remedy) => {
  const found = problemOf(bytes)
  const shown = (text: string) => text.replaceAll(found.file, 'FILE')
  expect(found.code).toBe('TLS_FILE_NOT_PEM')
  expect(shown(found.message)).toContain(`FILE ${what}`)
  expect(shown(found.remedy)).toContain(remedy)
})

test.each<[string, string | Uint8Array]>([
  ['a certificate', leaf.der],
  ['wide text', Buffer.from(pem, 'utf16le')],
  ['a Kubernetes secret', Buffer.from(pem).toString('base64')],
  ['four hyphens', pem.replace(/-----/g, '----')],
  ['long dashes', pem.replace(/-----/g, '—')],
  ['literal line ends', leaf.pem.replace(/\n/g, '\\n')],
])('the command in the remedy converts %s', (_, bytes) => {
  const { file, remedy } = problemOf(bytes)
  const command = /`([^`]+)`/.exec(remedy)![1]!
  execFileSync('bash', ['-c', command], { stdio: 'pipe' })
  const { material, problems } = loadTlsCredentials({ certFile: `${file}.pem` }, { now })
  expect(material?.leaf.subject, JSON.stringify(problems)).toBe('CN=master')
})

describe('in place of a key', () => {
  test.each<[string, Uint8Array, string, string]>([
    ['a key', der, 'is a private key in DER, not PEM', 'openssl pkey -inform DER -in FILE -out FILE.pem'],
    [
      'a certificate',
      leaf.der,
      'is a certificate in DER, not a private key',
      'Name the file with the private key',
    ],
    ['a keystore', pkcs12, 'is a PKCS#12 keystore', 'openssl pkcs12 -in FILE -nocerts -nodes -out FILE.pem'],
  ])('%s', (_, bytes, what, remedy) => {
    const { text } = readTextFile('FILE', 'key file', () => bytes)
    const [found] = readKey(text!, 'FILE').problems
    expect(found).toMatchObject({ code: 'TLS_FILE_NOT_PEM', message: expect.stringContaining(what) })
    expect(found!.remedy).toContain(remedy)
    expect(JSON.stringify(found)).not.toContain(key.pem.split('\n')[1])
  })
})

describe('PEM of another kind', () => {
  test.each([
    ['PKCS7', 'openssl pkcs7 -in'],
    ['CERTIFICATE REQUEST', 'is no certificate: send it to a CA'],
    ['X509 CRL', 'A revocation list is no certificate'],
    ['PRIVATE KEY', 'Name the file with the certificate chain'],
  ])('%s', (label, remedy) => {
    const found = problemOf(pemOf(Buffer.from([0x30, 0]), label))
    expect(found).toMatchObject({ code: 'TLS_NO_CERTIFICATE', remedy: expect.stringContaining(remedy) })
  })
})

test('one lost character is one error', () => {
  for (const certificate of chain) {
    const broken = certificate.pem.slice(0, 200) + certificate.pem.slice(201)
    const text = pem.replace(certificate.pem, broken)
    const found = problemOf(text)
    expect(found.code).toBe('TLS_PEM_BROKEN')
  }
})

test.each([1, 2])('the key of CA %i of the chain is one error', (place) => {
  writeFileSync(join(folder, 'key'), chain[place]!.key.pem)
  writeFileSync(join(folder, 'chain'), pem)
  const files = { certFile: join(folder, 'chain'), keyFile: join(folder, 'key') }
  const { problems } = loadTlsCredentials(files, { now })
  expect(problems.map(({ code }) => code)).toEqual(['TLS_KEY_MISMATCH'])
})
