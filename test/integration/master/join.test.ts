// Agents join over real, verified TLS; the master reports them, and a renewed certificate affects none of them.
import { afterEach, describe, expect, it } from 'vitest'
import { createDevelopmentChain } from '../../../src/pki/development-ca.ts'
import { dialOptions } from '../../../src/pki/dial-options.ts'
import type { ProvisionError } from '../../../src/problems/index.ts'
import { pastReconnectPeriod } from '../../../src/standalone/protocol/messages.ts'
import { gpu, masterConfig, startMaster, type TestMaster } from '../../support/master.ts'
import { rawTlsClient, until } from '../../support/server.ts'
import { testKey } from '../../support/test-keys.ts'
import { issue } from '../../support/x509.ts'
import { basicConstraints, extendedKeyUsage, keyUsage, purpose } from '../../support/x509-extensions.ts'

let running: TestMaster[] = []
afterEach(async () => {
  await Promise.all(running.map((m) => m.stop()))
  running = []
})

async function start(...args: Parameters<typeof startMaster>): Promise<TestMaster> {
  const started = await startMaster(...args)
  running.push(started)
  return started
}

const refusalOf = (attempt: Promise<unknown>) =>
  attempt.then(
    () => 'it joined',
    (error: ProvisionError) => error.problems[0]!.details,
  )

