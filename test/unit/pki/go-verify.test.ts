// What Go refuses once the certificates below the root are renewed: a warning for each, and none for what it accepts.
import { describe, expect, test } from 'vitest'
import { parseTlsCredentials } from '../../../src/pki/credentials.ts'
import { bitString, integer, nothing, oid, sequence, tlv } from '../../support/der-writer.ts'
import { joined, threeOf } from '../../support/shapes/shape.ts'
import { testKey } from '../../support/test-keys.ts'
import { commonName, type Issued, now } from '../../support/x509.ts'
import {
  basicConstraints,
  dns,
  email,
  extension,
  ip,
  ipRange,
  nameConstraints,
  otherName,
  uri,
} from '../../support/x509-extensions.ts'
import { authority, masterName, server } from '../../support/x509-profiles.ts'

/** The warnings about a renewal; the chain must be accepted today. */
function warnings(file: Issued[]): string[] {
  const { material, problems } = parseTlsCredentials(joined(file), undefined, { now })
  expect(material, JSON.stringify(problems)).toBeDefined()
  return problems.filter(({ code }) => code === 'TLS_RENEWAL_REFUSED').map(({ message }) => message)
}
const expected = (part: string | undefined) => (part ? [expect.stringContaining(part)] : [])
const byIntermediate = (...extra: Buffer[]) => threeOf({ intermediate: { extra } })

test('an ordinary chain', () => expect(warnings(threeOf())).toEqual([]))

test('says which certificate, and what happens', () => {
  expect(warnings(threeOf({ intermediate: { version: 1 } }))).toEqual([
    'the intermediate CN=Test Intermediate is an intermediate of version 1, whose basicConstraints Go does not read: Go agents accept the chain while it contains the very certificates they were given, and refuse it after a renewal',
  ])
})

describe('CAs', () => {
  test('a root whose keyUsage alone says CA', () => {
    expect(warnings(threeOf({ root: { basic: null } }))).toEqual(expected('has no basicConstraints'))
  })
  test('a root of version 1', () => {
    expect(warnings(threeOf({ root: { version: 1 } }))).toEqual([])
  })
  test('self-issued CAs count for Go, and not for others', () => {
    const old = authority('Root', { basic: basicConstraints({ ca: true, pathLength: 0 }) })
    const next = authority('Root', { issuer: old, key: testKey('p256', 'next') })
    expect(warnings([server(next), next, old])).toEqual(
      expected('allows 0 CAs below itself, and Go counts 1'),
    )
  })
})

describe('names of issuers', () => {
  test.each<[string, Buffer]>([
    ['another string type', commonName('Test Root', 'printable')],
    ['another case', commonName('TEST ROOT')],
    ['more blanks', commonName(' Test   Root')],
  ])('in %s', (_, issuerName) => {
    expect(warnings(threeOf({ intermediate: { issuerName } }))).toEqual(
      expected("CN=Test Intermediate encodes its issuer's name in other bytes"),
    )
  })
  test('the remedy says what to copy', () => {
    const file = threeOf({ server: { issuerName: commonName('test intermediate') } })
    const { problems } = parseTlsCredentials(joined(file), undefined, { now })
    expect(problems.map(({ remedy }) => remedy)).toEqual([expect.stringContaining('byte for byte')])
  })
})

test('signatures that only Go cannot verify', () => {
  const intermediate = { key: testKey('rsa2048', 'intermediate') }
  expect(warnings(threeOf({ server: { pssSalt: 20 }, intermediate }))).toEqual(
    expected('is signed with RSA-PSS with SHA-256 and a salt of 20 bytes, which Go cannot verify'),
  )
})

describe('critical extensions', () => {
  test.each<[string, Buffer, string | undefined]>([
    [
      'policyConstraints',
      extension('2.5.29.36', sequence(tlv(0x81, Buffer.from([1]))), true),
      'Go 1.23 and older',
    ],
    ['inhibitAnyPolicy', extension('2.5.29.54', integer(1), true), 'Go 1.23 and older'],
    [
      'policyMappings',
      extension('2.5.29.33', sequence(sequence(oid('1.2.3'), oid('1.2.4'))), true),
      'Go 1.23 and older',
    ],
    [
      'names of a directory',
      nameConstraints({ excluded: [tlv(0xa4, commonName('x'))] }),
      'that Go cannot check',
    ],
    [
      'a Netscape type',
      extension('2.16.840.1.113730.1.1', bitString(Buffer.from([0x46]), 1), true),
      'which Go does not know',
    ],
    ['certificate policies', extension('2.5.29.32', sequence(sequence(oid('1.2.3'))), true), undefined],
  ])('%s', (_, added, part) => {
    expect(warnings(byIntermediate(added))).toEqual(expected(part))
  })

  test('in the server certificate Go 1.22 refuses them today', () => {
    const critical = extension('2.5.29.54', integer(1), true)
    const { problems } = parseTlsCredentials(joined(threeOf({ server: { extra: [critical] } })), undefined, {
      now,
    })
    expect(problems).toEqual([
      expect.objectContaining({
        code: 'TLS_CRITICAL_EXTENSION',
        message: expect.stringContaining('which Go 1.22 does not support'),
      }),
    ])
  })
})

