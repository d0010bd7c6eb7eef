// What Go refuses to read, and what it lets pass: one row for each rule. test:tools compares thousands with Go itself.
import { describe, expect, test } from 'vitest'
import { readAsGo } from '../../../src/pki/go-parser.ts'
import {
  bitString,
  integer,
  nothing,
  octets,
  oid,
  sequence,
  set,
  text,
  tlv,
} from '../../support/der-writer.ts'
import { testKey } from '../../support/test-keys.ts'
import { type CertificateSpec, commonName, issue } from '../../support/x509.ts'
import { dns, email, extension, ipRange, subjectAltName, uri } from '../../support/x509-extensions.ts'

const faultsOf = (spec: CertificateSpec) => readAsGo(issue(spec).der).faults
const withExtension = (id: string, value: Buffer, critical?: boolean) =>
  faultsOf({ extensions: [extension(id, value, critical)] })
const expected = (fault: string | undefined) => (fault ? [expect.stringContaining(fault)] : [])

describe('names', () => {
  const subject = (tag: number, bytes: string) =>
    sequence(set(sequence(oid('2.5.4.3'), tlv(tag, Buffer.from(bytes, 'hex')))))
  const bad = 'characters in a name'
  test.each([
    ['a BMPString of odd length', 0x1e, '004100', bad],
    ['a BMPString with half a surrogate pair', 0x1e, 'd83d', bad],
    ['a NumericString with a letter', 0x12, '41', bad],
    ['a NumericString', 0x12, '3120', undefined],
    ['a UniversalString', 0x1c, '00000041', bad],
    ['an integer', 0x02, '01', bad],
  ])('%s', (_, tag, bytes, fault) => {
    expect(faultsOf({ subject: subject(tag, bytes) })).toEqual(expected(fault))
  })
  test('an attribute without a value', () => {
    const subject = sequence(set(sequence(oid('2.5.4.3'))))
    const faults = ['has a malformed issuer name', 'has a malformed subject name']
    expect(faultsOf({ subject })).toEqual(faults)
  })
})

describe('the certificate', () => {
  test.each<[string, CertificateSpec, string | undefined]>([
    ['a negative serial number', { serial: Buffer.from([0x80]) }, 'negative serial number'],
    ['a serial number of zero', { serial: Buffer.from([0]) }, undefined],
    ['a serial number that is padded', { serial: Buffer.from([0, 1]) }, 'not structured'],
    [
      'another signature algorithm inside',
      { innerAlgorithm: sequence(oid('1.2.840.10045.4.3.3')) },
      'two different signature algorithms',
    ],
    [
      'a local time zone',
      {
        validity: sequence(...['250101000000+0100', '300101000000Z'].map((at) => tlv(0x17, Buffer.from(at)))),
      },
      'a date',
    ],
    ['one date only', { validity: sequence(tlv(0x17, Buffer.from('250101000000Z'))) }, 'malformed validity'],
    ['no bytes at all', { extensions: [Buffer.from([0x30, 0])] }, 'malformed extensions'],
    [
      'an extension twice',
      { extensions: [subjectAltName(dns('a')), subjectAltName(dns('b'))] },
      'the extension 2.5.29.17 twice',
    ],
    [
      'an extension whose identifier needs more than 31 bits',
      { extensions: [sequence(tlv(0x06, Buffer.from('2a8880808000', 'hex')), octets())] },
      'malformed extensions',
    ],
    [
      'an extension whose identifier is padded',
      { extensions: [sequence(tlv(0x06, Buffer.from('2a8001', 'hex')), octets())] },
      'malformed extensions',
    ],
  ])('%s', (_, spec, fault) => {
    expect(faultsOf(spec)).toEqual(expected(fault))
  })

  test('extensions of version 1 are not read', () => {
    const { faults, extensions } = readAsGo(issue({ version: 1, extensions: [subjectAltName(dns('a'))] }).der)
    expect({ faults, extensions }).toEqual({ faults: [], extensions: [] })
  })

  test('bytes that are no certificate', () => {
    expect(readAsGo(Buffer.from([0x30, 0])).faults).toEqual(['is not structured as a certificate'])
    expect(readAsGo(Buffer.alloc(0)).faults).toEqual(['is not structured as a certificate'])
  })
})