/** The whole response to a WebSocket upgrade. */
function answerTo(m: TestMaster, path: string): Promise<string> {
  const lines = ['Host: m', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']
  const request = [`GET ${path} HTTP/1.1`, ...lines, 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==', '', '']
  return rawTlsClient(m.listener.port, {}, request.join('\r\n')).end
}

/** A client certificate for an agent, and the CA that signed it. */
function clientCertificate(name: string): { ca: string; cert: string; key: string } {
  const mayIssue = [basicConstraints({ ca: true }), keyUsage('keyCertSign')]
  const issuer = issue({ subject: name, key: testKey('p256', name), extensions: mayIssue })
  const key = testKey('p256', `agent of ${name}`)
  const { pem } = issue({ subject: 'agent', key, issuer, extensions: [extendedKeyUsage(purpose.client)] })
  return { ca: issuer.pem, cert: pem, key: key.pem }
}

describe('joining', () => {
  it('is logged with the protocol and the address', async () => {
    const m = await start()
    await m.join('i-1', { devices: [gpu(0), gpu(1)] })
    expect(m.master.agents()).toEqual([
      expect.objectContaining({
        id: 'i-1',
        pool: 'default',
        version: '0.38.1',
        phase: 'joined',
        link: {
          address: '127.0.0.1',
          tls: { version: 'TLSv1.3', cipher: expect.any(String), serverName: 'master.test' },
        },
        devices: [gpu(0), gpu(1)],
      }),
    ])
    expect(m.events.map((event) => event.kind)).toEqual(['connected', 'joined'])
  })

  it('works without TLS, and with names that a query cannot contain unescaped', async () => {
    const pool = { ...masterConfig().resource_pools[0]!, pool_name: 'a&b #1' }
    const m = await start({ config: masterConfig({ resource_pools: [pool] }) }, { tls: undefined })
    const plain = {
      master: { scheme: 'http', host: '127.0.0.1', port: m.listener.port } as const,
      tls: undefined,
    }
    await m.join('id with + and %', { pool: 'a&b #1', dial: plain })
    expect(m.master.agents()[0]).toMatchObject({
      id: 'id with + and %',
      pool: 'a&b #1',
      link: { address: '127.0.0.1' },
    })
    expect(m.master.agents()[0]!.link.tls).toBeUndefined()
  })

  it('works by an IPv6 address', async () => {
    const m = await start({}, { address: '::1' })
    await m.join('i-1', { dial: { master: { scheme: 'https', host: '::1', port: m.listener.port } } })
    expect(m.master.agents()[0]!.link.address).toBe('::1')
  })
})

describe('a refusal contains the reason', () => {
  it.each([
    ['a pool there is not', { pool: 'gpu' }, 500, 'cannot find specified resource pool gpu for agent i-1'],
    ['a reconnect nobody waits for', { reconnect: true }, 500, pastReconnectPeriod],
  ])('to %s', async (_, options, status, message) => {
    const m = await start()
    expect(await refusalOf(m.dial('i-1', options))).toEqual({ status, message })
    expect(m.refused).toMatchObject([{ id: 'i-1', status, message, address: '127.0.0.1' }])
  })

  it('to the probe of a preflight, which joins nothing and is not logged', async () => {
    const m = await start()
    const probe = (path: string) => answerTo(m, path)
    expect(await probe('/agents?id=provision-preflight')).toMatch(
      /^HTTP\/1\.1 500 [\s\S]*parsing reconnect query param/,
    )
    expect(m.refused).toEqual([])
    expect(m.master.agents()).toEqual([])
    // An agent that uses the id of the probe is logged.
    expect(await probe('/agents?id=provision-preflight&reconnect=maybe')).toMatch(/^HTTP\/1\.1 500/)
    expect(m.refused).toMatchObject([{ id: 'provision-preflight', status: 500 }])
  })

  it('to the second agent with an id, and the first is not affected', async () => {
    const m = await start()
    const first = await m.join('i-1')
    expect(await refusalOf(m.dial('i-1'))).toEqual({
      status: 500,
      message: 'agent: websocket already connected',
    })
    expect(first.end()).toBeUndefined()
    expect((await m.ask('/api/v1/agents/i-1')).json.agent.enabled).toBe(true)
  })

  it('to an agent that is not an instance of a pool with instances', async () => {
    const dynamic = { ...masterConfig().resource_pools[0]!, agents: 'known' as const, provider: {} as never }
    const still = { ...masterConfig().resource_pools[0]!, pool_name: 'static' }
    let answer: 'no' | 'later' = 'later'
    const m = await start({
      config: masterConfig({ resource_pools: [dynamic, still] }),
      mayJoin: (pool, id) => (pool !== 'default' ? 'no' : id === 'i-ours' ? 'yes' : answer),
      longestHold: 300,
    })
    await m.join('i-ours')
    await m.join('any-machine', { pool: 'static' })
    expect(await refusalOf(m.dial('i-foreign'))).toEqual({
      status: 503,
      message: 'agent i-foreign is not a known instance of resource pool default yet',
    })
    answer = 'no'
    expect(await refusalOf(m.dial('i-foreign'))).toEqual({
      status: 403,
      message:
        'agent i-foreign is not an instance of resource pool default; set agents: any to let other agents join',
    })
  })

  it('to agents without a client certificate, if one is required', async () => {
    const ours = clientCertificate('Our client CA')
    const other = clientCertificate('Another CA')
    const resource_manager = { ...masterConfig().resource_manager, require_authentication: true }
    const config = masterConfig({ resource_manager })
    const { chain } = await start()
    const m = await start(
      { config },
      { tls: { cert: chain.chain, key: chain.leaf.key, clientCas: { master: ours.ca } } },
    )
    const trust = { name: 'master.test', ca: chain.root.certificate }
    const showing = (certificate: typeof ours) => ({
      dial: { tls: dialOptions({ ...trust, clientCertificate: certificate }) },
    })
    expect(await refusalOf(m.dial('i-1'))).toMatchObject({ status: 403 })
    expect(await refusalOf(m.dial('i-1', showing(other)))).toMatchObject({ status: 403 })
    await m.join('i-1', showing(ours))

    const plain = await start({ config }, { tls: undefined })
    const unencrypted = {
      master: { scheme: 'http', host: '127.0.0.1', port: plain.listener.port } as const,
      tls: undefined,
    }
    expect(await refusalOf(plain.dial('i-1', { dial: unencrypted }))).toMatchObject({ status: 403 })
  })

  it('to an agent that does not trust the master: there is no connection at all', async () => {
    const m = await start()
    const other = await createDevelopmentChain({ names: ['master.test'], ips: [], days: 1, now: Date.now() })
    const wrongRoot = { tls: dialOptions({ name: 'master.test', ca: other.root.certificate }) }
    const wrongName = { tls: dialOptions({ name: 'other.test', ca: m.chain.root.certificate }) }
    expect(await refusalOf(m.dial('i-1', { dial: wrongRoot }))).toEqual({ code: 'SELF_SIGNED_CERT_IN_CHAIN' })
    expect(await refusalOf(m.dial('i-1', { dial: wrongName }))).toEqual({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    })
    expect(m.master.agents()).toEqual([])
  })
})

describe('a lost agent', () => {
  it('is the same again when it reconnects in time', async () => {
    const m = await start()
    const first = await m.join('i-1')
    first.connection.terminate()
    await until(() => m.events.at(-1)?.kind === 'lost')
    expect((await m.ask('/api/v1/agents')).json.agents[0]).toMatchObject({ enabled: false, draining: true })
    await m.join('i-1', { reconnect: true })
    expect(m.events.slice(-3).map((event) => event.kind)).toEqual(['lost', 'connected', 'returned'])
    expect((await m.ask('/api/v1/agents')).json.agents[0]).toMatchObject({ enabled: true, draining: false })
  })

  it('is forgotten when it does not', async () => {
    const m = await start()
    const first = await m.join('i-1')
    await first.connection.close()
    await until(() => m.events.at(-1)?.kind === 'removed')
    expect(await refusalOf(m.dial('i-1', { reconnect: true }))).toMatchObject({
      message: pastReconnectPeriod,
    })
    await m.join('i-1')
  })

  it('is ordered to restart when its devices have changed', async () => {
    const m = await start()
    const first = await m.join('i-1')
    first.connection.terminate()
    await until(() => m.events.at(-1)?.kind === 'lost')
    const again = await m.dial('i-1', { reconnect: true, devices: [gpu(7)] })
    again.start()
    await until(() => again.end())
    expect(again.heard.at(-1)?.AgentShutdown).toEqual({ ErrMsg: pastReconnectPeriod })
    expect(again.end()).toMatchObject({ kind: 'closed', message: expect.stringContaining('1000') })
    expect(m.master.agents()).toEqual([])
  })
})

it('a renewed certificate does not affect joined agents, and new ones get it', async () => {
  const m = await start()
  const early = await m.join('i-early')
  const renewed = await createDevelopmentChain({ names: ['master.test'], ips: [], days: 30, now: Date.now() })
  expect(m.listener.useCertificate({ cert: renewed.chain, key: renewed.leaf.key })).toBeUndefined()
  const newTrust = { dial: { tls: dialOptions({ name: 'master.test', ca: renewed.root.certificate }) } }
  await m.join('i-late', newTrust)
  expect(await refusalOf(m.dial('i-old-trust'))).toMatchObject({ code: 'SELF_SIGNED_CERT_IN_CHAIN' })
  expect(early.end()).toBeUndefined()
  expect(early.connection.send({ ContainerLog: null })).toBe(true)
  expect(m.master.agents().map((agent) => agent.phase)).toEqual(['joined', 'joined'])
})

describe('the REST API', () => {
  it('identifies the master to everybody', async () => {
    const m = await start()
    expect(await m.ask('/info')).toMatchObject({
      status: 200,
      json: {
        version: '0.1.0',
        master_id: 'master-of-the-tests',
        cluster_id: 'cluster-of-the-tests',
        cluster_name: 'test',
        telemetry: { enabled: false },
        product: 'dynamic-agent-provisioner',
      },
    })
    expect((await m.ask('/api/v1/master')).json).toMatchObject({
      clusterId: 'cluster-of-the-tests',
      rbacEnabled: false,
    })
  })

  it('shows agents as a Determined client expects them', async () => {
    const m = await start()
    await m.dial('i-0')
    await m.join('i-1', { devices: [gpu(0), { ...gpu(1), brand: '__proto__' }] })
    const { json } = await m.ask('/api/v1/agents')
    expect(json.pagination).toEqual({ offset: 0, limit: 0, startIndex: 0, endIndex: 2, total: 2 })
    expect(json.agents[0]).toMatchObject({ id: 'i-0', slots: {}, enabled: true })
    const device = { id: 0, brand: 'Tesla T4', uuid: 'GPU-0', type: 'TYPE_CUDA' }
    expect(json.agents[1]).toMatchObject({
      id: 'i-1',
      registeredTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      addresses: ['127.0.0.1'],
      enabled: true,
      draining: false,
      version: '0.38.1',
      resourcePools: ['default'],
      containers: {},
    })
    expect(json.agents[1].slots['/agents/i-1/slots/0']).toEqual({
      id: '0',
      device,
      enabled: true,
      draining: false,
      container: null,
    })
    const stats = { states: {}, disabled: 0, draining: 0, total: 1 }
    expect(json.agents[1].slotStats.typeStats).toEqual({ TYPE_CUDA: { ...stats, total: 2 } })
    expect(Object.entries(json.agents[1].slotStats.brandStats)).toEqual([
      ['Tesla T4', stats],
      ['__proto__', stats],
    ])
    expect(({} as Record<string, unknown>)['total']).toBeUndefined()
  })

  it('returns pages, also in reverse order', async () => {
    const m = await start()
    for (const id of ['a', 'b', 'c']) await m.join(id)
    const ids = async (query: string) =>
      (await m.ask(`/api/v1/agents?${query}`)).json.agents.map((agent: { id: string }) => agent.id)
    expect(await ids('limit=2')).toEqual(['a', 'b'])
    expect(await ids('limit=2&offset=2')).toEqual(['c'])
    expect(await ids('offset=-1')).toEqual(['c'])
    expect(await ids('orderBy=ORDER_BY_DESC')).toEqual(['c', 'b', 'a'])
    for (const query of ['offset=4', 'offset=x', 'limit=-1'])
      expect(await m.ask(`/api/v1/agents?${query}`)).toMatchObject({
        status: 400,
        json: { error: { code: 3, reason: 'InvalidArgument' } },
      })
  })

  it('reports unknown paths and wrong methods', async () => {
    const m = await start()
    expect(await m.ask('/api/v1/agents/nobody')).toEqual({
      status: 404,
      json: { error: { code: 5, reason: 'NotFound', error: "agent 'nobody' not found" } },
    })
    expect((await m.ask('/api/v1/agents', { method: 'POST', token: 'token-of-the-tests' })).status).toBe(405)
    expect((await m.ask('/api/v1/agents', { method: 'POST' })).status).toBe(401)
    expect((await m.ask('/agents')).status).toBe(400)
    expect((await m.ask('/healthz')).json).toEqual({ status: 'ok', faults: [] })
  })
})
