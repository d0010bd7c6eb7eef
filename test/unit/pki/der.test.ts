import { expect, test } from 'vitest'
import { readCertificateFields } from '../../../src/pki/certificate.ts'
import { DerError, derBits, derChildren, derOid, derSmallInteger, readDer } from '../../../src/pki/der.ts'
import { integer, oid, sequence, tlv } from '../../support/der-writer.ts'
import { threeOf } from '../../support/shapes/shape.ts'

const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex')

test('reads an element and ignores what follows', () => {
  const element = readDer(bytes('02 01 05 ff ff'))
  expect(element).toMatchObject({ tag: 2, content: bytes('05'), bytes: bytes('02 01 05') })
})

test('reads lengths of several bytes', () => {
  const long = tlv(0x04, Buffer.alloc(70_000, 7))
  expect(readDer(long).content).toHaveLength(70_000)
})

test.each([
  ['nothing', ''],
  ['a tag alone', '30'],
  ['a content that is cut off', '30 05 02 01'],
  ['a length that is cut off', '30 82 01'],
  ['an indefinite length', '30 80 00 00'],
  ['a length of five bytes', '30 85 00 00 00 00 01 00'],
  ['a long form for a short length', '30 81 05 02 03 01 02 03'],
  ['a length with a leading zero', '30 82 00 80'],
  ['a tag of several bytes', '1f 81 01 00'],
])('refuses %s', (_, hex) => {
  expect(() => readDer(bytes(hex))).toThrow(DerError)
})

test('refuses a child that is longer than its parent', () => {
  expect(() => derChildren(bytes('02 05 01'))).toThrow(DerError)
})

test.each(['1.2.840.113549.1.1.11', '2.5.29.15', '0.9.2342.19200300.100.1.25', '2.16.840.1.101.3.4.2.1'])(
  'reads the object identifier %s',
  (dotted) => {
    expect(derOid(readDer(oid(dotted)))).toBe(dotted)
  },
)

test('reads small integers and refuses other values', () => {
  expect(derSmallInteger(readDer(integer(300)))).toBe(300)
  expect(() => derSmallInteger(readDer(bytes('02 01 ff')))).toThrow(DerError)
  expect(() => derSmallInteger(readDer(bytes('02 00')))).toThrow(DerError)
  expect(() => derSmallInteger(readDer(sequence()))).toThrow(DerError)
})

test('numbers the bits of a bit string from the first', () => {
  expect(derBits(readDer(bytes('03 03 07 06 80')))).toEqual(new Set([5, 6, 8]))
})

test('refuses a certificate truncated at any byte', () => {
  const { der } = threeOf()[0]
  for (let length = 0; length < der.length; length++)
    expect(() => readCertificateFields(der.subarray(0, length)), `${length} bytes`).toThrow(DerError)
  expect(readCertificateFields(der).version).toBe(3)
})