describe('the key', () => {
  const algorithm = { rsa: '1.2.840.113549.1.1.1', ec: '1.2.840.10045.2.1', ed25519: '1.3.101.112' }
  const spki = (id: string, parameters: Buffer[], bytes: Buffer) =>
    sequence(sequence(oid(id), ...parameters), bitString(bytes))
  const curve = sequence(integer(1), sequence(oid('1.2.840.10045.1.1'), integer(23)))
  test.each([
    ['explicit curve parameters', spki(algorithm.ec, [curve], Buffer.alloc(65)), 'explicit parameters'],
    ['no curve', spki(algorithm.ec, [], Buffer.alloc(65)), 'explicit parameters'],
    ['a named curve', testKey('p384').spki, undefined],
    ['RSA without NULL', spki(algorithm.rsa, [], sequence(integer(5), integer(3))), 'NULL parameters'],
    [
      'an RSA exponent below zero',
      spki(algorithm.rsa, [nothing()], sequence(integer(5), tlv(2, Buffer.from([0xff])))),
      'not positive',
    ],
    ['RSA of one number', spki(algorithm.rsa, [nothing()], sequence(integer(5))), 'malformed public key'],
    ['Ed25519 with parameters', spki(algorithm.ed25519, [nothing()], Buffer.alloc(32)), 'has parameters'],
    ['Ed25519 of 31 bytes', spki(algorithm.ed25519, [], Buffer.alloc(31)), 'wrong size'],
    ['an unknown algorithm', spki('1.2.3.4', [], Buffer.alloc(1)), undefined],
  ])('%s', (_, key, fault) => {
    expect(faultsOf({ spki: key })).toEqual(expected(fault))
  })
})

describe('alternative names', () => {
  test.each([
    ['http://[::1]:80/', undefined],
    ['http://user:pass@[2001:db8::1]/x', undefined],
    ['http://[fe80::1%25eth0]/', undefined],
    ['example.com', undefined],
    ['/a/b:c', undefined],
    ['a:b', undefined],
    ['*', undefined],
    ['', undefined],
    ['http://a.example.com:/x?y=%zz', undefined],
    ['http://example.com:80x/', 'malformed name'],
    ['http://a:1:2/', 'malformed name'],
    ['http://[::1', 'malformed name'],
    ['http://[10.0.0.1]/', 'malformed name'],
    ['http://a..b/', 'malformed name'],
    ['http://example.com./', 'malformed name'],
    ['http://a b/', 'malformed name'],
    ['http://us er@a/', 'malformed name'],
    ['http://a/%zz', 'malformed name'],
    ['http://a/#%z', 'malformed name'],
    ['a\nb', 'malformed name'],
    ['1a:b', 'malformed name'],
    [':a', 'malformed name'],
  ])('the URI %j', (value, fault) => {
    expect(faultsOf({ extensions: [subjectAltName(uri(value))] })).toEqual(expected(fault))
  })
  test('a list that is cut off', () => {
    expect(withExtension('2.5.29.17', tlv(0x30, Buffer.from([0x82, 9])))).toEqual([
      'has a malformed extension 2.5.29.17',
    ])
  })
})

