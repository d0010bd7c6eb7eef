import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { readCertificates } from '../../../src/pki/chain.ts'
import { findWellKnownRoot } from '../../../src/pki/trust-anchors.ts'
import { checkForGo } from '../../../src/pki/verifier-checks.ts'
import { joined, threeOf } from '../../support/shapes/shape.ts'
import { testKey } from '../../support/test-keys.ts'
import { day, type Issued, now } from '../../support/x509.ts'
import { authority, server } from '../../support/x509-profiles.ts'

const [leaf, intermediate, root] = threeOf()
const read = (...file: Issued[]) => readCertificates(joined(file), 'chain.pem').certificates
const find = (file: Issued[], roots: string[]) => findWellKnownRoot(read(...file), now, () => roots)?.subject

test('finds the root that issued a certificate', () => {
  expect(find([intermediate], [authority('Other Root').pem, root.pem])).toBe('CN=Test Root')
})

test('searches for every open end', () => {
  expect(find([leaf, intermediate], [root.pem])).toBe('CN=Test Root')
})

test('finds a root that is in the list itself, also in a newer version', () => {
  const reissued = authority('Test Root', { key: root.key, notAfter: now + 9999 * day })
  expect(find([root], [reissued.pem])).toBe('CN=Test Root')
})

test.each([
  ['the same name and another key', authority('Test Root', { key: testKey('p256', 'another') })],
  [
    'an expired one',
    authority('Test Root', { key: root.key, notBefore: now - 3 * day, notAfter: now - day }),
  ],
  ['an unrelated one', authority('Other Root')],
])('does not accept %s', (_, candidate) => {
  expect(find([intermediate], [candidate.pem])).toBeUndefined()
  expect(find([root], [candidate.pem])).toBeUndefined()
})

test('knows the roots that Node ships with', () => {
  const [known] = readCertificates(rootCertificates[0]!, 'root.pem').certificates
  expect(findWellKnownRoot([known!], now)?.sha256).toBe(known!.sha256)
})

test('every root that Node ships with is readable and acceptable for Go', () => {
  const { certificates, problems } = readCertificates(rootCertificates.join('\n'), 'roots.pem')
  expect(certificates).toHaveLength(rootCertificates.length)
  expect([...problems, ...checkForGo(certificates)]).toEqual([])
})

describe('node:tls is loaded only for a chain whose root may be well-known', () => {
  const program = `
    import { readFileSync } from 'node:fs'
    import { parseTlsCredentials } from ${JSON.stringify(join(import.meta.dirname, '../../../src/pki/credentials.ts'))}
    import { planTrust } from ${JSON.stringify(join(import.meta.dirname, '../../../src/agent-setup/trust.ts'))}
    const now = Date.now()
    const { material } = parseTlsCredentials(readFileSync(0, 'utf8'), undefined, { now })
    planTrust({ address: { scheme: 'https', host: 'a.b', port: 1 }, options: { trust: 'auto' }, certificateName: '', material, now })
    console.log(process.moduleLoadList.includes('NativeModule tls'))`
  const loadedFor = (...file: Issued[]) => {
    const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env
    const hooks = join(import.meta.dirname, '../../support/straight-hooks.ts')
    const args = ['--import', hooks, '--input-type=module', '--eval', program]
    return execFileSync(process.execPath, args, { input: joined(file), encoding: 'utf8', env }).trim()
  }

  test('not for a single certificate that is not a CA', () => {
    expect(loadedFor(server())).toBe('false')
  })
  test.each([
    ['a whole chain', [leaf, intermediate, root]],
    ['one without its root', [leaf, intermediate]],
  ])('for %s', (_, file) => {
    expect(loadedFor(...file)).toBe('true')
  })
})
