// The rules of trust: scheme, mode and certificate name, each with its reason.

import { describe, expect, test } from 'vitest'
import { planTrust, type TrustInput } from '../../../src/agent-setup/trust.ts'
import { parseTlsCredentials, type TlsCredentials } from '../../../src/pki/credentials.ts'
import { parseTrustAnchors } from '../../../src/pki/trust-anchors.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { joined, threeOf } from '../../support/shapes/shape.ts'
import { type Issued, now } from '../../support/x509.ts'
import { dns, ip } from '../../support/x509-extensions.ts'
import { authority, masterName, server } from '../../support/x509-profiles.ts'

const [leaf, intermediate, root] = threeOf()
const where = { file: 'master.yaml', line: 12, column: 7 }

function material(...file: Issued[]): TlsCredentials {
  return parseTlsCredentials(joined(file), undefined, { now, file: 'chain.pem' }).material!
}

const whole = material(leaf, intermediate, root)
const incomplete = material(leaf, intermediate)
const lone = material(server())
const anchors = parseTrustAnchors(root.pem, { now, file: 'ca.pem' }).anchors!

interface Ask extends Omit<Partial<TrustInput>, 'address' | 'options'> {
  scheme?: 'http' | 'https'
  host?: string
  trust?: TrustInput['options']['trust']
  allowIpOnly?: boolean
}

/** The aliases that the clouds replace. */
const aliases = Object.assign({}, ...builtInProviders.map(({ hostAliases }) => hostAliases))

function plan({ scheme = 'https', host = '10.0.0.5', trust = 'auto', allowIpOnly = false, ...rest }: Ask) {
  const input: TrustInput = {
    address: { scheme, host, port: 8443, alias: aliases[host] },
    options: { trust, allow_ip_only: allowIpOnly, ...(rest.caMaterial && { ca_file: 'ca.pem' }) },
    certificateName: '',
    now,
    where,
    roots: () => [],
    ...rest,
  }
  const { plan: found, problems } = planTrust(input)
  return { plan: found, problems, codes: problems.map(({ code }) => code), message: problems[0]?.message }
}

describe('the scheme of the master URL decides whether agents use TLS', () => {
  test('http without a certificate: plain text, with a warning', () => {
    const { plan: found, codes } = plan({ scheme: 'http' })
    expect(found).toEqual({
      mode: 'off',
      modeReason: 'agents dial plain http',
      certificateNameReason: 'agents dial without TLS',
      chain: [],
    })
    expect(codes).toEqual(['TLS_PLAIN_HTTP'])
  })

  test('http with a certificate is an error, with the location of the setting', () => {
    const { plan: found, problems } = plan({ scheme: 'http', material: whole })
    expect(found).toBeUndefined()
    expect(problems).toEqual([expect.objectContaining({ code: 'TLS_CERT_WITHOUT_HTTPS', where })])
  })

  test('http with a certificate and trust: off is accepted', () => {
    expect(plan({ scheme: 'http', material: whole, trust: 'off' }).plan).toMatchObject({
      mode: 'off',
      chain: [],
    })
  })

  test.each(['embed', 'system', 'skip_verify'] as const)('http with trust: %s is a conflict', (trust) => {
    expect(plan({ scheme: 'http', trust }).codes).toEqual(['TLS_TRUST_CONFLICT'])
  })

  test('http with a ca_file is a conflict', () => {
    expect(plan({ scheme: 'http', caMaterial: anchors }).codes).toEqual(['TLS_TRUST_CONFLICT'])
  })

  test('https with trust: off is a conflict', () => {
    expect(plan({ material: whole, trust: 'off' }).codes).toEqual(['TLS_TRUST_CONFLICT'])
  })
})