describe('extensions', () => {
  const full = (...names: Buffer[]) => sequence(tlv(0xa0, tlv(0xa0, ...names)))
  const relative = tlv(0xa1, sequence(oid('2.5.4.3'), text('x')))
  const policy = oid('1.2.3.4')
  const malformed = (id: string) => `a malformed extension ${id}`
  test.each<[string, string, Buffer, string | undefined]>([
    ['a CRL without a list', '2.5.29.31', nothing(), malformed('2.5.29.31')],
    ['no CRL', '2.5.29.31', sequence(), undefined],
    ['a CRL by its URI', '2.5.29.31', sequence(full(uri('http://a/'))), undefined],
    ['a CRL by another name', '2.5.29.31', sequence(full(tlv(0xa4, commonName('a')))), undefined],
    [
      'a CRL by a relative name',
      '2.5.29.31',
      sequence(sequence(tlv(0xa0, relative))),
      'relative to its issuer',
    ],
    ['a CRL with an empty name', '2.5.29.31', sequence(sequence(tlv(0xa0))), malformed('2.5.29.31')],
    ['a CRL by its issuer', '2.5.29.31', sequence(sequence(tlv(0xa2, dns('a')))), undefined],
    ['no policy', '2.5.29.32', sequence(), undefined],
    ['a policy outside a sequence', '2.5.29.32', sequence(policy), malformed('2.5.29.32')],
    ['a policy twice', '2.5.29.32', sequence(sequence(policy), sequence(policy)), 'policy 1.2.3.4 twice'],
    ['information that is NULL', '1.3.6.1.5.5.7.1.1', nothing(), malformed('1.3.6.1.5.5.7.1.1')],
    [
      'information without a place',
      '1.3.6.1.5.5.7.1.1',
      sequence(sequence(oid('1.3.6.1.5.5.7.48.1'))),
      undefined,
    ],
    ['mappings', '2.5.29.33', sequence(sequence(policy, policy)), undefined],
    ['half a mapping', '2.5.29.33', sequence(sequence(policy)), malformed('2.5.29.33')],
    ['policy constraints', '2.5.29.36', sequence(tlv(0x80, Buffer.from([0]))), undefined],
    ['empty policy constraints', '2.5.29.36', sequence(tlv(0x80)), malformed('2.5.29.36')],
    ['any policy after 3', '2.5.29.54', integer(3), undefined],
    ['any policy after nothing', '2.5.29.54', nothing(), malformed('2.5.29.54')],
    ['a path length below zero', '2.5.29.19', sequence(tlv(2, Buffer.from([0xff]))), 'negative path length'],
    ['keyUsage as a number', '2.5.29.15', integer(1), malformed('2.5.29.15')],
    [
      'a purpose that is padded',
      '2.5.29.37',
      sequence(tlv(6, Buffer.from([0x80, 1]))),
      malformed('2.5.29.37'),
    ],
    ['a key identifier as a sequence', '2.5.29.14', sequence(), malformed('2.5.29.14')],
    ['an issuer key identifier as a string', '2.5.29.35', octets(), malformed('2.5.29.35')],
    ['an unknown one with any content', '1.2.3.4', Buffer.from([0xff]), undefined],
  ])('%s', (_, id, value, fault) => {
    expect(withExtension(id, value)).toEqual(expected(fault))
  })

  test.each(['2.5.29.14', '2.5.29.35', '1.3.6.1.5.5.7.1.1'])('%s may not be critical', (id) => {
    expect(withExtension(id, sequence(), true)).toEqual([`marks the extension ${id} as critical`])
  })
})

describe('name constraints', () => {
  const permitted = (name: Buffer) => sequence(tlv(0xa0, sequence(name)))
  const bad = 'malformed name constraint'
  test.each<[string, Buffer, string | undefined]>([
    ['none at all', sequence(), 'empty name constraints'],
    ['empty lists', sequence(tlv(0xa0), tlv(0xa1)), 'empty name constraints'],
    ['one empty list', sequence(tlv(0xa0), tlv(0xa1, sequence(dns('a')))), undefined],
    ['more than two lists', sequence(tlv(0xa1, sequence(dns('a'))), tlv(0xa0)), 'malformed name constraints'],
    ['a name with a blank', permitted(dns('a. b')), bad],
    ['a name with an empty label', permitted(dns('a..b')), bad],
    ['a name with a dot at its end', permitted(dns('a.')), bad],
    ['a name with a dot at its start', permitted(dns('.a')), undefined],
    ['every name', permitted(dns('')), undefined],
    ['a network', permitted(ipRange('10.0.0.0', '255.0.0.0')), undefined],
    ['a mask with a gap', permitted(ipRange('10.0.0.0', '255.0.255.0')), bad],
    ['an address without its mask', permitted(tlv(0x87, Buffer.alloc(4))), bad],
    ['a mailbox', permitted(email('"o p s"@example.com')), undefined],
    ['a mailbox with two dots', permitted(email('a..b@example.com')), bad],
    ['a host of mailboxes', permitted(email('.example.com')), undefined],
    ['a host of URIs', permitted(uri('.example.com')), undefined],
    ['an address as the host of URIs', permitted(uri('10.0.0.1')), bad],
    ['names of another kind', permitted(tlv(0xa4, commonName('a'))), undefined],
    ['a name outside a sequence', sequence(tlv(0xa0, dns('a'))), 'malformed extension 2.5.29.30'],
  ])('%s', (_, value, fault) => {
    expect(withExtension('2.5.29.30', value)).toEqual(expected(fault))
  })
})
