// The preflight with ports that are not a master, or not reachable: nothing is concluded without a response.
import type { LookupFunction, Socket } from 'node:net'
import { afterEach, beforeAll, expect, test } from 'vitest'
import { createDevelopmentChain } from '../../../src/pki/development-ca.ts'
import { type PreflightOrder, type PreflightResult, preflight } from '../../../src/pki/preflight.ts'
import type { TrustPlan } from '../../../src/pki/trust-plan.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { answerInfo, embed, latch, Masters, plan } from '../../support/masters.ts'

const masters = new Masters()
const name = 'master.example.com'
let trust: TrustPlan
let server: { cert: string; key: string }

beforeAll(async () => {
  const chain = await createDevelopmentChain({ names: [name], ips: [], days: 1, now: Date.now() })
  trust = embed(
    name,
    ['leaf', chain.leaf.certificate],
    ['intermediate', chain.intermediate.certificate],
    ['root', chain.root.certificate],
  )
  server = { cert: chain.chain, key: chain.leaf.key }
})
afterEach(() => masters.close())

function dial(port: number, more: Partial<PreflightOrder> = {}): Promise<PreflightResult> {
  const address = { scheme: 'https', host: '127.0.0.1', port } as const
  return preflight({ address, plan: trust, timeoutMs: 5000, clock: new FakeClock(), ...more })
}

/** Advances the clock past the deadline once the other side has the connection (or once `when` resolves). */
async function dialUntilTimeout(
  when: (reached: () => void) => Promise<number>,
  more: Partial<PreflightOrder> = {},
): Promise<PreflightResult> {
  const clock = new FakeClock()
  const reached = latch()
  const result = dial(await when(reached.open), { clock, ...more })
  await reached.opened
  await clock.advance(5000)
  return result
}

function expectUnverified(result: PreflightResult, code: string, message: string | RegExp): void {
  expect(result.verdict).toBe('unverified')
  expect(result.problem?.code).toBe(code)
  expect(result.problem?.message).toMatch(message)
}

const once =
  (code: string): LookupFunction =>
  (_host, _options, done) =>
    done(Object.assign(new Error(`getaddrinfo ${code}`), { code, syscall: 'getaddrinfo' }), '', 4)

test('nothing listens', async () => {
  const port = await masters.closedPort()
  expectUnverified(
    await dial(port),
    'PREFLIGHT_REFUSED',
    `nothing listens on 127.0.0.1:${port}: connection refused`,
  )
})

test('no route: multicast is not an address of a TCP peer', async () => {
  const result = await dial(1, { dialAddress: { host: '224.0.0.1', port: 8443 } })
  expectUnverified(result, 'PREFLIGHT_NO_ROUTE', 'no route to 224.0.0.1:8443 (agents dial 127.0.0.1:1)')
})

test.each([
  ['ENOTFOUND', 'PREFLIGHT_DNS_NOT_FOUND', 'the host of nowhere.example:8443 does not resolve on this machine'],
  [
    'EAI_AGAIN',
    'PREFLIGHT_DNS_FAILED',
    'the name server gave no answer for the host of nowhere.example:8443',
  ],
])('the name server answers %s', async (code, expected, message) => {
  const address = { scheme: 'https', host: 'nowhere.example', port: 8443 } as const
  expectUnverified(await dial(8443, { address, lookup: once(code) }), expected, message)
})

test('the DNS server does not respond', async () => {
  const address = { scheme: 'https', host: 'nowhere.example', port: 8443 } as const
  const silent =
    (reached: () => void): LookupFunction =>
    () =>
      reached()
  const clock = new FakeClock()
  const reached = latch()
  const result = dial(8443, { address, clock, lookup: silent(reached.open) })
  await reached.opened
  await clock.advance(5000)
  expectUnverified(await result, 'PREFLIGHT_DNS_FAILED', 'gave no answer')
  expect((await result).phase).toBe('lookup')
})

test('of a host with several addresses, the first refusal is reported', async () => {
  const port = await masters.closedPort()
  const address = { scheme: 'https', host: 'two.example', port } as const
  const lookup: LookupFunction = (_host, _options, done) =>
    done(null, [
      { address: '127.0.0.1', family: 4 },
      { address: '127.0.0.2', family: 4 },
    ])
  expectUnverified(
    await dial(port, { address, lookup }),
    'PREFLIGHT_REFUSED',
    `nothing listens on two.example:${port}`,
  )
})

const inCloud = { scheme: 'https', host: 'local-ipv4', port: 8443, alias: 'address' } as const

test('an address that only agents can resolve is not dialled', async () => {
  const result = await dial(8443, { address: inCloud })
  expectUnverified(result, 'PREFLIGHT_NO_ADDRESS', 'agents dial `local-ipv4`, which only they can resolve')
})

test('another address is dialled instead of it, and the certificate name is still verified', async () => {
  const port = await masters.secure(server)
  const result = await dial(port, {
    address: inCloud,
    dialAddress: { host: '127.0.0.1', port },
  })
  expect(result).toMatchObject({ verdict: 'ok', name, dialled: { host: '127.0.0.1', port } })
})

