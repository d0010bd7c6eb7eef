import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { planTrust } from '../../../src/agent-setup/trust.ts'
import {
  loadTlsCredentials,
  parseTlsCredentials,
  pathFacts,
  servedPair,
} from '../../../src/pki/credentials.ts'
import { joined, made, threeOf } from '../../support/shapes/shape.ts'
import { testKey } from '../../support/test-keys.ts'
import { day, now, pemOf } from '../../support/x509.ts'
import { server } from '../../support/x509-profiles.ts'

const three = threeOf()
const files = made(three)
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'material-'))
  writeFileSync(join(folder, 'chain.pem'), files.cert)
  writeFileSync(join(folder, 'key.pem'), files.key!, { mode: 0o600 })
  writeFileSync(join(folder, 'chain.der'), three[0].der)
  writeFileSync(join(folder, 'utf16.pem'), Buffer.from(`\uFEFF${files.cert}`, 'utf16le'))
  mkdirSync(join(folder, 'directory'))
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

const at = (name: string) => join(folder, name)
const parse = (cert: string, key?: string) =>
  parseTlsCredentials(cert, key, { now, file: 'chain.pem', keyFile: 'key.pem' })
const codes = ({ problems }: { problems: { code: string }[] }) => problems.map(({ code }) => code)

test('loads a pair: leaf, path, key', () => {
  const { material, problems } = loadTlsCredentials(
    { certFile: at('chain.pem'), keyFile: at('key.pem') },
    { now },
  )
  expect(problems).toEqual([])
  expect(material).toMatchObject({
    file: at('chain.pem'),
    leaf: { subject: 'CN=master', block: 1, line: 1 },
    openPaths: [],
  })
  expect(material!.path.complete).toBe(true)
  expect(material!.key!.equals(three[0].key.privateKey)).toBe(true)
})

test('does not read a key unless asked to', () => {
  const read: string[] = []
  const readFile = (file: string) => {
    read.push(file)
    return Buffer.from(files.cert)
  }
  const { material } = loadTlsCredentials({ certFile: 'chain.pem' }, { now, readFile })
  expect(material!.key).toBeUndefined()
  expect(read).toEqual(['chain.pem'])
})

test('reads a UTF-16 file written by Windows', () => {
  const { material, problems } = loadTlsCredentials({ certFile: at('utf16.pem') }, { now })
  expect(material!.path.certificates).toHaveLength(3)
  expect(codes({ problems })).toEqual(['TLS_PEM_MENDED'])
})

test('the facts of the path, as printed', () => {
  const { material } = parse(files.cert)
  expect(pathFacts(material!.path)).toEqual([
    expect.objectContaining({
      role: 'leaf',
      subject: 'CN=master',
      issuer: 'CN=Test Intermediate',
      sans: ['DNS:master.example.com'],
    }),
    expect.objectContaining({ role: 'intermediate', subject: 'CN=Test Intermediate', sans: [] }),
    expect.objectContaining({ role: 'root', subject: 'CN=Test Root', pem: three[2].pem }),
  ])
  const [leaf] = pathFacts(material!.path)
  expect(leaf!.sha256).toMatch(/^[0-9a-f]{64}$/)
  expect(leaf!.notBefore).toMatch(/^\d{4}-\d\d-\d\dT[\d:]{8}\.000Z$/)
})

test('the server presents the path in order, with a root that the file has, for any order of the file', () => {
  const { material } = parse(`# ü\n${joined([three[2], three[1], three[0]])}`, files.key)
  expect(servedPair(material!)).toEqual({ cert: three.map((one) => one.pem).join(''), key: files.key })
  const noRoot = parse(three[1].pem + three[0].pem, files.key).material!
  expect(servedPair(noRoot).cert).toBe(three[0].pem + three[1].pem)
  const lone = server()
  expect(servedPair(parse(lone.pem, files.key).material!).cert).toBe(lone.pem)
  expect(() => servedPair(parse(files.cert).material!)).toThrow(/without their key/)
})

test('printing the credentials reveals nothing of the key', () => {
  const { material } = parse(files.cert, files.key)
  const secret = files.key!.split('\n')[1]!
  expect(inspect(material, { depth: 9 }) + JSON.stringify(material)).not.toContain(secret)
})

