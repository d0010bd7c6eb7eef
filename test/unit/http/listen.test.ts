import { duplexPair } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  type HandshakeFailure,
  type Listener,
  type ListenOptions,
  listen,
  listenProblem,
} from '../../../src/http/listen.ts'
import { readJson, sendJson } from '../../../src/http/router.ts'
import { healthHandler } from '../../../src/http/status-endpoints.ts'
import { createDevelopmentChain, type DevelopmentChain } from '../../../src/pki/development-ca.ts'
import type { Handler } from '../../../src/platform/ports.ts'
import type { ProvisionError } from '../../../src/problems/index.ts'
import { rawClient, rawTlsClient, until } from '../../support/server.ts'
import { silentLogger } from '../../support/silent-logger.ts'

const get = 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
const hello: Handler = (_request, response) => sendJson(response, 200, { hello: 'world' })
let first: DevelopmentChain
let second: DevelopmentChain
const open: Listener[] = []

beforeAll(async () => {
  const request = { names: ['master.test'], ips: [], days: 30, now: Date.now() }
  first = await createDevelopmentChain(request)
  second = await createDevelopmentChain(request)
})

afterEach(() => Promise.all(open.splice(0).map((listener) => listener.close(0))))

async function serve(options: Partial<ListenOptions> = {}): Promise<Listener> {
  const listener = await listen({
    address: '127.0.0.1',
    port: 0,
    handlers: [hello],
    logger: silentLogger,
    ...options,
  })
  open.push(listener)
  return listener
}

const pairOf = (chain: DevelopmentChain) => ({ cert: chain.chain, key: chain.leaf.key })
const trusting = (chain: DevelopmentChain) => ({
  ca: chain.root.certificate,
  servername: 'master.test',
  rejectUnauthorized: true,
})

describe('a port that is not available', () => {
  it('is reported with the remedy when another process uses it', async () => {
    const { port } = await serve()
    const error = (await serve({ port }).catch((e) => e)) as ProvisionError
    expect(error.code).toBe('LISTEN_PORT_TAKEN')
    expect(error.problems[0]!.remedy).toContain(String(port))
  })

  it('is reported when the address is not of this machine', async () => {
    await expect(serve({ address: '203.0.113.1' })).rejects.toMatchObject({ code: 'LISTEN_NO_SUCH_ADDRESS' })
    await expect(serve({ address: 'no-such-host.invalid' })).rejects.toMatchObject({
      code: 'LISTEN_NO_SUCH_ADDRESS',
    })
  })

  it.each([
    ['EACCES', 'LISTEN_NOT_PERMITTED'],
    ['EMFILE', 'LISTEN_FAILED'],
  ])('%s is %s', (code, expected) => {
    const problem = listenProblem(Object.assign(new Error('no'), { code }), '::1', 443)
    expect(problem).toMatchObject({ code: expected, message: expect.stringContaining('[::1], port 443') })
  })
})

describe('the certificate', () => {
  it('must be usable from the start', async () => {
    const mixed = { cert: first.chain, key: second.leaf.key }
    const error = (await serve({ tls: mixed }).catch((e) => e)) as ProvisionError
    expect(error.code).toBe('CERTIFICATE_NOT_SERVED')
    expect(JSON.stringify(error.problems)).not.toContain('PRIVATE KEY')
  })

  it('is served with TLS 1.2 or later, with its whole chain', async () => {
    const { port } = await serve({ tls: pairOf(first) })
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const client = rawTlsClient(port, { ...trusting(first), minVersion: version, maxVersion: version }, get)
      expect(await client.end).toContain('{"hello":"world"}')
    }
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' } as const
    expect(await rawTlsClient(port, old, get).end).toBe('')
  })

  it('is replaced for new connections while open ones continue', async () => {
    const listener = await serve({ tls: pairOf(first) })
    const keep = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'
    const early = rawTlsClient(listener.port, trusting(first), keep)
    await until(() => early.text().includes('world'))
    expect(listener.useCertificate(pairOf(second))).toBeUndefined()
    expect(await rawTlsClient(listener.port, trusting(second), get).end).toContain('world')
    expect(await rawTlsClient(listener.port, trusting(first), get).end).toBe('')
    early.socket.write(get)
    expect((await early.end).match(/world/g)).toHaveLength(2)
  })

  it.each([
    ['of another key', () => ({ cert: second.chain, key: first.leaf.key })],
    ['cut short', () => ({ cert: second.chain.slice(0, 400), key: second.leaf.key })],
    ['empty', () => ({ cert: '', key: second.leaf.key })],
  ])('that is %s changes nothing', async (_, broken) => {
    const listener = await serve({ tls: pairOf(first) })
    expect(listener.useCertificate(broken())).toMatchObject({ code: 'CERTIFICATE_NOT_SERVED' })
    expect(await rawTlsClient(listener.port, trusting(first), get).end).toContain('world')
  })
})

