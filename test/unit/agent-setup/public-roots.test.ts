// Trust below a public CA: the well-known root above the chain, for every form of the file.
import { describe, expect, test } from 'vitest'
import { planTrust } from '../../../src/agent-setup/trust.ts'
import type { TlsOptions } from '../../../src/config/provider-keys.ts'
import { parseTlsCredentials, type TlsCredentials } from '../../../src/pki/credentials.ts'
import { sequence, tlv } from '../../support/der-writer.ts'
import { joined } from '../../support/shapes/shape.ts'
import { testKey } from '../../support/test-keys.ts'
import { commonName, day, type Issued, now } from '../../support/x509.ts'
import { extension } from '../../support/x509-extensions.ts'
import { authority, masterName, server } from '../../support/x509-profiles.ts'

const root = authority('Public Root')
const intermediate = authority('R3', { issuer: root })
const leaf = server(intermediate)

function plan(file: Issued[], roots: Issued[], trust: TlsOptions['trust'] = 'auto') {
  const { material } = parseTlsCredentials(joined(file), undefined, { now, file: 'chain.pem' })
  return planned(material!, roots, trust)
}

function planned(material: TlsCredentials, roots: Issued[], trust: TlsOptions['trust'] = 'auto') {
  const { plan: found, problems } = planTrust({
    address: { scheme: 'https', host: masterName, port: 8443 },
    options: { trust, allow_ip_only: false },
    certificateName: '',
    material,
    now,
    roots: () => roots.map(({ pem }) => pem),
  })
  return {
    mode: found?.mode,
    root: found?.wellKnownRoot,
    codes: problems.map(({ code }) => code),
    problems,
    found,
  }
}

describe('the root for agents of `system`', () => {
  test.each(['auto', 'system'] as const)('is the one above the chain (trust: %s)', (trust) => {
    const { mode, root: given, codes } = plan([leaf, intermediate], [authority('Other'), root], trust)
    expect(mode).toBe('system')
    expect(given).toMatchObject({ role: 'root', subject: 'CN=Public Root', pem: root.pem })
    expect(codes).toEqual([])
  })

  test('is undefined for a private chain, or without a certificate', () => {
    expect(plan([leaf, intermediate], [], 'system')).toMatchObject({ mode: 'system', root: undefined })
  })

  // Like Let's Encrypt's chains: a listed root issued the intermediate, and more certificates are sent for old clients.
  test('is the nearest one of a cross-signed chain, even if the last issuer is in no list', () => {
    const retired = authority('Retired Root')
    const cross = authority('Public Root', { key: root.key, issuer: retired })
    expect(plan([leaf, intermediate, cross], [root])).toMatchObject({
      mode: 'system',
      root: { subject: 'CN=Public Root' },
      codes: [],
    })
    expect(plan([leaf, intermediate, cross], [retired, root]).root).toMatchObject({
      subject: 'CN=Public Root',
    })
    expect(plan([leaf, intermediate, cross], [retired]).root).toMatchObject({ subject: 'CN=Retired Root' })
  })

  test('is the root of either path if the file contains both', () => {
    const older = authority('Older Root')
    const cross = authority('R3', { key: intermediate.key, issuer: older })
    for (const known of [root, older])
      expect(plan([leaf, intermediate, cross], [known])).toMatchObject({
        mode: 'system',
        root: { sha256: expect.any(String), subject: known === root ? 'CN=Public Root' : 'CN=Older Root' },
      })
  })

  test('Go judges the chain below it at once, without what is only for other clients', () => {
    const odd = server(intermediate, { issuerName: commonName('r3') })
    expect(plan([odd, intermediate], [root])).toMatchObject({ mode: undefined, codes: ['TLS_GO_REFUSES'] })
    const retired = authority('Retired Root')
    const cross = authority('Public Root', {
      key: root.key,
      issuer: retired,
      issuerName: commonName('RETIRED root'),
    })
    expect(plan([leaf, intermediate, cross], [root])).toMatchObject({ mode: 'system', codes: [] })
  })

  test('a certificate that Go cannot read is judged no further', () => {
    const broken = extension('2.5.29.32', sequence(tlv(0x04)))
    const file = joined([server(intermediate, { extra: [broken] }), intermediate])
    const { faulty, problems } = parseTlsCredentials(file, undefined, { now })
    expect(problems.map(({ code }) => code)).toEqual(['TLS_GO_REFUSES'])
    expect(planned(faulty!, [root])).toMatchObject({ mode: 'system', codes: [] })
  })

  test('is the version that is valid longest', () => {
    const longer = authority('Public Root', { key: root.key, notAfter: now + 9999 * day })
    expect(plan([leaf, intermediate], [root, longer, root]).root).toMatchObject({ pem: longer.pem })
  })

  test.each([
    [
      'has expired',
      authority('Public Root', { key: root.key, notBefore: now - 9 * day, notAfter: now - day }),
    ],
    ['is not valid yet', authority('Public Root', { key: root.key, notBefore: now + day })],
    ['only has its name', authority('Public Root', { key: testKey('p256', 'somebody else') })],
  ])('is never one that %s', (_, listed) => {
    expect(plan([leaf, intermediate], [listed], 'system').root).toBeUndefined()
    expect(plan([leaf, intermediate], [listed])).toMatchObject({
      mode: undefined,
      codes: ['TLS_ISSUER_MISSING'],
    })
  })

  test('is never one whose key agents refuse', () => {
    const weak = authority('Weak', { key: testKey('rsa1024', 'weak') })
    const below = authority('Below', { issuer: weak })
    expect(plan([server(below), below], [weak], 'system').root).toBeUndefined()
  })
})

