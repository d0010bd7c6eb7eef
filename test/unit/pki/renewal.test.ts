import { expect, it } from 'vitest'
import { keepsTrust, parseTlsCredentials } from '../../../src/pki/credentials.ts'
import { testKey } from '../../support/test-keys.ts'
import { day, type Issued, now } from '../../support/x509.ts'
import { authority, server } from '../../support/x509-profiles.ts'

const root = authority('root')
const intermediate = authority('intermediate', { issuer: root })
const leaf = server(intermediate)
const sameKey = { key: testKey('p256', 'root') }

function material(...chain: Issued[]) {
  const parsed = parseTlsCredentials(chain.map(({ pem }) => pem).join(''), undefined, { now }).material
  if (!parsed) throw new Error('the certificates of this test are not accepted')
  return parsed
}

const other = authority('other')

it.each<[string, Issued[], boolean]>([
  ['a new leaf', [server(intermediate, { notAfter: now + 90 * day }), intermediate, root], true],
  [
    'a new intermediate',
    [server(authority('next', { issuer: root })), authority('next', { issuer: root }), root],
    true,
  ],
  ['the same CA with a new root', [leaf, intermediate, authority('root', sameKey)], true],
  ['another CA', [server(other), other], false],
  ['a self-signed certificate', [server()], false],
])('agents with a whole chain, and %s', (_, chain, expected) =>
  expect(keepsTrust(material(leaf, intermediate, root), material(...chain))).toBe(expected),
)

it('agents with a single self-signed certificate trust no other one, even with the same key', () => {
  const lone = server()
  expect(keepsTrust(material(lone), material(lone))).toBe(true)
  expect(keepsTrust(material(lone), material(server(undefined, { notAfter: now + 90 * day })))).toBe(false)
})
