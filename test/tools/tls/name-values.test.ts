// OpenSSL reads the value of every attribute and of every other name, whatever its type: each type with odd contents.
import { expect, test } from 'vitest'
import { parseTlsCredentials } from '../../../src/pki/credentials.ts'
import { oid, sequence, set, tlv } from '../../support/der-writer.ts'
import { testKey } from '../../support/test-keys.ts'
import { dns, extension } from '../../support/x509-extensions.ts'
import { authority, masterName, server } from '../../support/x509-profiles.ts'
import { verifyWithPython } from './verifiers.ts'

/** Every primitive type with a number below 31, a few constructed ones, and other classes. */
const tags = [...Array.from({ length: 31 }, (_, n) => n), 0x23, 0x2c, 0x30, 0x31, 0x36, 0x40, 0x80, 0xa0]
const contents = [
  '',
  '00',
  '0041',
  '004100',
  '07',
  '0780',
  '03ff',
  '0800',
  '00000041',
  '00110000',
  '7fffffff',
  '0000d800',
  'd83dde00',
  'd83d',
  'ff',
  'fffe',
  '020101',
  '020901',
  '3235303130313030303030305a',
  '61206f',
  'eda080',
  'f4908080',
  'c080',
  'efbfbf',
].map((hex) => Buffer.from(hex, 'hex'))

const root = authority('Root')
const key = testKey('p256', 'server')
const attribute = (value: Buffer) => sequence(set(sequence(oid('2.5.4.3'), value)))
const places: Record<string, (value: Buffer) => string> = {
  'a directory name': (value) => {
    const point = sequence(tlv(0xa0, tlv(0xa0, tlv(0xa4, attribute(value)))))
    return server(root, { key, extra: [extension('2.5.29.31', sequence(point))] }).pem
  },
  'an other name': (value) =>
    server(root, { key, names: [dns(masterName), tlv(0xa0, oid('1.2.3.4'), tlv(0xa0, value))] }).pem,
  'the subject': (value) => server(root, { key, subject: attribute(value) }).pem,
}

test.each(Object.entries(places))('in %s', async (_, make) => {
  const values = tags.flatMap((tag) => contents.map((content) => tlv(tag, content)))
  const accepted = values.flatMap((value) => {
    const chain = make(value) + root.pem
    return parseTlsCredentials(chain, undefined, { now: Date.now() }).material ? [{ value, chain }] : []
  })
  expect(accepted.length).toBeGreaterThan(50)
  const questions = accepted.map(({ chain }) => ({ chain, key: key.pem, name: masterName }))
  const answers = await verifyWithPython(questions)
  const refused = accepted.flatMap(({ value }, n) =>
    answers[n] ? [[value.toString('hex'), answers[n]]] : [],
  )
  expect(refused).toEqual([])
})
