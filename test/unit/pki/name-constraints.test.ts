// Name constraints as OpenSSL checks them; Go's view of them, which decides after a renewal, is in go-verify.test.ts.
import { describe, expect, test } from 'vitest'
import { readCertificates } from '../../../src/pki/chain.ts'
import { checkPath } from '../../../src/pki/checks.ts'
import { isError, type Problem } from '../../../src/problems/index.ts'
import { integer, oid, sequence, set, text, tlv } from '../../support/der-writer.ts'
import { joined, threeOf } from '../../support/shapes/shape.ts'
import { testKey } from '../../support/test-keys.ts'
import { commonName, type Issued, now } from '../../support/x509.ts'
import { dns, email, extension, ip, nameConstraints, otherName, uri } from '../../support/x509-extensions.ts'
import { authority, masterName, server } from '../../support/x509-profiles.ts'

const check = (file: Issued[]) =>
  checkPath({ certificates: readCertificates(joined(file), 'chain.pem').certificates, complete: true }, now)
const errorsOf = (problems: Problem[]) => [...new Set(problems.filter(isError).map(({ code }) => code))]
const registered = tlv(0x88, Buffer.from([0x2a, 3]))
const otherOf = (type: string) => tlv(0xa0, oid(type), tlv(0xa0, text('a')))

describe('name constraints', () => {
  const judge = (names: Buffer[], constraints: Parameters<typeof nameConstraints>[0]) =>
    check(
      threeOf({
        server: { names: [dns(masterName), ...names] },
        root: { extra: [nameConstraints(constraints)] },
      }),
    )

  test.each<[string, Buffer[], Parameters<typeof nameConstraints>[0]]>([
    ['of another kind', [], { permitted: [email('example.org')] }],
    ['on the exact name', [], { permitted: [dns(masterName)] }],
    ['with a leading dot', [], { permitted: [dns('.example.com')] }],
    ['on everything', [], { permitted: [dns('')] }],
    ['on the host of an address', [email('ops@example.com')], { permitted: [email('example.com')] }],
    ['on hosts below', [email('ops@mail.example.com')], { permitted: [email('.example.com')] }],
    ['on one address', [email('ops@example.com')], { permitted: [email('ops@example.com')] }],
    ['on the host of a URI', [uri('https://a.example.com:1/x')], { permitted: [uri('.example.com')] }],
    [
      'on directory names that every subject begins with',
      [],
      { permitted: [tlv(0xa4, commonName('MASTER')), tlv(0xa4, commonName('Test  Intermediate'))] },
    ],
    ['on other names of another type', [otherName('a')], { permitted: [otherOf('1.2.3.4')] }],
    ['excluding others', [], { excluded: [dns('aster.example.com'), dns('example.org')] }],
  ])('%s are satisfied', (_, names, constraints) => {
    expect(errorsOf(judge(names, constraints))).toEqual([])
  })

  test.each<[string, Buffer[], Parameters<typeof nameConstraints>[0]]>([
    ['on another name', [], { permitted: [dns('example.org')] }],
    ['on the end of a label', [], { permitted: [dns('xample.com')] }],
    ['excluding the name', [], { permitted: [dns('example.com')], excluded: [dns(masterName)] }],
    [
      'on hosts below, and the address is at the top',
      [email('ops@example.com')],
      { permitted: [email('.example.com')] },
    ],
    ['on another address', [email('dev@example.com')], { permitted: [email('ops@example.com')] }],
    [
      'on the host itself, and the URI is below',
      [uri('https://a.example.com/')],
      { permitted: [uri('example.com')] },
    ],
    ['on directory names', [], { permitted: [tlv(0xa4, commonName('other'))] }],
    ['excluding the subject', [], { excluded: [tlv(0xa4, commonName('MASTER ', 'printable'))] }],
    ['on e-mail addresses, and the name has no host', [email('ops')], { permitted: [email('example.com')] }],
    ['on one address in another case', [email('Ops@example.com')], { permitted: [email('ops@example.com')] }],
    ['on URIs, and the URI has no host', [uri('urn:uuid:1')], { permitted: [uri('example.com')] }],
    ['on registered identifiers', [registered], { permitted: [registered] }],
    ['on names of other standards', [otherName('a')], { permitted: [otherName('a')] }],
  ])('%s are violated', (_, names, constraints) => {
    expect(errorsOf(judge(names, constraints))).toEqual(['TLS_NAME_CONSTRAINTS'])
  })

  test('the message names the certificate and the CA', () => {
    expect(judge([], { permitted: [dns('example.org')] })[0]!.message).toBe(
      'the server certificate CN=master is for DNS:master.example.com, which CN=Test Root may not certify',
    )
  })
})

