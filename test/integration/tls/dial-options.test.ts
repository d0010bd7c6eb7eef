// Dialling like an agent: what it offers, what it trusts, which names it accepts.
import { once } from 'node:events'
import { type RequestOptions, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import tls from 'node:tls'
import { afterEach, beforeAll, expect, test } from 'vitest'
import { createDevelopmentChain, type DevelopmentChain } from '../../../src/pki/development-ca.ts'
import { type DialTrust, dialOptions } from '../../../src/pki/dial-options.ts'
import { testKey } from '../../support/test-keys.ts'
import { authority, server as certificateFor } from '../../support/x509-profiles.ts'

const name = 'master.example.com'
const servers: tls.Server[] = []
let chain: DevelopmentChain
let untrusted: DevelopmentChain

beforeAll(async () => {
  const request = { names: [name, '*.pool.example.com'], ips: ['127.0.0.1'], days: 1, now: Date.now() }
  chain = await createDevelopmentChain(request)
  untrusted = await createDevelopmentChain(request)
})
afterEach(async () => {
  for (const server of servers.splice(0)) server.close()
})

async function serve(options: tls.TlsOptions = {}, greeting = 'hello'): Promise<tls.Server> {
  const server = tls.createServer({ cert: chain.chain, key: chain.leaf.key, ...options })
  server.on('secureConnection', (socket) => socket.on('error', () => {}).write(greeting))
  servers.push(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return server
}

/** The negotiated protocol, or the code of the refusal. */
async function dial(server: tls.Server, trust: DialTrust): Promise<string> {
  const { port } = server.address() as AddressInfo
  const socket = tls.connect({ host: '127.0.0.1', port, ...dialOptions(trust) })
  try {
    await once(socket, 'secureConnect')
    await once(socket, 'data')
    return socket.getProtocol() ?? 'no protocol'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  } finally {
    socket.destroy()
  }
}

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'a %s master with the embedded chain is trusted',
  async (version) => {
    const server = await serve({ minVersion: version, maxVersion: version })
    expect(await dial(server, { name, ca: chain.chain })).toBe(version)
    expect(await dial(server, { name, ca: chain.root.certificate })).toBe(version)
  },
)

test('a master of another CA is not, whatever this machine trusts', async () => {
  const server = await serve()
  expect(await dial(server, { name, ca: untrusted.chain })).toBe('SELF_SIGNED_CERT_IN_CHAIN')
  expect(await dial(server, { name })).toBe('SELF_SIGNED_CERT_IN_CHAIN')
})

test('anchors without the root are enough for Go, not for tasks', async () => {
  const server = await serve({ cert: chain.leaf.certificate + chain.intermediate.certificate })
  const ca = chain.leaf.certificate + chain.intermediate.certificate
  expect(await dial(server, { name, ca })).toBe('UNABLE_TO_GET_ISSUER_CERT')
  expect(await dial(server, { name, ca, partialChain: true })).toBe('TLSv1.3')
})

test.each([
  ['a name of the certificate', 'master.example.com', 'TLSv1.3'],
  ['the same in upper case', 'MASTER.EXAMPLE.COM', 'TLSv1.3'],
  ['a name under its wildcard', 'a.pool.example.com', 'TLSv1.3'],
  ['an address of the certificate', '127.0.0.1', 'TLSv1.3'],
  ['two labels under its wildcard', 'a.b.pool.example.com', 'ERR_TLS_CERT_ALTNAME_INVALID'],
  [
    'an underscore under its wildcard, which only Go takes',
    'a_b.pool.example.com',
    'ERR_TLS_CERT_ALTNAME_INVALID',
  ],
  ['another name', 'other.example.com', 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ['another address', '127.0.0.2', 'ERR_TLS_CERT_ALTNAME_INVALID'],
])('%s: %s gives %s', async (_, wanted, expected) => {
  expect(await dial(await serve(), { name: wanted, ca: chain.chain })).toBe(expected)
})

test('the name is sent as SNI, an address is not, and neither causes a warning', async () => {
  const warnings: Error[] = []
  const warned = (warning: Error) => warnings.push(warning)
  process.on('warning', warned)
  const server = await serve()
  const seen: unknown[] = []
  server.on('secureConnection', (socket) => seen.push(socket.servername))
  await dial(server, { name, ca: chain.chain })
  await dial(server, { name: '127.0.0.1', ca: chain.chain })
  expect(seen).toEqual([name, false])
  process.off('warning', warned)
  expect(warnings).toEqual([])
})

test('a client certificate is presented to a master that requests one', async () => {
  const server = await serve({ requestCert: true, rejectUnauthorized: false, ca: chain.root.certificate })
  const seen: (string | undefined)[] = []
  server.on('secureConnection', (socket) => seen.push(socket.getPeerX509Certificate()?.subject))
  const clientCertificate = { cert: untrusted.leaf.certificate, key: untrusted.leaf.key }
  await dial(server, { name, ca: chain.chain, clientCertificate })
  await dial(server, { name, ca: chain.chain })
  expect(seen).toEqual([expect.stringContaining(`CN=${name}`), undefined])
})

test('http clients survive a verified chain with an unusual curve', async () => {
  const root = authority('Root')
  const odd = authority('Odd', { issuer: root, key: testKey('brainpool') })
  const leaf = certificateFor(odd)
  const server = await serve(
    { cert: leaf.pem + odd.pem, key: leaf.key.pem },
    'HTTP/1.1 204 No Content\r\n\r\n',
  )
  const { port } = server.address() as AddressInfo
  const options = dialOptions({ name, ca: root.pem }) as RequestOptions
  const asked = request({ host: '127.0.0.1', port, path: '/info', ...options })
  const [answer] = await once(asked.end(), 'response')
  expect(answer.statusCode).toBe(204)
})

test('without verification any certificate and any name are accepted', async () => {
  expect(await dial(await serve(), { name: 'other.example.com', verify: false })).toBe('TLSv1.3')
})

// Each of these works with Node's own defaults; Go offers none of them.
test.each<[string, tls.TlsOptions]>([
  ['the CBC suites with SHA-256', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA256' }],
  ['the CBC suites with SHA-384', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-SHA384' }],
  ['CCM', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-CCM' }],
  ['X448', { ecdhCurve: 'X448' }],
])('a master limited to %s is refused, as by a Go agent', async (_, options) => {
  const server = await serve(options)
  expect(await dial(server, { name, ca: chain.chain })).toMatch(/ALERT_HANDSHAKE_FAILURE$/)
})

test('a master with TLS 1.1 at most is rejected', async () => {
  const server = await serve({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })
  expect(await dial(server, { name, ca: chain.chain })).toBe('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')
})
