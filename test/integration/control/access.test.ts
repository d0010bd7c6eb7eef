// Access to the endpoints of a running provisioner: the control socket, `listen`, the built-in master's listener.
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Provisioner } from '../../../src/provisioner/provisioner.ts'
import { type AskOptions, ask } from '../../support/ask.ts'
import { Cluster } from '../../support/stand-alone.ts'
import { purpose } from '../../support/x509-extensions.ts'
import { authority, server } from '../../support/x509-profiles.ts'

const clientCa = authority('Client CA')
const member = server(clientCa, { purposes: [purpose.client] })
const untrusted = server(authority('Stranger'), { purposes: [purpose.client] })

let cluster: Cluster
let running: Provisioner
let token: string
let socket: AskOptions
let remote: AskOptions
let master: AskOptions

beforeAll(async () => {
  cluster = new Cluster()
  const { root } = await cluster.certificate()
  writeFileSync(join(cluster.dir, 'clients.crt'), clientCa.pem)
  const config = await cluster.config('preflight: off')
  config.listen = { address: '127.0.0.1', port: 0, client_ca: join(cluster.dir, 'clients.crt') }
  running = await cluster.start(config)
  token = cluster.token()
  socket = { socketPath: join(cluster.dir, '.provision/control.sock') }
  remote = { ca: root.certificate, port: running.listener!.port }
  master = { ca: root.certificate, port: cluster.port }
})
afterAll(() => cluster.dispose())

const fromElsewhere = { 'X-Forwarded-For': '203.0.113.7' }

describe('the control socket', () => {
  it('is accessible only to its owner', () => {
    expect(statSync(socket.socketPath!).mode & 0o777).toBe(0o600)
  })

  it('accepts orders without a token', async () => {
    expect((await ask('GET', '/v1/status', socket)).value).toMatchObject({
      demand: 'built-in',
      pools: [{ pool: 'default', provider: 'local', paused: false, maxInstances: 4 }],
    })
    expect(await ask('POST', '/v1/pools/default/pause', socket)).toEqual({
      status: 200,
      value: { pool: 'default' },
    })
    expect((await ask('GET', '/v1/pools', socket)).value.pools[0]).toMatchObject({ state: 'paused' })
    await ask('POST', '/v1/pools/default/resume', socket)
    expect((await ask('GET', '/v1/pools/default', socket)).value.pool).toMatchObject({
      paused: false,
      snapshot: { format: 'provision snapshot 1' },
    })
  })

  it('reports its identity', async () => {
    expect((await ask('GET', '/info', socket)).value).toMatchObject({ product: 'dynamic-agent-provisioner' })
  })
})

describe.each([
  ['the listener of `listen`', () => remote],
  ["the built-in master's listener", () => master],
])('%s', (_, at) => {
  it('requires the token to read, also on this machine', async () => {
    const { status, value } = await ask('GET', '/v1/status', at())
    expect([status, value.message]).toEqual([401, expect.stringMatching(/`token`.*`control\.sock`/)])
    expect(value.message).not.toContain('/')
    expect((await ask('GET', '/v1/status', { ...at(), token })).status).toBe(200)
  })

  it('requires the token from other machines', async () => {
    const headers = fromElsewhere
    for (const path of ['/v1/status', '/v1/pools/default', '/v1/instances', '/v1/agents'])
      expect((await ask('GET', path, { ...at(), headers })).status).toBe(401)
    expect((await ask('GET', '/v1/status', { ...at(), headers, token: 'not-the-token-at-all' })).status).toBe(
      401,
    )
    expect((await ask('GET', '/v1/status', { ...at(), headers, token })).status).toBe(200)
    expect((await ask('GET', '/healthz', { ...at(), headers })).status).toBe(200)
  })

  it('accepts orders only with the token', async () => {
    expect((await ask('POST', '/v1/pools/default/pause', at())).status).toBe(401)
    expect((await ask('POST', '/v1/pools/default/resume', { ...at(), token })).status).toBe(200)
  })
})

describe('a client certificate', () => {
  it('of the CA of `listen` replaces the token', async () => {
    const shown = { ...remote, cert: member.pem, key: member.key.pem, headers: fromElsewhere }
    expect((await ask('GET', '/v1/status', shown)).status).toBe(200)
    expect((await ask('POST', '/v1/pools/default/resume', shown)).status).toBe(200)
  })

  it('does not when it comes from a browser with a web page', async () => {
    const headers = { Origin: 'https://evil.example.com' }
    const shown = { ...remote, cert: member.pem, key: member.key.pem, headers }
    expect((await ask('POST', '/v1/pools/default/pause', shown)).status).toBe(401)
  })

  it('of another CA does not', async () => {
    const shown = { ...remote, cert: untrusted.pem, key: untrusted.key.pem }
    expect((await ask('POST', '/v1/pools/default/resume', shown)).status).toBe(401)
  })

  it('does not at the master, where agents present theirs', async () => {
    const shown = { ...master, cert: member.pem, key: member.key.pem }
    expect((await ask('POST', '/v1/pools/default/resume', shown)).status).toBe(401)
  })
})

describe('an invalid request', () => {
  it.each([
    ['GET', '/v1/pools/nobody', undefined, 404, 'POOL_UNKNOWN'],
    ['GET', '/v1/instances?pool=nobody', undefined, 404, 'POOL_UNKNOWN'],
    ['POST', '/v1/pools/nobody/pause', undefined, 404, 'POOL_UNKNOWN'],
    ['PUT', '/v1/status', undefined, 405, 'ORDER_REFUSED'],
    ['POST', '/v1/pools/default/launch', {}, 400, 'ORDER_REFUSED'],
    ['POST', '/v1/pools/default/launch', { count: 0 }, 400, 'ORDER_REFUSED'],
    ['POST', '/v1/pools/default/launch', { count: 1.5 }, 400, 'ORDER_REFUSED'],
    ['POST', '/v1/pools/default/launch', { count: 1, pool: 'x' }, 400, 'ORDER_REFUSED'],
    ['POST', '/v1/pools/default/launch', { count: 5 }, 409, 'MAX_REACHED'],
    ['POST', '/v1/pools/default/pause', [], 400, 'ORDER_REFUSED'],
    ['POST', '/v1/pools/default/pause', '{', 400, 'ORDER_REFUSED'],
    ['POST', '/v1/instances/drain', { ids: [] }, 400, 'ORDER_REFUSED'],
    ['POST', '/v1/instances/drain', { ids: ['i-nobody'] }, 404, 'INSTANCE_UNKNOWN'],
    ['POST', '/v1/instances/terminate', { ids: ['i-nobody'], force: true }, 404, 'INSTANCE_UNKNOWN'],
    ['POST', '/v1/instances/terminate', { ids: ['i-nobody'], force: 'yes' }, 400, 'ORDER_REFUSED'],
  ])('%s %s %j is answered with its code', async (method, path, body, status, code) => {
    const answer = await ask(method, path, socket, body)
    expect(answer).toMatchObject({ status, value: { error: { code, remedy: expect.any(String) } } })
  })
})
