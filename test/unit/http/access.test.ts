import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accessHandler } from '../../../src/http/access.ts'
import { type Listener, listen } from '../../../src/http/listen.ts'
import { sendJson } from '../../../src/http/router.ts'
import { openFault } from '../../../src/http/status-endpoints.ts'
import { problem } from '../../../src/problems/index.ts'
import { silentLogger } from '../../support/silent-logger.ts'

let listener: Listener
let tokenless: Listener
let open: Listener

beforeAll(async () => {
  const ok = (_: unknown, response: Parameters<typeof sendJson>[0]) => sendJson(response, 200, {})
  const common = { address: '127.0.0.1', port: 0, logger: silentLogger }
  listener = await listen({ ...common, handlers: [accessHandler({ token: 'the-very-token' }), ok] })
  open = await listen({
    ...common,
    handlers: [accessHandler({ token: 'the-very-token', open: ['/metrics'] }), ok],
  })
  tokenless = await listen({ ...common, handlers: [accessHandler({}), ok] })
})

afterAll(() => Promise.all([listener.close(0), tokenless.close(0), open.close(0)]))

function ask(
  path: string,
  method = 'GET',
  headers: Record<string, string> = {},
  at = listener,
): Promise<number> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port: at.port, path, method, headers }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
      .on('error', reject)
      .end()
  })
}

const remote = { 'X-Forwarded-For': '203.0.113.7' }
const good = { Authorization: 'Bearer the-very-token' }

describe('reading', () => {
  it.each([
    ['on this machine', {}],
    ['on this machine by a loopback name', { Host: 'localhost:8443' }],
    [
      'through a proxy with the headers nginx sends by default',
      { Host: '127.0.0.1:8443', Connection: 'close' },
    ],
    ['through a proxy that says so', remote],
    ['through a proxy that says so in the standard way', { Forwarded: 'for=203.0.113.7' }],
    ['from a page that a browser was tricked to fetch here', { Host: 'evil.example.com' }],
  ])('needs the token %s', async (_, headers) => {
    for (const path of [
      '/api/v1/agents',
      '/provision/v1/jobs',
      '/provision/v1/jobs/x/logs',
      '/v1/status',
      '/metrics',
    ])
      for (const method of ['GET', 'HEAD']) {
        expect(await ask(path, method, headers)).toBe(401)
        expect(await ask(path, method, { ...headers, ...good })).toBe(200)
      }
  })

  it.each(['/info', '/api/v1/master', '/healthz', '/readyz', '/agents', '/agents?id=x'])(
    '%s is open everywhere',
    async (path) => {
      expect(await ask(path)).toBe(200)
      expect(await ask(path, 'GET', remote)).toBe(200)
    },
  )

  it('of metrics is open if the configuration allows it, and nothing else is then', async () => {
    expect(await ask('/metrics', 'GET', {}, open)).toBe(200)
    expect(await ask('/metrics', 'POST', {}, open)).toBe(401)
    expect(await ask('/metrics/', 'GET', {}, open)).toBe(401)
    expect(await ask('/v1/status', 'GET', {}, open)).toBe(401)
  })

  it.each(['/info/', '/infox', '/api/v1/master/../agents', '//info', '/INFO', '/%69nfo'])(
    '%s is not one of the open paths',
    async (path) => expect(await ask(path, 'GET', remote)).toBe(401),
  )

  it('works everywhere with the token', async () => {
    expect(await ask('/api/v1/agents', 'GET', { ...remote, ...good })).toBe(200)
  })
})

describe('changing', () => {
  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])(
    '%s needs the token, on this machine too',
    async (method) => {
      expect(await ask('/api/v1/agents/a/disable', method)).toBe(401)
      expect(await ask('/api/v1/agents/a/disable', method, good)).toBe(200)
    },
  )

  it('is not possible on paths that are open for reading', async () => {
    expect(await ask('/info', 'POST')).toBe(401)
  })

  it.each(['Bearer wrong-token-here', 'Bearer', 'Bearer ', 'Basic dGhlLXZlcnktdG9rZW4=', 'the-very-token'])(
    'is refused with "%s"',
    async (Authorization) => expect(await ask('/x', 'POST', { Authorization })).toBe(401),
  )

  it('is not possible at all without a token', async () => {
    expect(await ask('/x', 'POST', good, tokenless)).toBe(401)
    expect(await ask('/x', 'POST', { Authorization: 'Bearer ' }, tokenless)).toBe(401)
    expect(await ask('/x', 'GET', {}, tokenless)).toBe(401)
    expect(await ask('/healthz', 'GET', {}, tokenless)).toBe(200)
  })
})

it('a fault that everybody may read contains no path of this machine', () => {
  const fault = problem('JOURNAL_UNUSABLE', '/srv/secret/state/master.journal: EACCES')
  expect(openFault(fault)).toBe('JOURNAL_UNUSABLE A state file cannot be read or written.')
})