/** A real ClientHello of TLS 1.2, then the fatal alert of a client that has verified our certificate. */
function refuseWithAlert(port: number, alert: number): void {
  const [near, far] = duplexPair()
  const { socket } = rawClient(port)
  far.once('data', (hello) => socket.write(hello))
  socket.once('data', () => socket.write(Buffer.from([0x15, 3, 3, 0, 2, 2, alert])))
  connectTls({ socket: near, maxVersion: 'TLSv1.2' }).on('error', () => {})
}

describe('a client whose handshake fails', () => {
  async function failureOf(
    attempt: (port: number) => void,
  ): Promise<HandshakeFailure & { remoteAddress?: string }> {
    const failures: HandshakeFailure[] = []
    const { port } = await serve({
      tls: pairOf(first),
      limits: { handshake: 200 },
      onHandshakeFailure: (failure) => failures.push(failure),
    })
    attempt(port)
    await until(() => failures.length)
    return failures[0]!
  }

  it.each([
    ['unknown_ca', 48, 'does not trust the CA'],
    ['bad_certificate, as Go says whatever is wrong', 42, 'wrong CA, name or date'],
    ['certificate_unknown', 46, 'wrong CA, name or date'],
    ['certificate_expired', 45, 'not valid now'],
  ])('is named when it refuses our certificate: %s', async (_, alert, message) => {
    const failure = await failureOf((port) => refuseWithAlert(port, alert))
    expect(failure).toMatchObject({
      kind: 'certificate_refused',
      message: expect.stringContaining(message),
      remoteAddress: '127.0.0.1',
    })
  })

  it('is logged when it disconnects', async () => {
    const failure = await failureOf((port) => void rawTlsClient(port, trusting(second)))
    expect(failure).toMatchObject({ kind: 'broken', remoteAddress: '127.0.0.1' })
  })

  it('is logged when it speaks plain HTTP', async () => {
    expect(await failureOf((port) => void rawClient(port, get))).toMatchObject({ kind: 'plain_text' })
  })

  it('is logged when it speaks another protocol', async () => {
    expect(await failureOf((port) => void rawClient(port, 'SSH-2.0-OpenSSH_9.6\r\n'))).toMatchObject({
      kind: 'not_tls',
    })
  })

  it('is logged when its TLS version is too old', async () => {
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' } as const
    expect(await failureOf((port) => void rawTlsClient(port, old))).toMatchObject({ kind: 'tls_too_old' })
  })

  it('is disconnected when it sends nothing', async () => {
    let closed: Promise<string> | undefined
    const failure = await failureOf((port) => {
      closed = rawClient(port).end
    })
    expect(failure).toMatchObject({ kind: 'timeout' })
    await closed
  })
})

describe('TLS 1.2 renegotiation', () => {
  it('is refused and the server keeps running', async () => {
    const { port } = await serve({ tls: pairOf(first) })
    const client = rawTlsClient(port, { ...trusting(first), maxVersion: 'TLSv1.2' })
    await until(() => client.socket.authorized)
    const outcome = await new Promise<Error | null>((resolve) => {
      client.socket.renegotiate({}, resolve)
      client.socket.once('error', resolve)
    })
    expect(outcome).toBeInstanceOf(Error)
    expect(await rawTlsClient(port, trusting(first), get).end).toContain('world')
  })
})