describe('name constraints', () => {
  type Constraints = Parameters<typeof nameConstraints>[0]
  const judge = (names: Buffer[], constraints: Constraints) =>
    warnings(
      threeOf({
        server: { names: [dns(masterName), ...names] },
        root: { extra: [nameConstraints(constraints)] },
      }),
    )
  const inside: Constraints = {
    permitted: [
      dns('example.com'),
      ipRange('10.0.0.0', '255.0.0.0'),
      email('example.com'),
      uri('.example.com'),
    ],
    excluded: [dns('secret.example.com'), dns('.below.example.com'), email('root@example.com')],
  }

  test.each<[string, Buffer[], string | undefined]>([
    [
      'names inside',
      [ip('10.0.0.5'), email('ops@example.com'), uri('https://a.example.com:1/'), dns('below.example.com')],
      undefined,
    ],
    ['a wildcard elsewhere', [dns('*.a.example.com')], undefined],
    ['a wildcard that covers an excluded name', [dns('*.example.com')], 'DNS:*.example.com'],
    ['other names', [otherName('x')], undefined],
  ])('%s', (_, names, part) => {
    expect(judge(names, inside)).toEqual(expected(part))
  })

  test.each<[string, Buffer[], string]>([
    ['a name that begins with a dot', [dns('.example.com')], 'DNS:.example.com'],
    ['a name that ends with a dot', [dns('a.example.com.')], 'DNS:a.example.com.'],
    ['a mailbox that Go cannot take apart', [email('a..b@example.com')], 'email:a..b@example.com'],
    ['a URI without a host', [uri('urn:uuid:1')], 'uri:urn:uuid:1'],
    ['a URI with an address', [uri('https://10.0.0.1/')], 'uri:https://10.0.0.1/'],
  ])('%s is refused below any constraint', (_, names, part) => {
    expect(judge(names, { excluded: [dns('example.org')] })).toEqual(expected(part))
  })

  test('more comparisons than Go 1.22 makes', () => {
    const many = (count: number, prefix: string) =>
      Array.from({ length: count }, (_, n) => dns(`${prefix}${n}.example.com`))
    expect(judge(many(600, 'a'), { excluded: many(450, 'b') })).toEqual(expected('Go 1.22 makes 250000'))
  })

  test('hold for self-issued CAs too', () => {
    const old = authority('Root', { extra: [nameConstraints({ permitted: [dns('example.com')] })] })
    const next = authority('Root', {
      issuer: old,
      key: testKey('p256', 'next'),
      extra: [extension('2.5.29.17', sequence(dns('ca.example.org')))],
    })
    expect(warnings([server(next), next, old])).toEqual(expected('DNS:ca.example.org'))
  })
})

describe('policies', () => {
  const policies = (...ids: string[]) =>
    extension('2.5.29.32', sequence(...ids.map((id) => sequence(oid(id)))))
  const require = (skip: number) => extension('2.5.29.36', sequence(tlv(0x80, Buffer.from([skip]))))
  const map = (from: string, to: string) => extension('2.5.29.33', sequence(sequence(oid(from), oid(to))))
  const inhibitMapping = extension(
    '2.5.29.36',
    sequence(tlv(0x80, Buffer.from([0])), tlv(0x81, Buffer.from([0]))),
  )
  const any = '2.5.29.32.0'
  const chain = (intermediate: Buffer[], leaf: Buffer[]) =>
    threeOf({ intermediate: { extra: intermediate }, server: { extra: leaf } })
  const missing = 'requires a certificate policy'

  test.each<[string, Issued[], string | undefined]>([
    ['none, and none required', chain([], []), undefined],
    ['the same', chain([policies('1.2.3'), require(0)], [policies('1.2.3')]), undefined],
    ['another', chain([policies('1.2.3'), require(0)], [policies('1.2.4')]), missing],
    ['none in the server certificate', chain([policies('1.2.3'), require(0)], []), missing],
    ['none in the CA', chain([require(0)], [policies('1.2.3')]), missing],
    ['none, and required later', chain([require(2)], []), undefined],
    ['any of the CA', chain([policies(any), require(0)], [policies('1.2.3')]), undefined],
    ['any of the server certificate', chain([policies('1.2.3'), require(0)], [policies(any)]), undefined],
    [
      'any, which is inhibited',
      chain([policies('1.2.3'), require(0), extension('2.5.29.54', integer(0))], [policies(any)]),
      missing,
    ],
    ['mapped', chain([policies('1.2.3'), map('1.2.3', '1.2.4'), require(0)], [policies('1.2.4')]), undefined],
    [
      'mapped away',
      chain([policies('1.2.3'), map('1.2.3', '1.2.4'), require(0)], [policies('1.2.3')]),
      missing,
    ],
    ['mapped to any', chain([policies('1.2.3'), map('1.2.3', any)], [policies('1.2.3')]), 'anyPolicy'],
    [
      'required by the server certificate',
      chain([policies('1.2.3')], [policies('1.2.4'), require(0)]),
      missing,
    ],
    [
      'mapping inhibited for the next CA only',
      chain([policies('1.2.3'), inhibitMapping], [policies('1.2.3')]),
      undefined,
    ],
  ])('%s', (_, file, part) => {
    expect(warnings(file)).toEqual(expected(part))
  })

  test('what Go does not read may have any form', () => {
    const odd = extension('2.5.29.36', sequence(nothing(), Buffer.from([0x1f, 0x1f])))
    expect(warnings(chain([odd], []))).toEqual([])
  })
})
