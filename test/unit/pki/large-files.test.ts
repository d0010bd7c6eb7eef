// Certificate files of any size are checked quickly: a wrong file must not stall the program, which polls it every 2 s.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { loadTlsCredentials, parseTlsCredentials, readTextFile } from '../../../src/pki/credentials.ts'
import { readPem } from '../../../src/pki/pem.ts'
import { parseTrustAnchors } from '../../../src/pki/trust-anchors.ts'
import { oid, sequence, set, text, tlv } from '../../support/der-writer.ts'
import { testKey } from '../../support/test-keys.ts'
import { issue, now } from '../../support/x509.ts'
import { nameConstraints } from '../../support/x509-extensions.ts'
import { authority, server } from '../../support/x509-profiles.ts'

const folder = mkdtempSync(join(tmpdir(), 'large-'))
afterAll(() => rmSync(folder, { recursive: true }))

const root = authority('Root')
const leaf = server(root)
const chain = leaf.pem + root.pem
const extras = (count: number) =>
  Array.from({ length: count }, (_, n) => authority(`Extra ${n}`).pem).join('')
const parse = (text: string) => parseTlsCredentials(text, undefined, { now, file: 'chain.pem' })
const codes = (text: string) => parse(text).problems.map(({ code }) => code)

test('unrelated certificates give one warning with a count and all of them in its details', () => {
  const [found, ...others] = parse(chain + extras(12)).problems
  expect(others).toEqual([])
  expect(found).toMatchObject({
    code: 'TLS_CHAIN_EXTRA',
    message:
      '12 certificates do not belong to the chain in chain.pem: CN=Extra 0; CN=Extra 1; CN=Extra 2; and 9 more',
  })
  expect(found!.details!['certificates']).toHaveLength(12)
  expect(parse(chain + extras(2)).problems[0]!.message).toMatch(/^2 certificates .*: CN=Extra 0; CN=Extra 1$/)
  expect(parse(chain + extras(1)).problems[0]!.message).toMatch(/^CN=Extra 0 does not belong to the chain in/)
})

test('repeated certificates give one warning, too', () => {
  expect(parse(chain + chain + chain).problems).toMatchObject([
    { code: 'TLS_CHAIN_DUPLICATE', message: expect.stringMatching(/^4 certificates are repeated in/) },
  ])
})

test('the limit applies to the whole file, which a master sends: 64 KiB for Go 1.22, 100 KiB for Python', () => {
  const one = authority('Bundled')
  const repeat = (bytes: number) => one.pem.repeat(Math.ceil(bytes / (one.der.length + 5)))
  expect(codes(chain + repeat(60_000))).not.toContain('TLS_CHAIN_TOO_LARGE')
  const large = parse(chain + repeat(70_000))
  expect(large.material).toBeUndefined()
  expect(large.problems[0]).toMatchObject({
    code: 'TLS_CHAIN_TOO_LARGE',
    message: expect.stringMatching(
      /^chain\.pem is too large: its \d+ certificates make a TLS message of \d+ bytes; agents built with Go 1\.22 stop at 65536$/,
    ),
  })
  expect(parse(chain + repeat(110_000)).problems[0]!.message).toMatch(/OpenSSL and Python at 102400$/)
})

test('a file of more than 1 MiB is refused without reading it all', () => {
  const file = join(folder, 'large.pem')
  writeFileSync(file, chain + ' '.repeat(1_048_576))
  expect(loadTlsCredentials({ certFile: file }, { now }).problems).toMatchObject([
    { code: 'TLS_FILE_TOO_LARGE', where: { file } },
  ])
  expect(readTextFile('/dev/zero', 'certificate file').problems).toMatchObject([
    { code: 'TLS_FILE_TOO_LARGE' },
  ])
  writeFileSync(file, chain + ' '.repeat(1_048_576 - chain.length))
  expect(readTextFile(file, 'certificate file').problems).toEqual([])
})

const directory = (n: number) =>
  tlv(0xa4, sequence(set(sequence(oid('2.5.4.3'), text(`n${n}`, 'printable')))))
const list = <T>(count: number, make: (n: number) => T) => Array.from({ length: count }, (_, n) => make(n))

/** CPU time. Each of these took seconds to minutes of it. */
const limitMs = 1000
test.each<[string, () => string]>([
  [
    'header lines inside a block',
    () => `-----BEGIN CERTIFICATE-----\n${'a-:\n'.repeat(250_000)}-----END CERTIFICATE-----\n`,
  ],
  [
    'similar header lines in many blocks',
    () => `-----BEGIN X-----\n${'a: b\n'.repeat(1000)}-----END X-----\n`.repeat(150),
  ],
  ['BEGIN lines without an END', () => '-----BEGIN CERTIFICATE-----\n'.repeat(37_000)],
  [
    'empty blocks on separate lines',
    () => '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n'.repeat(19_000),
  ],
  ['one line of dashes', () => '-'.repeat(1_000_000)],
  [
    'blank lines',
    () => `-----BEGIN CERTIFICATE-----\n${'\n \t\n'.repeat(250_000)}-----END CERTIFICATE-----\n`,
  ],
  ['the same certificate', () => leaf.pem.repeat(1200)],
  [
    'CAs with one name and key',
    () =>
      Array.from(
        { length: 1200 },
        (_, n) => issue({ subject: 'A', serial: Buffer.from([1, n >> 8, n & 255]) }).pem,
      ).join(''),
  ],
])('1 MiB of %s is checked quickly', (_, make) => {
  expectQuick(make())
})

test.each<[string, () => string]>([
  [
    'certificates of one CA',
    () => {
      const key = testKey('p256', 'one CA')
      const cas = list(190, (n) => issue({ subject: 'A', key, serial: Buffer.from([1, n]) }).pem)
      return issue({ subject: 'x', issuer: issue({ subject: 'A', key }) }).pem + cas.join('')
    },
  ],
  [
    'CAs with one name and other keys',
    () => list(150, (n) => issue({ subject: 'A', key: testKey('p256', `other ${n}`) }).pem).join(''),
  ],
  [
    'directory names and constraints on them',
    () => {
      const ca = authority('CA', { extra: [nameConstraints({ excluded: list(800, directory) })] })
      return server(ca, { names: list(800, (n) => directory(n + 5000)) }).pem + ca.pem
    },
  ],
])('64 KiB of %s are checked quickly', (_, make) => {
  expectQuick(make())
})

function expectQuick(input: string): void {
  const start = process.cpuUsage()
  const { problems } = parse(input)
  readPem(input)
  const { user, system } = process.cpuUsage(start)
  expect((user + system) / 1000).toBeLessThan(limitMs)
  expect(problems.length).toBeGreaterThan(0)
  expect(problems.length).toBeLessThan(50)
  const startOfCas = process.cpuUsage()
  parseTrustAnchors(input, { now })
  const cas = process.cpuUsage(startOfCas)
  expect((cas.user + cas.system) / 1000).toBeLessThan(limitMs)
}

test('a file of too many keys under one name is refused as such', () => {
  const cas = (count: number) =>
    list(count, (n) => issue({ subject: 'A', key: testKey('p256', `other ${n}`) }).pem)
  expect(codes(cas(30).join(''))).toEqual(['TLS_CHAIN_TOO_LARGE'])
  expect(codes(cas(20).join(''))).not.toContain('TLS_CHAIN_TOO_LARGE')
  expect(parseTrustAnchors(cas(30).join(''), { now }).problems).toMatchObject([
    { code: 'TLS_CHAIN_TOO_LARGE' },
  ])
})