describe('a file that cannot be read', () => {
  const where = { file: 'master.yaml', line: 7, column: 11 }

  test.each([
    ['does not exist', 'gone.pem', 'TLS_FILE_MISSING', /certificate file .*gone\.pem does not exist$/],
    ['lies below a file', 'chain.pem/x', 'TLS_FILE_MISSING', /does not exist$/],
    ['is a directory', 'directory', 'TLS_FILE_UNREADABLE', /cannot be read: it is a directory$/],
  ])('%s', (_, name, code, message) => {
    const { material, problems } = loadTlsCredentials({ certFile: at(name) }, { now, where: { cert: where } })
    expect(material).toBeUndefined()
    expect(problems).toEqual([
      expect.objectContaining({ code, message: expect.stringMatching(message), where }),
    ])
  })

  test('is not readable for this user', () => {
    const readFile = () => {
      throw Object.assign(new Error('EACCES'), { code: 'EACCES' })
    }
    const { problems } = loadTlsCredentials({ certFile: 'chain.pem' }, { now, readFile })
    expect(problems[0]!.message).toBe(
      'the certificate file chain.pem cannot be read: this user may not read it',
    )
  })

  test('is the key: faults of the certificate are reported, too', () => {
    const old = made([server(undefined, { notBefore: now - 2 * day, notAfter: now - day })])
    writeFileSync(at('old.pem'), old.cert)
    const loaded = loadTlsCredentials({ certFile: at('old.pem'), keyFile: at('gone.key') }, { now })
    expect(codes(loaded)).toEqual(['TLS_FILE_MISSING', 'TLS_EXPIRED'])
    expect(loaded.problems[0]!.message).toMatch(/^the key file .*gone\.key does not exist$/)
  })

  test('is DER', () => {
    const { problems } = loadTlsCredentials({ certFile: at('chain.der') }, { now })
    expect(problems).toEqual([
      expect.objectContaining({ code: 'TLS_FILE_NOT_PEM', where: { file: at('chain.der') } }),
    ])
    expect(problems[0]!.message).toMatch(/is a certificate in DER/)
  })
})

test('a problem has the line of its certificate', () => {
  const old = threeOf({ intermediate: { notBefore: now - 2 * day, notAfter: now - day } })
  const { problems } = parse(`\n\n${joined(old)}`)
  const line = 3 + old[0].pem.split('\n').length - 1
  expect(problems).toEqual([
    expect.objectContaining({ code: 'TLS_EXPIRED', where: { file: 'chain.pem', line } }),
  ])
  expect(problems[0]!.message).toMatch(/^the intermediate CN=Test Intermediate expired on 20\d\d-/)
})

test('the key determines the server certificate', () => {
  const second = server(three[1], { key: testKey('p256', 'second'), subject: 'second' })
  const { material, problems } = parse(joined([three[0], second, three[1], three[2]]), second.key.pem)
  expect(material!.leaf.subject).toBe('CN=second')
  expect(codes({ problems })).toEqual(['TLS_CHAIN_ORDER', 'TLS_CHAIN_EXTRA'])
})

test.each([
  ['a month that does not exist', '991399000000Z'],
  ['letters', 'abcdefghijklZ'],
])('a date with %s is reported, not thrown', (_, text) => {
  const time = Buffer.concat([Buffer.from([0x17, text.length]), Buffer.from(text)])
  const validity = Buffer.concat([Buffer.from([0x30, time.length * 2]), time, time])
  const { material, problems } = parse(server(undefined, { validity }).pem)
  expect(material).toBeUndefined()
  expect(problems.some(({ severity }) => severity === 'error')).toBe(true)
})

test('checks a certificate of any bytes without throwing', () => {
  const { der } = three[0]
  const flips = fc.array(fc.tuple(fc.nat(der.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(flips, (changes) => {
      const bytes = Buffer.from(der)
      for (const [offset, value] of changes) bytes[offset] = value
      const { material, problems } = parse(pemOf(bytes) + three[1].pem + three[2].pem)
      if (!material) expect(problems.some(({ severity }) => severity === 'error')).toBe(true)
      else
        planTrust({
          address: { scheme: 'https', host: '10.0.0.5', port: 8443 },
          options: { trust: 'auto', allow_ip_only: false },
          certificateName: '',
          material,
          now,
          roots: () => [],
        })
    }),
    { numRuns: 1500 },
  )
})

test('checks a file of any text without throwing', () => {
  const pieces = fc.constantFrom(
    ...files.cert.split('\n').slice(0, 4),
    '-----BEGIN CERTIFICATE-----',
    '-----END CERTIFICATE-----',
    '-----END PRIVATE KEY-----',
    '-----BEGIN PRIVATE KEY-----',
    'Proc-Type: 4,ENCRYPTED',
    '\uFEFF',
    '\r',
    '\n',
    '=',
    '',
  )
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), fc.string(), (lines, end) => {
      const text = lines.join('\n') + end
      expect(parse(text, text).material).toBeUndefined()
    }),
    { numRuns: 500 },
  )
})
