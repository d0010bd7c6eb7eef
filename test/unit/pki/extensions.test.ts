// Which extensions OpenSSL cannot read: it then refuses every chain with the certificate.
import { describe, expect, test } from 'vitest'
import { readKnownExtensions } from '../../../src/pki/extensions.ts'
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
  yes,
} from '../../support/der-writer.ts'
import { commonName } from '../../support/x509.ts'
import { dns, otherName, uri } from '../../support/x509-extensions.ts'

const read = (id: string, value: Buffer) => readKnownExtensions([{ oid: id, critical: false, value }])
const directory = tlv(0xa4, commonName('x'))
const name = (type: Buffer, value: Buffer) => tlv(0xa4, sequence(set(sequence(type, value))))
const cn = oid('2.5.4.3')

const oddValues = [
  tlv(0x24, octets()),
  tlv(0x02),
  tlv(0x06, Buffer.from([0x80])),
  tlv(0x01),
  tlv(0x05, octets()),
  tlv(0x1e, Buffer.alloc(1)),
  tlv(0x03, Buffer.from([9])),
  tlv(0x10, integer(1)),
  tlv(0x11),
  tlv(0),
]

/** Of an attribute of a directory name. */
const oddTexts: [string, Buffer][] = [
  ['bits of which too many are unused', tlv(0x03, Buffer.from('Directory'))],
  ['bits without their number of unused bits', tlv(0x03)],
  ['a surrogate pair in a BMPString', tlv(0x1e, Buffer.from([0xd8, 0x3d, 0xde, 0]))],
  ['half a surrogate pair', tlv(0x1e, Buffer.from([0xd8, 0]))],
  ['a UniversalString beyond Unicode', tlv(0x1c, Buffer.from([0, 0x11, 0, 0]))],
  ['a surrogate in a UniversalString', tlv(0x1c, Buffer.from([0, 0, 0xd8, 0]))],
  ['an odd string type', text('x', 'visible')],
  ['broken UTF-8', tlv(0x0c, Buffer.from([0xff]))],
]
const goodTexts: [string, Buffer][] = [
  ['bits', tlv(0x03, Buffer.from([0, 0x41]))],
  ['bits of which the unused ones are not zero', tlv(0x03, Buffer.from([3, 0xff]))],
  ['a UniversalString', tlv(0x1c, Buffer.from([0, 1, 0xf6, 0]))],
  ['a BMPString', text('x', 'bmp')],
  ['a type that OpenSSL does not know', tlv(0x0e, Buffer.from([0xff]))],
]

describe('accepted', () => {
  test.each<[string, string, Buffer]>([
    ['no distribution point', '2.5.29.31', sequence()],
    [
      'one by its full name',
      '2.5.29.31',
      sequence(sequence(tlv(0xa0, tlv(0xa0, uri('http://a/'), directory)))),
    ],
    [
      'one by a relative name',
      '2.5.29.31',
      sequence(sequence(tlv(0xa0, tlv(0xa1, sequence(cn, text('x')))))),
    ],
    ['one by its issuer', '2.5.29.31', sequence(sequence(tlv(0xa2, directory)))],
    ['an empty key identifier of the issuer', '2.5.29.35', sequence()],
    [
      'names of every kind',
      '2.5.29.17',
      sequence(dns('a'), uri('b'), directory, otherName('x'), tlv(0x88, Buffer.from([42]))),
    ],
    ['a path length without a CA', '2.5.29.19', sequence(integer(1))],
    ['an extension that it does not read', '2.5.29.32', nothing()],
    ...goodTexts.map(([what, value]): [string, string, Buffer] => [
      `a directory name of ${what}`,
      '2.5.29.17',
      sequence(name(cn, value)),
    ]),
  ])('%s', (_, id, value) => {
    expect(read(id, value).opensslFaults).toEqual([])
  })
})

describe('refused', () => {
  test.each<[string, string, Buffer, string]>([
    [
      'a distribution point of only reasons',
      '2.5.29.31',
      sequence(sequence(tlv(0x81, Buffer.from([1, 6])))),
      'neither a name nor an issuer',
    ],
    ['an empty distribution point', '2.5.29.31', sequence(sequence()), 'neither a name nor an issuer'],
    ['distribution points that are NULL', '2.5.29.31', nothing(), 'has tag 5'],
    [
      'a distribution point with an odd name',
      '2.5.29.31',
      sequence(sequence(tlv(0xa0, tlv(0xa2)))),
      'malformed name',
    ],
    ['an empty keyUsage', '2.5.29.15', bitString(Buffer.alloc(1)), 'is empty'],
    ['basicConstraints with a third part', '2.5.29.19', sequence(yes(), integer(1), nothing()), 'more parts'],
    ['a negative path length', '2.5.29.19', sequence(yes(), tlv(2, Buffer.from([0x80]))), 'out of range'],
    [
      'an issuer key identifier in another order',
      '2.5.29.35',
      sequence(tlv(0x82, Buffer.from([1])), tlv(0x80)),
      'more parts',
    ],
    ['an unknown kind of name', '2.5.29.17', sequence(tlv(0x89)), 'unknown kind'],
    ['an other name without a value', '2.5.29.17', sequence(tlv(0xa0, cn, tlv(0xa0))), 'empty name'],
    ...oddValues.map((value): [string, string, Buffer, string] => [
      `an other name of ${value.toString('hex')}`,
      '2.5.29.17',
      sequence(tlv(0xa0, cn, tlv(0xa0, value))),
      'has',
    ]),
    [
      'a directory name without an attribute type',
      '2.5.29.17',
      sequence(name(tlv(6), text('x'))),
      'object identifier',
    ],
    ...oddTexts.map(([what, value]): [string, string, Buffer, string] => [
      `a directory name of ${what}`,
      '2.5.29.17',
      sequence(name(cn, value)),
      'string type',
    ]),
    ['a subject key identifier as a sequence', '2.5.29.14', sequence(octets()), 'has tag 48'],
    [
      'a purpose that is cut off',
      '2.5.29.37',
      sequence(tlv(6, Buffer.from([0x2a, 0x80]))),
      'object identifier',
    ],
    ['proxy certificates', '1.3.6.1.5.5.7.1.14', sequence(), 'is a proxy certificate'],
  ])('%s', (_, id, value, why) => {
    expect(read(id, value).opensslFaults).toEqual([expect.stringContaining(why)])
  })
})

test('reads all parts of the issuer key identifier', () => {
  const value = sequence(
    tlv(0x80, Buffer.from([7])),
    tlv(0xa1, dns('a'), tlv(0xa4, commonName('Root'))),
    tlv(0x82, Buffer.from([1, 2])),
  )
  expect(read('2.5.29.35', value).authorityKeyId).toEqual({
    keyId: Buffer.from([7]),
    issuerKey: '[["2.5.4.3","root"]]',
    serial: Buffer.from([1, 2]),
  })
})