describe('a slow or greedy client', () => {
  it.each([
    ['says nothing', ''],
    ['never ends its headers', 'GET / HTTP/1.1\r\nHost: x\r\nX-Slow: '],
  ])('that %s is cut off', async (_, sent) => {
    const { port } = await serve({ limits: { headers: 150, request: 300 } })
    await rawClient(port, sent).end
  })

  it('that never ends its body is disconnected', async () => {
    const reading: Handler = async (request, response) => {
      const body = await readJson(request)
      return sendJson(response, 200, body)
    }
    const { port } = await serve({ handlers: [reading], limits: { headers: 150, request: 200 } })
    const client = rawClient(port, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{')
    expect(await client.end).toMatch(/^(HTTP\/1.1 408|$)/)
  })

  it('that sends endless headers gets 431', async () => {
    const { port } = await serve()
    const answer = await rawClient(port, `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}`).end
    expect(answer).toMatch(/^HTTP\/1.1 431/)
  })

  it('that is not an HTTP client gets 400', async () => {
    const { port } = await serve()
    expect(await rawClient(port, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc').end).toMatch(/^HTTP\/1.1 400/)
  })

  it('is refused when all connections are in use', async () => {
    const { port } = await serve({ limits: { connections: 2 } })
    const [one, two] = [rawClient(port), rawClient(port)]
    await until(() => one.socket.readyState === 'open' && two.socket.readyState === 'open')
    expect(await rawClient(port, get).end).toBe('')
    one.socket.destroy()
    two.socket.destroy()
  })
})

describe('requests', () => {
  it('go to the first handler that accepts them; a failing one affects no other', async () => {
    const handlers: Handler[] = [
      healthHandler(() => []),
      (request) => {
        if (request.url === '/throw') throw new Error('secret detail')
        return false
      },
    ]
    const { port } = await serve({ handlers })
    const ask = (path: string) => rawClient(port, get.replace('/', path)).end
    expect(await ask('/healthz')).toContain('"status":"ok"')
    expect(await ask('/nowhere')).toMatch(/^HTTP\/1.1 404[\s\S]*not found: \/nowhere/)
    const failed = await ask('/throw')
    expect(failed).toMatch(/^HTTP\/1.1 500/)
    expect(failed).not.toContain('secret')
    expect(await ask('/healthz')).toMatch(/^HTTP\/1.1 200/)
  })

  it('for an unsupported upgrade are answered in JSON', async () => {
    const { port } = await serve()
    const upgrade = (to: string) =>
      `GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ${to}\r\n\r\n`
    expect(await rawClient(port, upgrade('websocket')).end).toMatch(/^HTTP\/1.1 404[\s\S]*{"message":/)
    expect(await rawClient(port, upgrade('h2c')).end).toMatch(/^HTTP\/1.1 400/)
  })
})

describe('closing', () => {
  it('lets a request in progress end, and accepts no new ones', async () => {
    let answer: (() => void) | undefined
    const slow: Handler = (_request, response) =>
      new Promise((resolve) => {
        answer = () => resolve(sendJson(response, 200, { late: true }))
      })
    const listener = await serve({ handlers: [slow] })
    const client = rawClient(listener.port, get)
    await until(() => answer)
    const closed = listener.close(10_000)
    expect(await rawClient(listener.port, get).end).toBe('')
    answer!()
    expect(await client.end).toContain('"late":true')
    await closed
  })

  it('cuts requests that do not end', async () => {
    const listener = await serve({ handlers: [() => new Promise(() => {})] })
    const client = rawClient(listener.port, get)
    await until(() => client.socket.bytesWritten > 0)
    await listener.close(50)
    expect(await client.end).toBe('')
  })

  it('is reported by /healthz before it happens', async () => {
    const faults: string[] = []
    const { port } = await serve({ handlers: [healthHandler(() => faults)] })
    faults.push('stopping')
    const answer = await rawClient(port, get.replace('/', '/healthz')).end
    expect(answer).toMatch(/^HTTP\/1.1 503[\s\S]*{"status":"failing","faults":\["stopping"\]}/)
  })
})