// The server certificate is no anchor of these agents, so that Go judges everything above it.
test.each([[[leaf, intermediate]], [[leaf, intermediate, root]]])(
  'a chain that Go refuses is an error',
  (file) => {
    const extra = [extension('2.5.29.36', sequence(tlv(0x80, Buffer.from([0]))), true)]
    const demanding = authority('R3', { issuer: root, extra })
    expect(plan([file[0]!, demanding, ...file.slice(2)], [root])).toMatchObject({
      mode: undefined,
      codes: expect.arrayContaining(['TLS_GO_REFUSES']),
    })
  },
)

describe('a file that contains the root', () => {
  const whole = [leaf, intermediate, root]

  test('of a public CA gives `system`, with a warning and no embedded certificates', () => {
    const { mode, root: given, problems, found } = plan(whole, [root])
    expect(mode).toBe('system')
    expect(found!.chain).toEqual([])
    expect(found!.modeReason).toBe(
      "chain.pem contains the chain up to CN=Public Root, a CA in Node's list of well-known CAs",
    )
    expect(given).toMatchObject({ pem: root.pem })
    expect(problems).toEqual([
      expect.objectContaining({
        code: 'TLS_PUBLIC_ROOT_IN_FILE',
        severity: 'warning',
        message:
          'chain.pem contains CN=Public Root, the root of a public CA; agents trust the CAs of their instance and that root',
      }),
    ])
  })

  test('in another version than in the list gives the same result', () => {
    const edition = authority('Public Root', { key: root.key, notAfter: now + 9999 * day })
    expect(plan(whole, [edition])).toMatchObject({ mode: 'system', codes: ['TLS_PUBLIC_ROOT_IN_FILE'] })
  })

  test('stays embedded with trust: embed, with the warning', () => {
    const { found, codes } = plan(whole, [root], 'embed')
    expect(found).toMatchObject({ mode: 'embed', chain: [{}, {}, { pem: root.pem }] })
    expect(found).not.toHaveProperty('wellKnownRoot')
    expect(codes).toEqual(['TLS_PUBLIC_ROOT_IN_FILE'])
  })

  test.each([
    ['of the name of a public one', authority('Public Root', { key: testKey('p256', 'private') })],
    ['of another name', authority('Private Root')],
  ])('%s stays `embed`', (_, own) => {
    const below = authority('Below', { issuer: own })
    const { found, codes } = plan([server(below), below, own], [root])
    expect(found).toMatchObject({ mode: 'embed' })
    expect(found!.chain).toHaveLength(3)
    expect(codes).toEqual([])
  })

  test('with another name and the key of a public root stays `embed`', () => {
    const renamed = authority('Private Root', { key: root.key })
    const below = authority('Below', { issuer: renamed })
    expect(plan([server(below), below, renamed], [root])).toMatchObject({ mode: 'embed', codes: [] })
  })
})