describe('the subject', () => {
  const attribute = (type: string, value: Buffer) => set(sequence(oid(type), value))
  const address = '1.2.840.113549.1.9.1'
  const judge = (subject: Buffer, names: Buffer[], constraints: Parameters<typeof nameConstraints>[0]) =>
    check(threeOf({ server: { subject, names }, intermediate: { extra: [nameConstraints(constraints)] } }))
  const mail = (value: Buffer) => sequence(attribute('2.5.4.3', text('master')), attribute(address, value))

  test.each<[string, Buffer, string | undefined]>([
    ['an e-mail address inside', mail(text('ops@example.com', 'ia5')), undefined],
    ['an e-mail address outside', mail(text('ops@example.org', 'ia5')), 'the e-mail address ops@example.org'],
    ['an e-mail address in another string type', mail(text('ops@example.com')), 'no IA5String'],
  ])('%s', (_, subject, message) => {
    const messages = judge(subject, [dns(masterName)], { permitted: [email('example.com')] })
      .filter(isError)
      .map((problem) => problem.message)
    expect(messages).toEqual(message ? [expect.stringContaining(message)] : [])
  })

  const cn = (value: string) => commonName(value)
  test.each<[string, string, Buffer[], boolean]>([
    ['is a name without a DNS name', 'bad.example.org', [ip('10.0.0.5')], false],
    ['is inside', 'good.example.com', [ip('10.0.0.5')], true],
    ['is no name beside a DNS name', 'bad.example.org', [dns(masterName)], true],
    ['of one label is no name', 'master', [ip('10.0.0.5')], true],
    ['with a blank is no name', 'The master.example.org', [ip('10.0.0.5')], true],
    ['with a dot at its end is no name', 'bad.example.org.', [ip('10.0.0.5')], true],
  ])('a common name %s', (_, name, names, isGood) => {
    const errors = errorsOf(judge(cn(name), names, { permitted: [dns('example.com')] }))
    expect(errors).toEqual(isGood ? [] : ['TLS_NAME_CONSTRAINTS'])
  })
})

test.each<[string, Buffer[]]>([
  ['minimum', [tlv(0x80, Buffer.from([1]))]],
  ['maximum', [tlv(0x81, Buffer.from([0]))]],
])('a %s is not supported', (_, distance) => {
  const limited = extension('2.5.29.30', sequence(tlv(0xa0, sequence(dns('example.com'), ...distance))), true)
  const found = check(threeOf({ intermediate: { extra: [limited] } })).filter(isError)
  expect(found.map(({ message }) => message)).toEqual([expect.stringContaining('a minimum or maximum')])
  const zero = extension(
    '2.5.29.30',
    sequence(tlv(0xa0, sequence(dns('example.com'), tlv(0x80, integer(0).subarray(2))))),
    true,
  )
  expect(errorsOf(check(threeOf({ intermediate: { extra: [zero] } })))).toEqual([])
})

test('more comparisons than OpenSSL makes are an error, found at once', () => {
  const many = (count: number, prefix: string) =>
    Array.from({ length: count }, (_, n) => dns(`${prefix}${n}.example.com`))
  const file = threeOf({
    server: { names: [dns(masterName), ...many(1100, 'a')] },
    intermediate: { extra: [nameConstraints({ excluded: many(1000, 'b') })] },
  })
  const start = performance.now()
  const [found] = check(file).filter(isError)
  expect(found?.message).toContain('has 1102 names, too many for the 1000 name constraints of')
  expect(performance.now() - start).toBeLessThan(1000)
})

test('a self-issued CA is exempt, a self-issued server certificate is not', () => {
  const constrained = nameConstraints({ excluded: [tlv(0xa4, commonName('Test Root'))] })
  const old = authority('Test Root', { extra: [constrained] })
  const next = authority('Test Root', { issuer: old, key: testKey('p256', 'next') })
  expect(errorsOf(check([server(next), next, old]))).toEqual([])
  const leaf = server(next, { subject: commonName('Test Root') })
  expect(errorsOf(check([leaf, next, old]))).toEqual(['TLS_NAME_CONSTRAINTS'])
})
