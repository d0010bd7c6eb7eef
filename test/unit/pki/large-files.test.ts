// Certificate files of any size are checked quickly: a wrong file must not stall the program, which polls it every 2 s.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { loadTlsCredentials, parseTlsCredentials, readTextFile } from '../../../src/pki/credentials.ts'
import { readPem } from '../../../src/pki/pem.ts'
import { issue, now } from '../../support/x509.ts'
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

/** Each of these took minutes of CPU time; the limit is far above the present time, and far below that. */
const limitMs = 5000
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
])('1 MiB of %s is checked quickly', (_, text) => {
  const input = text()
  const start = process.cpuUsage()
  const { problems } = parse(input)
  readPem(input)
  const { user, system } = process.cpuUsage(start)
  expect((user + system) / 1000).toBeLessThan(limitMs)
  expect(problems.length).toBeGreaterThan(0)
  expect(problems.length).toBeLessThan(50)
})