test('a port that accepts connections and does not respond', async () => {
  const result = await dialUntilTimeout((reached) => masters.tcp((socket) => socket.once('data', reached)))
  expectUnverified(result, 'PREFLIGHT_NO_TLS_ANSWER', 'did not answer the TLS handshake within 5 s')
  expect(result.phase).toBe('handshake')
})

test('TLS is valid, but there is no response', async () => {
  const result = await dialUntilTimeout((reached) =>
    masters.secure(server, (socket) => socket.once('data', reached)),
  )
  expectUnverified(result, 'PREFLIGHT_NO_HTTP_ANSWER', 'did not answer GET /info within 5 s')
  expect(result).toMatchObject({ phase: 'http', protocol: 'TLSv1.3' })
})

test.each<[string, (socket: Socket) => void]>([
  ['hangs up at once', (socket) => socket.end()],
  ['resets at once', (socket) => socket.resetAndDestroy()],
  ['hangs up after the greeting', (socket) => socket.once('data', () => socket.end())],
  ['resets after the greeting', (socket) => socket.once('data', () => socket.resetAndDestroy())],
])('a port that %s', async (_, serve) => {
  const port = await masters.tcp(serve)
  expectUnverified(
    await dial(port),
    'PREFLIGHT_CLOSED_IN_HANDSHAKE',
    'cut the connection during the TLS handshake',
  )
})

test('TLS is valid, and then the connection is closed', async () => {
  const port = await masters.secure(server, (socket) => socket.once('data', () => socket.destroy()))
  expectUnverified(
    await dial(port),
    'PREFLIGHT_CLOSED_AFTER_CONNECT',
    'cut the connection before it answered',
  )
})

test('plain HTTP where TLS is expected', async () => {
  const port = await masters.tcp(answerInfo())
  const result = await dial(port)
  expect(result.verdict).toBe('wrong')
  expect(result.problem).toMatchObject({
    code: 'PREFLIGHT_NOT_TLS',
    message: `127.0.0.1:${port} does not speak TLS: it answers plain HTTP (status 200)`,
  })
})

test.each<[string, string]>([
  ['a banner', 'SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n'],
  ['any bytes', 'no protocol that anybody knows of\n'],
])('%s where TLS is expected', async (_, bytes) => {
  const port = await masters.tcp((socket) => socket.end(bytes))
  const result = await dial(port)
  expect(result.verdict).toBe('wrong')
  expect(result.problem).toMatchObject({
    code: 'PREFLIGHT_NOT_TLS',
    message: `127.0.0.1:${port} does not speak TLS`,
  })
})

test('TLS is valid, but the response is not HTTP', async () => {
  const port = await masters.secure(server, (socket) => socket.end('SSH-2.0-OpenSSH_9.2p1\r\n'))
  const result = await dial(port)
  expect(result).toMatchObject({ verdict: 'wrong', problem: { code: 'PREFLIGHT_NOT_HTTP' } })
})

test('an aborted preflight rejects with the reason, and only with it', async () => {
  const reached = latch()
  const port = await masters.tcp((socket) => socket.once('data', () => reached.open()))
  const stop = new AbortController()
  const result = dial(port, { signal: stop.signal })
  await reached.opened
  stop.abort(new Error('going home'))
  await expect(result).rejects.toThrow('going home')
  await expect(dial(port, { signal: stop.signal })).rejects.toThrow('going home')
})

test('a port out of range does not crash', async () => {
  expectUnverified(await dial(70_000), 'PREFLIGHT_FAILED', '127.0.0.1:70000')
})

test('agents without TLS: a plain master passes, a TLS port is reported', async () => {
  const off = plan('off', '')
  const address = { scheme: 'http', host: '127.0.0.1' } as const
  const plainPort = await masters.tcp(answerInfo())
  expect(await dial(plainPort, { plan: off, address: { ...address, port: plainPort } })).toMatchObject({
    verdict: 'ok',
    master: { version: '0.38.1', clusterId: 'c-1' },
  })
  const securePort = await masters.secure(server)
  const wrong = await dial(securePort, { plan: off, address: { ...address, port: securePort } })
  expect(wrong).toMatchObject({ verdict: 'wrong', problem: { code: 'PREFLIGHT_TLS_PORT' } })
})

test('agents without TLS: Go and nginx answer plain text on a TLS port with a 400', async () => {
  const port = await masters.tcp((socket) =>
    socket.once('data', (bytes) => {
      if (bytes[0] === 0x16) socket.end(Buffer.from('15030300020228', 'hex'))
      else socket.end('HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n')
    }),
  )
  const result = await dial(port, { plan: plan('off', '') })
  expect(result).toMatchObject({ verdict: 'wrong', problem: { code: 'PREFLIGHT_TLS_PORT' }, httpStatus: 400 })
})

test('agents without TLS: a 400 from a server without TLS is a response, but not that of a master', async () => {
  const port = await masters.tcp(answerInfo('no', 400))
  const result = await dial(port, { plan: plan('off', '') })
  expect(result).toMatchObject({ verdict: 'wrong', problem: { code: 'PREFLIGHT_NOT_A_MASTER' } })
})
