// Any certificate that a peer presents gives facts or a described fault, never an exception, because the peer is untrusted.
import { X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { certificateFacts, readCertificate } from '../../../src/pki/certificate.ts'
import { checkPath } from '../../../src/pki/checks.ts'
import {
  compareLeaf,
  describe as describeCertificate,
  presentedFacts,
  unusableForGo,
} from '../../../src/pki/presented.ts'
import { sequence, tlv } from '../../support/der-writer.ts'
import { plan } from '../../support/masters.ts'
import { testKey } from '../../support/test-keys.ts'
import { issue, now } from '../../support/x509.ts'
import { authority, server } from '../../support/x509-profiles.ts'

const root = authority('Root')
const utcTime = (text: string) => tlv(0x17, Buffer.from(text, 'latin1'))
const later = '300101000000Z'

/** Calls everything that reads a presented certificate. */
function use(x509: X509Certificate): void {
  const facts = presentedFacts(x509)
  expect(describeCertificate(facts).length).toBeLessThan(5000)
  compareLeaf(facts, plan('embed', 'm', [['leaf', root.pem]]))
  JSON.stringify(facts)
  unusableForGo([x509])
  const block = { label: 'CERTIFICATE', number: 1, line: 1, der: x509.raw, untidy: [], headers: [] }
  const { certificate, problems } = readCertificate(block, 'x.pem')
  expect(certificate === undefined).toBe(problems.length > 0)
  if (!certificate) return
  checkPath({ certificates: [certificate], complete: false }, now)
  certificateFacts(certificate, 'leaf')
}

describe('an invalid date', () => {
  test.each([
    ['at the end', sequence(utcTime('250101000000Z'), utcTime('Bad time value'))],
    ['at the start', sequence(utcTime('999999999999Z'), utcTime(later))],
    // Node builds a date from uninitialised memory for this; it may look like any date.
    ['in both fields', sequence(utcTime('Bad time value'), utcTime('Bad time value'))],
    ['beyond the months', sequence(utcTime('251301000000Z'), utcTime(later))],
    ['in an unknown form', sequence(tlv(0x18, Buffer.alloc(15, 0xff)), utcTime(later))],
  ])('%s is a fault of the certificate', (_, validity) => {
    const { der } = issue({ validity })
    const x509 = new X509Certificate(der)
    use(x509)
    const { notBefore, notAfter } = presentedFacts(x509)
    expect([notBefore, notAfter]).toContain('an unreadable date')
    expect(unusableForGo([x509]).join()).toMatch(/its dates are not valid|a form RFC 5280 does not allow/)
  })

  test('is not comparable', () => {
    const odd = issue({ subject: 'Root', validity: sequence(utcTime('Bad time value'), utcTime(later)) })
    const facts = presentedFacts(new X509Certificate(odd.der))
    expect(compareLeaf(facts, plan('embed', 'm', [['leaf', root.pem]]))).toBe('different')
  })
})

test('describes a certificate with ten thousand names in one line', () => {
  const facts = presentedFacts(new X509Certificate(root.der))
  const sans = Array.from({ length: 10_000 }, (_, n) => `DNS:${n}.${'x'.repeat(500)}.example`)
  const text = describeCertificate({ ...facts, subject: 'CN='.padEnd(60_000, 'x'), sans })
  expect(text.length).toBeLessThan(5000)
  expect(text).toContain('and 9990 more')
})

test('reports some faults of many certificates, and a count', () => {
  const many = Array.from({ length: 9 }, () => server(root, { serial: Buffer.from([0x80, 1]) }))
  const faults = unusableForGo(many.map(({ der }) => new X509Certificate(der)))
  expect(faults).toHaveLength(6)
  expect(faults.at(-1)).toBe('4 more faults of this kind')
})

/** Bytes of real certificates with some changed, omitted or repeated. */
const bases = [
  server(root).der,
  root.der,
  server(root, { key: testKey('rsa2048') }).der,
  server(root, { key: testKey('ed25519') }).der,
  issue({ subject: 'alone' }).der,
]

test('flipped bytes in real certificates never cause an exception', () => {
  let readable = 0
  const edit = fc.record({ at: fc.nat(), byte: fc.nat(255), kind: fc.constantFrom('set', 'cut', 'double') })
  fc.assert(
    fc.property(fc.constantFrom(...bases), fc.array(edit, { minLength: 1, maxLength: 3 }), (base, edits) => {
      const der = edits.reduce(applyEdit, base)
      let x509: X509Certificate
      try {
        x509 = new X509Certificate(der)
      } catch {
        // OpenSSL does not read these, so no handshake presents them; a file may contain them.
        const block = { label: 'CERTIFICATE', number: 1, line: 1, der, untidy: [], headers: [] }
        expect(readCertificate(block, 'x.pem').problems).toHaveLength(1)
        return
      }
      readable++
      use(x509)
    }),
    { seed: 20_261_128, numRuns: 2000 },
  )
  expect(readable).toBeGreaterThan(200)
})

function applyEdit(der: Buffer, { at, byte, kind }: { at: number; byte: number; kind: string }): Buffer {
  const index = at % der.length
  if (kind === 'set')
    return Buffer.concat([der.subarray(0, index), Buffer.from([byte]), der.subarray(index + 1)])
  const length = 1 + (byte % 4)
  if (kind === 'cut') return Buffer.concat([der.subarray(0, index), der.subarray(index + length)])
  return Buffer.concat([der.subarray(0, index + length), der.subarray(index)])
}
