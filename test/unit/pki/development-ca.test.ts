// The development CA: its certificates, and the requests it refuses.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { createDevelopmentChain, type DevelopmentChain } from '../../../src/pki/development-ca.ts'
import { ProvisionError } from '../../../src/problems/index.ts'

const now = Date.parse('2026-11-23T12:00:00.789Z')
const day = 86_400_000

describe('a chain for two names and two addresses', () => {
  let chain: DevelopmentChain
  let leaf: X509Certificate
  let intermediate: X509Certificate
  let root: X509Certificate

  beforeAll(async () => {
    chain = await createDevelopmentChain({
      names: ['Master.Example.com', '*.münchen.example', 'master.example.com'],
      ips: ['127.0.0.1', '[::1]'],
      days: 30,
      now,
    })
    leaf = new X509Certificate(chain.leaf.certificate)
    intermediate = new X509Certificate(chain.intermediate.certificate)
    root = new X509Certificate(chain.root.certificate)
  })

  test('names are lower case, IDN is punycode, each appears once', () => {
    expect(leaf.subjectAltName).toBe(
      'DNS:master.example.com, DNS:*.xn--mnchen-3ya.example, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1',
    )
  })

  test('each certificate is signed by the next, and only the two upper ones are CAs', () => {
    expect(leaf.checkIssued(intermediate) && leaf.verify(intermediate.publicKey)).toBe(true)
    expect(intermediate.checkIssued(root) && intermediate.verify(root.publicKey)).toBe(true)
    expect(root.checkIssued(root) && root.verify(root.publicKey)).toBe(true)
    expect([leaf.ca, intermediate.ca, root.ca]).toEqual([false, true, true])
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
  })

  test('each key is the key of its certificate, and is ECDSA P-256', () => {
    for (const pair of [chain.leaf, chain.intermediate, chain.root]) {
      const certificate = new X509Certificate(pair.certificate)
      expect(certificate.checkPrivateKey(createPrivateKey(pair.key))).toBe(true)
      expect(certificate.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' })
    }
  })

  test('the chain is leaf, intermediate, root, in PEM that every reader accepts', () => {
    expect(chain.chain).toBe(chain.leaf.certificate + chain.intermediate.certificate + chain.root.certificate)
    expect(chain.chain).toMatch(
      /^(-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=]{1,64}\n)+-----END CERTIFICATE-----\n){3}$/,
    )
  })

  test('it is valid from an hour before its creation, in whole seconds, and the leaf no longer than its CAs', () => {
    expect(Date.parse(leaf.validFrom)).toBe(Date.parse('2026-11-23T11:00:00Z'))
    expect(Date.parse(leaf.validTo)).toBe(Date.parse('2026-11-23T12:00:00Z') + 30 * day)
    for (const ca of [intermediate, root]) {
      expect(Date.parse(ca.validFrom)).toBeLessThanOrEqual(Date.parse(leaf.validFrom))
      expect(Date.parse(ca.validTo)).toBeGreaterThanOrEqual(Date.parse(leaf.validTo))
    }
  })

  test('serial numbers are positive, 16 bytes and different', () => {
    const serials = [leaf, intermediate, root].map((certificate) => certificate.serialNumber)
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/)
    expect(new Set(serials).size).toBe(3)
  })

  test('two CAs have different names, so that they are not confused', async () => {
    const other = await createDevelopmentChain({ names: ['a.example'], ips: [], days: 1, now })
    expect(new X509Certificate(other.root.certificate).subject).not.toBe(root.subject)
    expect(new X509Certificate(other.leaf.certificate).issuer).not.toBe(leaf.issuer)
  })
})

test('a leaf of 90 years expires before its CAs, across the change of the date format in 2050', async () => {
  const chain = await createDevelopmentChain({ names: ['a.example'], ips: [], days: 90 * 365, now })
  const ends = [chain.leaf, chain.intermediate, chain.root].map((pair) =>
    Date.parse(new X509Certificate(pair.certificate).validTo),
  )
  expect(ends[0]).toBe(Date.parse('2026-11-23T12:00:00Z') + 90 * 365 * day)
  expect(Math.min(...ends)).toBe(ends[0])
})

test('a name too long for a common name is still a subject alternative name', async () => {
  const name = `${'a'.repeat(60)}.${'b'.repeat(60)}.example`
  const chain = await createDevelopmentChain({ names: [name], ips: [], days: 1, now })
  const leaf = new X509Certificate(chain.leaf.certificate)
  expect(leaf.checkHost(name)).toBe(name)
  expect(leaf.subject).toContain('CN=Development server')
})

test.each<[string, string[], string[]]>([
  ['nothing at all', [], []],
  ['an address as a name', ['10.0.0.1'], []],
  ['a name with a blank', ['my master'], []],
  ['an underscore', ['my_master.example.com'], []],
  ['a wildcard that only Go would accept', ['*.local'], []],
  ['a star in the middle', ['a.*.example.com'], []],
  ['a number that is no address', [], ['10.0.0']],
  ['an address with a zone', [], ['fe80::1%eth0']],
  ['a name as an address', [], ['master.example.com']],
])('%s is refused', async (_, names, ips) => {
  await expect(createDevelopmentChain({ names, ips, days: 1, now })).rejects.toMatchObject({
    code: 'CERTS_REQUEST_INVALID',
  })
})

test('reports all invalid entries at once', async () => {
  const chain = createDevelopmentChain({
    names: ['a b', 'good.example', '10.0.0.1'],
    ips: ['x'],
    days: 1,
    now,
  })
  const error = await chain.catch((e: unknown) => e)
  expect(error).toBeInstanceOf(ProvisionError)
  expect((error as ProvisionError).problems.map((p) => p.message)).toEqual([
    '"a b" is not a hostname',
    '10.0.0.1 is an IP address, not a name; pass it with --ip',
    '"x" is not an IP address',
  ])
})

test.each([0, -1, Number.NaN, 36_501, Number.POSITIVE_INFINITY])(
  'a lifetime of %s days is refused',
  async (days) => {
    await expect(createDevelopmentChain({ names: ['a.example'], ips: [], days, now })).rejects.toMatchObject({
      code: 'CERTS_REQUEST_INVALID',
    })
  },
)
