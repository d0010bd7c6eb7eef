// The preflight with masters that refuse Go agents or require certificates.
import type { TlsOptions } from 'node:tls'
import { afterEach, expect, test } from 'vitest'
import { type PreflightOrder, type PreflightResult, preflight } from '../../../src/pki/preflight.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { embed, latch, Masters, plan } from '../../support/masters.ts'
import { type KeyKind, testKey } from '../../support/test-keys.ts'
import { fullAuthorityKeyId } from '../../support/x509-extensions.ts'
import { authority, server } from '../../support/x509-profiles.ts'

const masters = new Masters()
const name = 'master.example.com'
afterEach(() => masters.close())

const root = authority('Root')
const trust = embed(name, ['root', root.pem])

function pair(kind: KeyKind = 'p256'): { cert: string; key: string } {
  const leaf = server(root, { key: testKey(kind) })
  return { cert: leaf.pem + root.pem, key: leaf.key.pem }
}

function dial(port: number, more: Partial<PreflightOrder> = {}): Promise<PreflightResult> {
  const address = { scheme: 'https', host: '127.0.0.1', port } as const
  return preflight({ address, plan: trust, timeoutMs: 60_000, clock: systemClock, ...more })
}

async function expectWrong(result: Promise<PreflightResult>, code: string): Promise<void> {
  const { verdict, problem } = await result
  expect(problem?.code, problem?.message).toBe(code)
  expect(verdict).toBe('wrong')
}

/** A TLS alert as a server sends it instead of its ServerHello (RFC 8446 section 6). */
const alert = (description: number) => Buffer.from([0x15, 3, 3, 0, 2, 2, description])

test.each<[string, KeyKind, TlsOptions]>([
  ['a key on secp256k1', 'secp256k1', { ecdhCurve: 'secp256k1:X25519' }],
  ['a key on a brainpool curve', 'brainpool', { ecdhCurve: 'brainpoolP256r1:X25519' }],
  ['the same under TLS 1.2', 'brainpool', { ecdhCurve: 'brainpoolP256r1:X25519', maxVersion: 'TLSv1.2' }],
  ['a key on P-224', 'p224', {}],
  ['an Ed448 key', 'ed448', {}],
  ['RSA-PSS', 'rsa-pss', {}],
  ['RSA key exchange', 'rsa2048', { maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA' }],
  ['DHE', 'rsa2048', { maxVersion: 'TLSv1.2', ciphers: 'DHE-RSA-AES128-GCM-SHA256', dhparam: 'auto' }],
  ['CBC with SHA-384', 'p256', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-SHA384' }],
  ['X448', 'p256', { ecdhCurve: 'X448' }],
])('a master limited to %s: Go agents could not join, and Node does not crash', async (_, kind, options) => {
  const port = await masters.secure({ ...pair(kind), ...options })
  await expectWrong(dial(port), 'PREFLIGHT_HANDSHAKE_REFUSED')
})

test.each(['brainpool', 'secp256k1'] as const)(
  'an intermediate with a %s key: OpenSSL accepts it, Go agents cannot read it, Node does not crash',
  async (kind) => {
    const odd = authority('Odd', { issuer: root, key: testKey(kind) })
    const leaf = server(odd)
    const port = await masters.secure({ cert: leaf.pem + odd.pem, key: leaf.key.pem })
    const result = dial(port)
    await expectWrong(result, 'PREFLIGHT_GO_REFUSES')
    expect((await result).problem!.message).toMatch(/CN=Odd has a key on .*(brainpool|secp256k1)/)
  },
)

test('what Go cannot read it also refuses without verification', async () => {
  const negative = server(root, { serial: Buffer.from([0x80, 1]) })
  const port = await masters.secure({ cert: negative.pem + root.pem, key: negative.key.pem })
  await expectWrong(dial(port), 'PREFLIGHT_GO_REFUSES')
  await expectWrong(dial(port, { plan: plan('skip_verify', name) }), 'PREFLIGHT_GO_REFUSES')
})

test('a master with TLS 1.1 at most', async () => {
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
  await expectWrong(dial(await masters.secure({ ...pair(), ...old })), 'PREFLIGHT_TLS_TOO_OLD')
})

test('a proxy that does not know the name', async () => {
  const port = await masters.tcp((socket) => socket.once('data', () => socket.end(alert(112))))
  const result = dial(port)
  await expectWrong(result, 'PREFLIGHT_SNI_REFUSED')
  expect((await result).problem!.message).toBe(`127.0.0.1:${port} rejects the server name (SNI) ${name}`)
})

test.each([
  ['TLSv1.3', 'PREFLIGHT_CLIENT_CERT_REQUIRED'],
  ['TLSv1.2', 'PREFLIGHT_HANDSHAKE_REFUSED'],
] as const)('a master that demands a client certificate over %s', async (version, code) => {
  const options = { requestCert: true, rejectUnauthorized: true, minVersion: version, maxVersion: version }
  const port = await masters.secure({ ...pair(), ...options, ca: root.pem })
  await expectWrong(dial(port), code)
  // Agents with such a certificate may join; their key is not available here.
  expect(await dial(port, { agentsHaveClientCertificate: true })).toMatchObject({
    verdict: 'unverified',
    problem: { code },
  })
})

test('an internal error is reported without its location in the sources of OpenSSL', async () => {
  const port = await masters.tcp((socket) => socket.once('data', () => socket.end(alert(80))))
  const { verdict, problem } = await dial(port)
  expect(verdict).toBe('unverified')
  expect(problem!.message).toMatch(/^127\.0\.0\.1:\d+: the TLS library reports: .*alert internal error$/)
})

test('it dials what agents would dial: their host, not ours', async () => {
  const asked = latch()
  let request = ''
  const port = await masters.secure(pair(), (socket) =>
    socket.once('data', (bytes) => {
      request = bytes.toString()
      asked.open()
      socket.end('HTTP/1.1 200 OK\r\n\r\n')
    }),
  )
  await dial(port, {
    address: { scheme: 'https', host: name, port: 8443 },
    dialAddress: { host: '127.0.0.1', port },
  })
  await asked.opened
  expect(request).toMatch(/^GET \/info HTTP\/1\.1\r\n/)
  expect(request.toLowerCase()).toContain(`\r\nhost: ${name}:8443\r\n`)
})

test('a CA that was renewed under the same key is told as what it is', async () => {
  const old = authority('Easy CA', { serial: Buffer.from([1]) })
  const renewed = authority('Easy CA', { serial: Buffer.from([2]) })
  const extra = [fullAuthorityKeyId(old.key, old.subject, Buffer.from([1]))]
  const leaf = server(old, { aki: false, extra })
  for (const cert of [leaf.pem, leaf.pem + renewed.pem]) {
    const port = await masters.secure({ cert, key: leaf.key.pem })
    const { verdict, problem } = await dial(port, { plan: embed(name, ['root', renewed.pem]) })
    expect(verdict).toBe('wrong')
    expect(problem!.message).toContain(
      'CN=master was signed with the key of CN=Easy CA, but its authority key identifier names the serial number 01 instead of 02',
    )
    expect(problem!.remedy).toContain('put the CA certificate that it names')
  }
})
