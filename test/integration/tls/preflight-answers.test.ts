// The preflight with servers that answer HTTP: a master passes, a proxy's page does not, and a busy server may pass
// later.
import type { Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { type PreflightOrder, type PreflightResult, preflight } from '../../../src/pki/preflight.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { answerInfo, embed, infoBody, latch, Masters, plan } from '../../support/masters.ts'
import { authority, server } from '../../support/x509-profiles.ts'

const masters = new Masters()
const name = 'master.example.com'
afterEach(() => masters.close())

const root = authority('Root')
const leaf = server(root)
const pair = { cert: leaf.pem + root.pem, key: leaf.key.pem }
const trust = embed(name, ['root', root.pem])

function dial(port: number, more: Partial<PreflightOrder> = {}): Promise<PreflightResult> {
  const address = { scheme: 'https', host: '127.0.0.1', port } as const
  return preflight({ address, plan: trust, timeoutMs: 60_000, clock: systemClock, ...more })
}

function answer(status: string, body = '', ...headers: string[]): string {
  const head = [`HTTP/1.1 ${status}`, ...headers, `Content-Length: ${Buffer.byteLength(body)}`]
  return [...head, '', body].join('\r\n')
}

/** One response to everything, on every connection. */
function says(status: string, body = '', ...headers: string[]): (socket: Socket) => void {
  return (socket) => socket.once('data', () => socket.end(answer(status, body, ...headers)))
}

/** Answers GET /info in one way, and an upgrade in the other. */
function byRequest(
  info: (socket: Socket) => void,
  upgrade: (socket: Socket, request: string) => void,
): (socket: Socket) => void {
  return (socket) =>
    socket.once('data', (bytes) => {
      const request = bytes.toString()
      if (request.startsWith('GET /info ')) info(socket)
      else upgrade(socket, request)
    })
}

const masterInfo = (socket: Socket) => socket.end(answer('200 OK', infoBody))
const masterUpgrade = (socket: Socket) => socket.end(answer('500 Internal Server Error', 'reconnect'))

const page = (title: string) => `<html><head><title>${title}</title></head><body>${title}</body></html>`
const nginx400 = `<html>\r\n<head><title>400 No required SSL certificate was sent</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n</body></html>`

type Row = [what: string, serve: (socket: Socket) => void, verdict: string, code: string, message: RegExp]
const wrong: Row[] = [
  [
    'a sign-in elsewhere',
    says('302 Found', page('Found'), 'Location: https://sso.example.com/login?state=s3cr3t', 'Server: nginx'),
    'wrong',
    'PREFLIGHT_NOT_A_MASTER',
    /status 302 to sso\.example\.com \(nginx; "Found"\)$/,
  ],
  [
    'a page that moved',
    says('301 Moved', '', 'Location: /ui/'),
    'wrong',
    'PREFLIGHT_NOT_A_MASTER',
    /status 301 to the same host$/,
  ],
  ['a page behind a password', says('401 Unauthorized'), 'wrong', 'PREFLIGHT_NOT_A_MASTER', /status 401$/],
  [
    'a firewall',
    says('403 Forbidden', page('Access denied')),
    'wrong',
    'PREFLIGHT_NOT_A_MASTER',
    /status 403 \("Access denied"\)$/,
  ],
  [
    'no page',
    says('404 Not Found', '{"message":"Not Found"}'),
    'wrong',
    'PREFLIGHT_NOT_A_MASTER',
    /status 404 \("Not Found"\)$/,
  ],
  ['a forward proxy', says('407 Proxy Authentication Required'), 'wrong', 'PREFLIGHT_NOT_A_MASTER', /407$/],
  ['only another protocol', says('426 Upgrade Required'), 'wrong', 'PREFLIGHT_NOT_A_MASTER', /426$/],
  [
    'a switch that nobody asked for',
    says('101 Switching Protocols'),
    'wrong',
    'PREFLIGHT_NOT_A_MASTER',
    /101$/,
  ],
  [
    'another service',
    says('200 OK', page('hello')),
    'wrong',
    'PREFLIGHT_NOT_A_MASTER',
    /status 200 \("hello"\)$/,
  ],
  ['JSON of something else', says('200 OK', '{"version": 7}'), 'wrong', 'PREFLIGHT_NOT_A_MASTER', /200/],
  ['JSON that is no object', says('200 OK', 'null'), 'wrong', 'PREFLIGHT_NOT_A_MASTER', /200/],
  [
    'JSON of something nearly like it',
    says('200 OK', '{"version": "1", "cluster_id": 7}'),
    'wrong',
    'PREFLIGHT_NOT_A_MASTER',
    /200/,
  ],
  [
    "nginx's page for a missing client certificate",
    says('400 Bad Request', nginx400, 'Server: nginx/1.24.0'),
    'wrong',
    'PREFLIGHT_CLIENT_CERT_REQUIRED',
    /requires a client certificate that it accepts: it answered GET \/info with status 400 \(nginx\/1\.24\.0; "400 No required SSL/,
  ],
  ['status 496', says('496 SSL Certificate Required'), 'wrong', 'PREFLIGHT_CLIENT_CERT_REQUIRED', /496$/],
  [
    'IIS without a client certificate',
    says('403 Forbidden', page('403.7 - Forbidden: SSL client certificate is required.')),
    'wrong',
    'PREFLIGHT_CLIENT_CERT_REQUIRED',
    /client certificate is required/,
  ],
  [
    'a proxy without its master',
    says('502 Bad Gateway', page('502')),
    'unverified',
    'PREFLIGHT_UNAVAILABLE',
    /502/,
  ],
  [
    'a master that starts',
    says('503 Service Unavailable', infoBody),
    'unverified',
    'PREFLIGHT_UNAVAILABLE',
    /503/,
  ],
  ['a limit of requests', says('429 Too Many Requests'), 'unverified', 'PREFLIGHT_UNAVAILABLE', /429/],
  ['a proxy that waited', says('408 Request Timeout'), 'unverified', 'PREFLIGHT_UNAVAILABLE', /408/],
  ['a request too early', says('425 Too Early'), 'unverified', 'PREFLIGHT_UNAVAILABLE', /425/],
]

test.each(wrong)('%s is not a master', async (_, serve, verdict, code, message) => {
  const result = await dial(await masters.secure(pair, serve))
  expect(result.problem).toMatchObject({ code, severity: 'error', message: expect.stringMatching(message) })
  expect(result).toMatchObject({ verdict, warnings: [] })
})

test('the response is quoted in one short line without its secrets', async () => {
  const title = `\u001b[31m\u202e${'long '.repeat(100)}`
  const long = await dial(await masters.secure(pair, says('200 OK', page(title))))
  expect(long.problem!.message).toMatch(/\("\S{1,8} ?(long )+lo?n?g?…"\)$/)
  expect(long.problem!.message).not.toMatch(/[\u001b\u202e]/)
  const token = await dial(await masters.secure(pair, says('404 No', `key ghp_${'a'.repeat(36)}`)))
  expect(token.problem!.message).not.toContain('ghp_')
})

test.each([401, 403])('agents with their own client certificate may pass a %i', async (status) => {
  const port = await masters.secure(pair, says(`${status} No`))
  expect(await dial(port, { agentsHaveClientCertificate: true })).toMatchObject({
    verdict: 'unverified',
    problem: { code: 'PREFLIGHT_CLIENT_CERT_REQUIRED' },
  })
})

describe('the agent socket', () => {
  const socketOf = (status: number, body = '') =>
    masters.secure(pair, answerInfo(infoBody, 200, { status, body }))

  test('of a master that requires client certificates', async () => {
    const port = await socketOf(403, '{"message":"Forbidden"}')
    const result = await dial(port)
    expect(result).toMatchObject({
      verdict: 'wrong',
      master: { version: '0.38.1' },
      httpStatus: 200,
      problem: { code: 'PREFLIGHT_CLIENT_CERT_REQUIRED', details: { upgradeStatus: 403 } },
    })
    expect(result.problem!.message).toMatch(
      /it answered an agent's WebSocket upgrade with status 403 \("Forbidden"\)$/,
    )
    expect(await dial(port, { agentsHaveClientCertificate: true })).toMatchObject({ verdict: 'unverified' })
  })

  test.each([200, 302, 400, 404, 405, 426, 501])(
    'behind a proxy that answers upgrades with %i',
    async (status) => {
      const result = await dial(await socketOf(status, page('proxy')))
      expect(result).toMatchObject({ verdict: 'wrong', problem: { code: 'PREFLIGHT_NO_UPGRADE' } })
      expect(result.problem!.message).toContain('reaches a master, but not its agent socket')
    },
  )

  test.each([429, 502, 503])('that answers %i may pass later', async (status) => {
    const result = await dial(await socketOf(status))
    expect(result).toMatchObject({ verdict: 'unverified', problem: { code: 'PREFLIGHT_UNAVAILABLE' } })
  })

  test('that is cut off or silent proves nothing', async () => {
    const cutting = (act: (socket: Socket) => void) => masters.secure(pair, byRequest(masterInfo, act))
    const cut = await dial(await cutting((socket) => socket.destroy()))
    expect(cut).toMatchObject({ verdict: 'unverified', problem: { code: 'PREFLIGHT_CLOSED_AFTER_CONNECT' } })
    expect(cut.problem!.message).toContain("before it answered an agent's WebSocket upgrade")
    const silent = await dial(await cutting(() => {}), { timeoutMs: 300 })
    expect(silent).toMatchObject({ verdict: 'unverified', problem: { code: 'PREFLIGHT_NO_HTTP_ANSWER' } })
  })

  test('that accepts the upgrade at once, and that of a plain master', async () => {
    const taken = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
    const taking = await masters.secure(
      pair,
      byRequest(masterInfo, (socket) => socket.write(taken)),
    )
    expect(await dial(taking)).toMatchObject({ verdict: 'ok' })
    const port = await masters.tcp(answerInfo(infoBody, 200, { status: 404, body: '' }))
    const address = { scheme: 'http', host: '127.0.0.1', port } as const
    expect(await dial(port, { address, plan: plan('off', '') })).toMatchObject({
      verdict: 'wrong',
      problem: { code: 'PREFLIGHT_NO_UPGRADE' },
    })
  })

  test('is tested once, by an upgrade that registers nothing', async () => {
    const asked: string[] = []
    const serve = byRequest(masterInfo, (socket, request) => {
      asked.push(request)
      masterUpgrade(socket)
    })
    const port = await masters.secure(pair, serve)
    expect(await dial(port)).toMatchObject({ verdict: 'ok' })
    expect(asked).toEqual([
      expect.stringMatching(
        /^GET \/agents\?id=provision-preflight HTTP\/1\.1\r\n[\s\S]*Upgrade: websocket\r\n[\s\S]*Sec-WebSocket-Key: \S{24}\r\n/,
      ),
    ])
  })
})

describe('other proofs', () => {
  test('`agent_socket`: a proxy hides /info, and the agent socket is sufficient proof', async () => {
    const proof = 'agent_socket' as const
    expect(await dial(await masters.secure(pair, answerInfo(page('no'), 404)), { proof })).toMatchObject({
      verdict: 'ok',
      master: undefined,
    })
    expect(
      await dial(await masters.secure(pair, says('404 Not Found', page('no'))), { proof }),
    ).toMatchObject({
      verdict: 'wrong',
      problem: { code: 'PREFLIGHT_NO_UPGRADE' },
    })
    const failing = await masters.secure(pair, says('500 Internal Server Error', page('oh')))
    expect(await dial(failing, { proof })).toMatchObject({ problem: { code: 'PREFLIGHT_UNAVAILABLE' } })
    const closed = answerInfo(page('no'), 404, { status: 403, body: '' })
    expect(await dial(await masters.secure(pair, closed), { proof })).toMatchObject({
      problem: { code: 'PREFLIGHT_CLIENT_CERT_REQUIRED' },
    })
  })

  test('`http`: any response is accepted, except temporary ones and those that require a certificate', async () => {
    const of = async (serve: (socket: Socket) => void) =>
      (await dial(await masters.secure(pair, serve), { proof: 'http' })).problem?.code
    expect(await of(says('404 Not Found'))).toBeUndefined()
    expect(await of(says('200 OK', page('our own master')))).toBeUndefined()
    expect(await of(says('503 Busy'))).toBe('PREFLIGHT_UNAVAILABLE')
    expect(await of(says('400 Bad Request', nginx400))).toBe('PREFLIGHT_CLIENT_CERT_REQUIRED')
  })
})

test('an endless body is read only as far as it matters', async () => {
  let sent = 0
  const port = await masters.secure(pair, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    const more = (): void => {
      if (socket.destroyed) return
      sent += 16_384
      socket.write('x'.repeat(16_384), () => setImmediate(more))
    }
    socket.once('data', more)
  })
  expect(await dial(port)).toMatchObject({ verdict: 'wrong', problem: { code: 'PREFLIGHT_NOT_A_MASTER' } })
  expect(sent).toBeLessThan(50 * 1024 * 1024)
})

test("a master's response counts even if the connection stays open after it", async () => {
  const open = (socket: Socket) => socket.write(`HTTP/1.1 200 OK\r\n\r\n${infoBody}`)
  const port = await masters.secure(pair, byRequest(open, masterUpgrade))
  expect(await dial(port, { clock: new FakeClock() })).toMatchObject({
    verdict: 'ok',
    master: { version: '0.38.1' },
  })
})

test.each([
  ['closed', (socket: Socket) => void socket.end()],
  ['cut', (socket: Socket) => void socket.destroy()],
])(
  'an answer that is %s in the middle proves nothing, unless all a master says was in it',
  async (_, cut) => {
    const says = (text: string) => (socket: Socket) =>
      void socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n${text}`, () =>
        setTimeout(cut, 50, socket),
      )
    const half = await masters.secure(pair, byRequest(says(infoBody.slice(0, 30)), masterUpgrade))
    expect(await dial(half)).toMatchObject({
      verdict: 'unverified',
      problem: { code: 'PREFLIGHT_CLOSED_AFTER_CONNECT' },
    })
    const whole = await masters.secure(pair, byRequest(says(infoBody), masterUpgrade))
    expect(await dial(whole)).toMatchObject({ verdict: 'ok' })
  },
)

test('a body that arrives endlessly slowly ends at the timeout', async () => {
  const clock = new FakeClock()
  const asked = latch()
  const port = await masters.secure(pair, (socket) =>
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\n\r\n{"version": "0.38', asked.open)),
  )
  const result = dial(port, { clock })
  await asked.opened
  // Data written on loopback is read in the next turns of the event loop.
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
  await clock.advance(60_000)
  expect(await result).toMatchObject({ verdict: 'wrong', problem: { code: 'PREFLIGHT_NOT_A_MASTER' } })
})

test('chunked responses are joined, and headers may be as large as Go accepts', async () => {
  const [head, tail] = [infoBody.slice(0, 9), infoBody.slice(9)]
  const chunks = [head, tail, ''].map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')
  const heads = `X-Large: ${'x'.repeat(200_000)}\r\nTransfer-Encoding: chunked`
  const chunked = (socket: Socket) => socket.end(`HTTP/1.1 200 OK\r\n${heads}\r\n\r\n${chunks}`)
  const port = await masters.secure(pair, byRequest(chunked, masterUpgrade))
  expect(await dial(port)).toMatchObject({ verdict: 'ok', warnings: [], master: { clusterId: 'c-1' } })
})
