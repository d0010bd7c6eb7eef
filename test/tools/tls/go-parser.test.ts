// Go's parser can read every certificate that we accept: tested with thousands that are almost valid.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readCertificates } from '../../../src/pki/chain.ts'
import { judgeKey } from '../../../src/pki/checks.ts'
import { checkForGo } from '../../../src/pki/verifier-checks.ts'
import { oid, type StringType, sequence, set, stringTag, text, tlv } from '../../support/der-writer.ts'
import { threeOf } from '../../support/shapes/shape.ts'
import { type CertificateSpec, issue, pemOf } from '../../support/x509.ts'
import { dns, email, extension, subjectAltName, uri } from '../../support/x509-extensions.ts'
import { converse, todaysGo, withGoProgram } from './run.ts'

const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code))
const odd = fc.string({
  unit: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...'aZ09-._*&@:/?#[]%2ef ') }, byte),
  maxLength: 12,
})
const strings = Object.keys(stringTag) as StringType[]
const subject = fc
  .tuple(odd, fc.constantFrom(...strings))
  .map(([value, type]) => sequence(set(sequence(oid('2.5.4.3'), text(value, type)))))
const link = fc
  .tuple(fc.constantFrom('https://', 'urn:', 'ldap:///', '', '//', 'a+b://u:p@', 'http://[::1]'), odd)
  .map(([head, tail]) => uri(head + tail))
const address = fc.uint8Array({ maxLength: 17 }).map((bytes) => tlv(0x87, bytes))
const name = fc.oneof(odd.map(dns), odd.map(email), link, link, address)
const time = fc
  .tuple(
    fc.constantFrom(0x17, 0x18),
    fc.constantFrom(
      '250101000000Z',
      '20250101000000Z',
      '2501010000Z',
      '250101000000+0100',
      '20250101000000.5Z',
      '20250101000000',
    ),
  )
  .map(([tag, digits]) => tlv(tag, Buffer.from(digits)))
const spec: fc.Arbitrary<CertificateSpec> = fc.oneof(
  subject.map((value) => ({ subject: value })),
  name.map((value) => ({ extensions: [subjectAltName(value)] })),
  fc.tuple(time, time).map((times) => ({ validity: sequence(...times) })),
  fc.uint8Array({ minLength: 1, maxLength: 22 }).map((serial) => ({ serial: Buffer.from(serial) })),
  fc
    .tuple(
      fc.constantFrom(
        '2.5.29.14',
        '2.5.29.35',
        '1.3.6.1.5.5.7.1.1',
        '2.5.29.32',
        '2.5.29.31',
        '2.5.29.37',
        '2.5.29.19',
      ),
      fc.boolean(),
    )
    .map(([id, critical]) => ({ extensions: [extension(id, sequence(), critical)] })),
)
const [, , { der: good }] = threeOf()
const flipped = fc
  .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 2 })
  .map((changes) => {
    const der = Buffer.from(good)
    for (const [offset, value] of changes) der[offset] = value
    return der
  })

function refused(der: Buffer): boolean {
  const { certificates, problems } = readCertificates(pemOf(der), 'x.pem')
  return (
    problems.length > 0 || checkForGo(certificates).length > 0 || judgeKey(certificates[0]!) !== undefined
  )
}

test.each([
  ['odd contents', spec.map((content) => issue(content).der), 3000],
  ['flipped bytes', flipped, 3000],
])('%s', async (_, arbitrary: fc.Arbitrary<Buffer>, count) => {
  const tried = fc.sample(arbitrary, { numRuns: count, seed: 20 })
  const passed = tried.filter((der) => !refused(der))
  expect(passed.length).toBeGreaterThan(count / 20)
  const input = passed.map((der) => der.toString('base64'))
  const [old, today] = await withGoProgram('parse', async (program) => [
    await converse<string[]>(program, [], input),
    await converse<string[]>(program, [], input, todaysGo),
  ])
  // One example of each error of Go.
  const surprises = new Map<string, string>()
  for (const [index, der] of passed.entries())
    for (const text of [old![index], today![index]]) if (text) surprises.set(text, der.toString('hex'))
  expect(Object.fromEntries(surprises)).toEqual({})
})
