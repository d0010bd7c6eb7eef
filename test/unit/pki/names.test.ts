import { X509Certificate } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { readCertificate } from '../../../src/pki/certificate.ts'
import { readDer } from '../../../src/pki/der.ts'
import { generalName, ipText, showName } from '../../../src/pki/distinguished-name.ts'
import { canonicalName, covers, isHostname, usableNames } from '../../../src/pki/names.ts'
import { readPem } from '../../../src/pki/pem.ts'
import { ipBytes } from '../../support/der-writer.ts'
import { dns, email, ip, otherName, uri } from '../../support/x509-extensions.ts'
import { server } from '../../support/x509-profiles.ts'

function certificateFor(...names: Buffer[]): X509Certificate {
  return new X509Certificate(server(undefined, { names, subject: 'common.example.com' }).der)
}

// Measured with Go 1.22 and 1.24, OpenSSL 1.1 to 3.5, Python 3.11 and curl: accepted by all, or refused by at least one.
describe.each([
  [
    [dns('master.example.com')],
    ['master.example.com', 'MASTER.example.COM'],
    ['example.com', 'x.master.example.com', 'master.example.com.', 'master.example.com\n', ''],
  ],
  [[dns('MASTER.Example.com')], ['master.example.com'], []],
  [
    [dns('*.pool.example.com')],
    ['a.pool.example.com', 'determined-master.pool.example.com'],
    [
      'b.a.pool.example.com',
      'pool.example.com',
      'a_b.pool.example.com',
      '.pool.example.com',
      '-a.pool.example.com',
      '*.pool.example.com',
    ],
  ],
  [[dns('*.local'), dns('*.com'), dns('*')], [], ['master.local', 'foo.com', 'anything']],
  [
    [dns('f*o.example.com'), dns('m*.example.com'), dns('a.*.example.com')],
    [],
    ['foo.example.com', 'master.example.com', 'a.b.example.com'],
  ],
  [[dns('master.example.com.')], [], ['master.example.com', 'master.example.com.']],
  [[dns('my_master.example.com')], ['my_master.example.com'], ['my-master.example.com']],
  [[dns('my_master')], ['my_master'], []],
  [[dns('xn--mnchen-3ya.example.com')], ['xn--mnchen-3ya.example.com'], ['münchen.example.com']],
  [[dns('10.9.9.9')], [], ['10.9.9.9', '10.9.9']],
  [
    [ip('10.0.0.5'), ip('2001:db8::7')],
    ['10.0.0.5', '2001:db8::7', '2001:DB8:0::7'],
    ['10.0.0.6', '010.0.0.5', '[2001:db8::7]', 'common.example.com'],
  ],
  [[otherName('common.example.com')], [], ['common.example.com']],
  [[dns('master')], ['master'], ['common.example.com']],
])('a certificate for %#', (names, yes, no) => {
  const certificate = certificateFor(...names)
  if (yes.length > 0) test.each(yes)('covers %j', (name) => expect(covers(certificate, name)).toBe(true))
  if (no.length > 0)
    test.each(no)('does not cover %j', (name) => expect(covers(certificate, name)).toBe(false))
})

test.each([
  ['master', true],
  ['a-b.example.com', true],
  ['1.example', true],
  ['10.0.0.5', false],
  ['1.2', false],
  ['::1', false],
  ['a..b', false],
  ['-a', false],
  ['a-', false],
  ['a_b', false],
  ['a.', false],
  ['x'.repeat(64), false],
  [`${'x.'.repeat(130)}x`, false],
])('%s is a host name: %s', (name, answer) => {
  expect(isHostname(name)).toBe(answer)
})

test.each([
  ['Master.Example.com.', 'master.example.com'],
  [' master ', 'master'],
  ['[2001:DB8::7]', '2001:db8::7'],
  ['münchen.example.com', 'xn--mnchen-3ya.example.com'],
  ['10.0.0.5', '10.0.0.5'],
  ['010.0.0.5', '010.0.0.5'],
])('%s is compared as %s', (name, canonical) => {
  expect(canonicalName(name)).toBe(canonical)
})

test('sorts the names that an agent can verify, in the order of the certificate', () => {
  const { der } = server(undefined, {
    names: [
      dns('*.b.example.com'),
      ip('10.0.0.5'),
      dns('b.example.com'),
      dns('*.com'),
      dns('A.example.com'),
      dns('a.'),
      ip('::1'),
    ],
  })
  const block = { ...readPem('').blocks[0]!, der, number: 1, line: 1 }
  const { certificate } = readCertificate(block, 'test.pem')
  expect(usableNames(certificate!)).toEqual({
    concrete: ['b.example.com', 'a.example.com'],
    wildcards: ['*.b.example.com'],
    ips: ['10.0.0.5', '::1'],
  })
})

test.each([
  [dns('master.example.com'), 'DNS:master.example.com'],
  [dns('evil, DNS:victim\x00.com'), 'DNS:evil, DNS:victim\\x00.com'],
  [ip('10.0.0.1'), 'IP:10.0.0.1'],
  [email('a@b'), 'email:a@b'],
  [uri('spiffe://x/y'), 'uri:spiffe://x/y'],
  [otherName('x'), 'other'],
])('shows %# as %s', (name, text) => {
  expect(showName(generalName(readDer(name)))).toBe(text)
})

test.each([
  '::',
  '::1',
  '1::',
  '2001:db8::7',
  '2001:db8:0:1:1:1:1:1',
  '1:0:0:2::3',
  'fe80::a:0:0:1',
  '10.0.0.1',
])('writes the address %s as RFC 5952 does', (address) => {
  const canonical = address.includes(':') ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address
  expect(ipText(ipBytes(address))).toBe(canonical)
})