describe('trust: auto', () => {
  test('a chain up to its root is embedded completely, leaf first', () => {
    const { plan: found, codes } = plan({ material: material(root, intermediate, leaf) })
    expect(found).toMatchObject({
      mode: 'embed',
      modeReason: 'chain.pem contains the chain up to its root CN=Test Root',
      certificateName: masterName,
    })
    expect(found!.chain.map(({ role, pem }) => [role, pem])).toEqual([
      ['leaf', leaf.pem],
      ['intermediate', intermediate.pem],
      ['root', root.pem],
    ])
    expect(codes).toEqual([])
  })

  test('a single self-signed certificate is embedded, with a warning about its renewal', () => {
    const { plan: found, codes } = plan({ material: lone })
    expect(found).toMatchObject({
      mode: 'embed',
      modeReason: 'chain.pem contains a self-signed certificate, which is its own root',
    })
    expect(found!.chain).toHaveLength(1)
    expect(codes).toEqual(['TLS_SELF_SIGNED_RENEWAL'])
  })

  test('a chain below a well-known root is not embedded', () => {
    const { plan: found, codes } = plan({ material: incomplete, roots: () => [root.pem] })
    expect(found).toMatchObject({ mode: 'system', certificateName: masterName, chain: [] })
    expect(found!.modeReason).toMatch(/issued under CN=Test Root, a CA in Node's list/)
    expect(codes).toEqual([])
  })

  test('an incomplete chain names the missing issuer', () => {
    const { plan: found, problems } = plan({ material: incomplete })
    expect(found).toBeUndefined()
    expect(problems).toEqual([
      expect.objectContaining({
        code: 'TLS_ISSUER_MISSING',
        message: 'CN=Test Intermediate was issued by CN=Test Root, but its certificate is not in chain.pem',
        where: { file: 'chain.pem', line: leaf.pem.split('\n').length },
        details: { missing: 'CN=Test Root', wellKnown: false },
      }),
    ])
  })

  test('a CA with the right name and another key is distinguished from a missing one', () => {
    const rekeyed = authority('Test Root', { key: server().key })
    expect(plan({ material: material(leaf, intermediate, rekeyed) }).message).toBe(
      'CN=Test Intermediate was issued by CN=Test Root, but the certificate of that name in chain.pem has another key',
    )
  })

  test('https without a certificate: a proxy terminates TLS, agents trust the system', () => {
    expect(plan({ host: masterName }).plan).toEqual({
      mode: 'system',
      modeReason: 'agents dial https and no certificate is configured: a proxy terminates TLS',
      certificateNameReason: 'agents verify the host they dial; the certificate they will receive is unknown',
      chain: [],
    })
  })

  test('a ca_file is embedded instead of the chain', () => {
    const { plan: found } = plan({ caMaterial: anchors, material: whole, host: 'proxy.example.com' })
    expect(found).toMatchObject({
      mode: 'embed',
      modeReason: 'ca.pem (tls.ca_file) contains the CAs for agents',
    })
    expect(found!.chain.map(({ pem }) => pem)).toEqual([root.pem])
    expect(found!.certificateName).toBeUndefined()
  })
})

describe('trust: embed', () => {
  test('without a certificate to embed is an error', () => {
    expect(plan({ trust: 'embed' }).codes).toEqual(['TLS_NOTHING_TO_EMBED'])
  })

  test('requires the root in the file, even a well-known one', () => {
    const { problems } = plan({ trust: 'embed', material: incomplete, roots: () => [root.pem] })
    expect(problems).toEqual([
      expect.objectContaining({
        code: 'TLS_ISSUER_MISSING',
        remedy: expect.stringMatching(/^Use `trust: auto`/),
      }),
    ])
  })
})

describe('trust: system', () => {
  test('below a well-known root', () => {
    const { plan: found, codes } = plan({ trust: 'system', material: whole, roots: () => [root.pem] })
    expect(found).toMatchObject({ mode: 'system', certificateName: masterName, chain: [] })
    expect(codes).toEqual([])
  })

  test('below a private root: a warning, because agents may trust it', () => {
    const { plan: found, codes } = plan({ trust: 'system', material: whole })
    expect(found).toMatchObject({ mode: 'system', certificateName: masterName })
    expect(codes).toEqual(['TLS_SYSTEM_UNKNOWN_CA'])
  })

  test('below a private root, with a dialled name that it does not have: agents receive another certificate', () => {
    const { plan: found, codes } = plan({ trust: 'system', material: whole, host: 'proxy.example.com' })
    expect(found).toMatchObject({ mode: 'system' })
    expect(found!.certificateName).toBeUndefined()
    expect(codes).toEqual(['TLS_SYSTEM_UNKNOWN_CA'])
  })

  test('with a ca_file is a conflict', () => {
    expect(plan({ trust: 'system', caMaterial: anchors }).codes).toEqual(['TLS_TRUST_CONFLICT'])
  })
})

describe('trust: skip_verify', () => {
  test('embeds nothing, warns, and keeps a configured name for tasks', () => {
    expect(plan({ trust: 'skip_verify', material: whole })).toMatchObject({
      plan: { mode: 'skip_verify', chain: [], certificateNameReason: 'agents verify nothing' },
      codes: ['TLS_SKIP_VERIFY'],
    })
    const named = plan({ trust: 'skip_verify', certificateName: 'Master.example.com' })
    expect(named.plan!.certificateName).toBe('master.example.com')
  })

  test('with a ca_file is a conflict', () => {
    expect(plan({ trust: 'skip_verify', caMaterial: anchors }).codes).toEqual(['TLS_TRUST_CONFLICT'])
  })
})

describe('the certificate name', () => {
  const names = (...san: Buffer[]) => material(server(undefined, { names: san }))
  const several = names(
    dns('*.pool.example.com'),
    dns('one.example.com'),
    dns('two.example.com'),
    ip('10.0.0.5'),
  )

  test.each<[string, Ask, string | undefined, string]>([
    [
      'as configured',
      { certificateName: 'two.example.com' },
      'two.example.com',
      'it is the configured master_cert_name',
    ],
    [
      'as configured, under the wildcard',
      { certificateName: 'x.pool.example.com' },
      'x.pool.example.com',
      'it is the configured master_cert_name',
    ],
    [
      'the dialled host',
      { host: 'two.example.com' },
      'two.example.com',
      'it is the host agents dial, and the certificate covers it',
    ],
    [
      'the dialled host under the wildcard',
      { host: 'a.pool.example.com' },
      'a.pool.example.com',
      'it is the host agents dial, and the certificate covers it',
    ],
    [
      'the first name, for an address',
      {},
      'one.example.com',
      "it is the certificate's first DNS name; agents dial 10.0.0.5, an IP address",
    ],
    [
      'the first name, for an alias',
      { host: 'local-ipv4' },
      'one.example.com',
      "it is the certificate's first DNS name; agents dial local-ipv4, which the cloud replaces by an address",
    ],
    [
      'the first name, for a host that is not covered',
      { host: 'lb.internal' },
      'one.example.com',
      "it is the certificate's first DNS name; agents dial lb.internal, which the certificate does not cover",
    ],
    [
      'a name under the only wildcard',
      { material: names(dns('*.pool.example.com')) },
      'determined-master.pool.example.com',
      "it is a name under the certificate's *.pool.example.com; agents dial 10.0.0.5, an IP address",
    ],
    [
      'the dialled address, when allowed',
      { material: names(ip('10.0.0.5')), allowIpOnly: true },
      undefined,
      'agents verify the address they dial, and the certificate covers it',
    ],
    [
      'another address of the certificate, when allowed',
      { material: names(ip('10.0.0.9')), allowIpOnly: true },
      '10.0.0.9',
      "it is the certificate's first address; agents dial 10.0.0.5, an IP address",
    ],
    [
      'the address that replaces an alias, when allowed',
      { material: names(ip('10.0.0.5')), host: 'internal-ip', allowIpOnly: true },
      undefined,
      'agents verify the address that internal-ip is replaced by, which is unknown until they boot',
    ],
    [
      'a configured address, when allowed',
      { certificateName: '10.0.0.5', allowIpOnly: true },
      '10.0.0.5',
      'it is the configured master_cert_name',
    ],
  ])('%s', (_, ask, name, reason) => {
    const { plan: found } = plan({ material: several, ...ask })
    expect(found!.certificateName).toBe(name)
    expect(found!.certificateNameReason).toBe(reason)
  })

  test('a name that does not match is refused with a list of names', () => {
    const { plan: found, problems } = plan({ material: several, certificateName: 'three.example.com' })
    expect(found).toBeUndefined()
    expect(problems.at(-1)).toMatchObject({
      code: 'TLS_NAME_MISMATCH',
      message:
        'master_cert_name three.example.com is not a name of CN=master; it is valid for: DNS:*.pool.example.com, DNS:one.example.com, DNS:two.example.com, IP:10.0.0.5',
      where,
    })
  })

  test('a long list is cut in the message and complete in the details', () => {
    const many = names(...Array.from({ length: 40 }, (_, i) => dns(`n${i}.example.com`)))
    const { problems } = plan({ material: many, certificateName: 'x.example.com' })
    expect(problems.at(-1)!.message).toMatch(/DNS:n9\.example\.com, and 30 more$/)
    expect(problems.at(-1)!.details!['names']).toHaveLength(40)
  })

  test.each<[string, Ask]>([
    ['addresses only', { material: names(ip('10.0.0.5')) }],
    [
      'addresses only, and one is configured',
      { material: names(ip('10.0.0.5')), certificateName: '10.0.0.5' },
    ],
    ['an address is configured, the certificate not known', { certificateName: '10.0.0.5', trust: 'system' }],
  ])('%s: refused, because of the log shipper of older agents', (_, ask) => {
    expect(plan(ask).codes).toContain('TLS_IP_ONLY')
  })

  test('names that only Go accepts are not used', () => {
    expect(plan({ material: names(dns('*.local'), dns('a.')) }).codes).toContain('TLS_NO_USABLE_NAME')
  })
})

describe('the certificate name, when the certificate that agents receive is unknown', () => {
  test.each<[string, Ask, string | undefined]>([
    ['as configured', { certificateName: 'Proxy.example.com' }, 'proxy.example.com'],
    ['the dialled host', { host: 'proxy.example.com' }, undefined],
    ['the dialled host without its trailing dot', { host: 'proxy.example.com.' }, 'proxy.example.com'],
    ['the host name that replaces an alias', { host: 'public-hostname' }, undefined],
    ['the dialled address, when allowed', { host: '10.0.0.5', allowIpOnly: true }, undefined],
  ])('%s', (_, ask, name) => {
    const { plan: found } = plan({ trust: 'system', ...ask })
    expect(found).toBeDefined()
    expect(found!.certificateName).toBe(name)
  })

  test.each(['10.0.0.5', '2001:db8::7', 'local-ipv4', 'external-ip'])(
    '%s needs a configured name',
    (host) => {
      expect(plan({ trust: 'system', host }).codes).toEqual(['TLS_NAME_NEEDED'])
    },
  )

  test('a configured name must be a host name', () => {
    expect(plan({ trust: 'system', certificateName: 'not a name' }).codes).toEqual(['TLS_NAME_MISMATCH'])
  })
})
