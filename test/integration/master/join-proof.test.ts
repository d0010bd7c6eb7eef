// Pools that require the certificates of instances: who joins, and who does not, over real TLS.
import { afterEach, describe, expect, it } from 'vitest'
import { dialOptions } from '../../../src/pki/dial-options.ts'
import type { ProvisionError } from '../../../src/problems/index.ts'
import type { Admission } from '../../../src/standalone/master/agent.ts'
import { agentsCa, clientOf, instanceCertificate } from '../../support/instance-certificates.ts'
import {
  chain,
  masterConfig,
  startMaster,
  type TestAgentOptions,
  type TestMaster,
} from '../../support/master.ts'
import { rawTlsClient, until } from '../../support/server.ts'
import { now } from '../../support/x509.ts'
import { authority } from '../../support/x509-profiles.ts'

const adminCa = authority('Admin CA')
const ownerCa = authority('Owner CA')
const foreign = authority('Agents CA of another cluster')

const running: TestMaster[] = []
afterEach(async () => {
  for (const master of running.splice(0)) await master.stop()
})

/** Instances in force: `gpu` requires certificates, `static` takes any agent. */
interface World {
  m: TestMaster
  gpu: Map<string, Admission>
}

async function start({ plain = false, authenticate = false } = {}): Promise<World> {
  const [usual] = masterConfig().resource_pools
  const gpu = new Map<string, Admission>([
    ['i-1', 'yes'],
    ['i-2', 'yes'],
  ])
  const known = { ...usual!, agents: 'known' as const, provider: {} as never, agent_reconnect_wait: 60_000 }
  const { resource_manager } = masterConfig()
  const config = masterConfig({
    resource_manager: { ...resource_manager, require_authentication: authenticate },
    resource_pools: [
      { ...known, pool_name: 'gpu' },
      { ...usual!, pool_name: 'static' },
    ],
  })
  const { chain: cert, leaf } = await chain()
  const clientCas = { admin: adminCa.pem, agents: agentsCa.pem, master: ownerCa.pem }
  const m = await startMaster(
    {
      config,
      mayJoin: (pool, id) => (pool === 'gpu' && /^i-[12]$/.test(id) ? 'yes' : 'no'),
      joinProof: {
        isRequired: (pool) => pool === 'gpu',
        mayJoin: (id, pool) => (pool === 'gpu' && gpu.get(id)) || 'no',
      },
      longestHold: 2000,
    },
    { tls: plain ? undefined : { cert, key: leaf.key, clientCas } },
  )
  running.push(m)
  return { m, gpu }
}

const showing = async (clientCertificate?: { cert: string; key: string }, pool = 'gpu') => {
  const { root } = await chain()
  const tls = dialOptions({ name: 'master.test', ca: root.certificate, clientCertificate })
  return { pool, dial: { tls } } satisfies Partial<TestAgentOptions>
}

/** Status of the refusal, and what the log of refused joins says. */
async function refused({ m }: World, id: string, options: Partial<TestAgentOptions>) {
  const before = m.refused.length
  const status = await m.dial(id, options).then(
    () => 'it joined',
    (error: ProvisionError) => error.problems[0]!.details?.['status'] ?? error.problems[0]!.details?.['code'],
  )
  return [status, m.refused[before]?.kind]
}

describe('a pool that requires certificates of instances', () => {
  it('admits an instance with its own', async () => {
    const { m } = await start()
    await m.join('i-1', await showing(instanceCertificate('i-1')))
    expect(m.master.agents()).toMatchObject([{ id: 'i-1', pool: 'gpu', phase: 'joined' }])
    expect(m.refused).toEqual([])
  })

  it.each([
    ['none', undefined, 'no join proof'],
    ['that of another instance', instanceCertificate('i-2'), 'other identity'],
    ['one of the same name by another CA', instanceCertificate('i-1', foreign), 'no join proof'],
    ['one of its owner', clientOf(ownerCa, { subject: 'i-1' }), 'no join proof'],
    ['one of an administrator', clientOf(adminCa, { subject: 'i-1' }), 'no join proof'],
    ['its own, expired', instanceCertificate('i-1', agentsCa, { notAfter: now - 1000 }), 'no join proof'],
    ['one that a certificate of an instance signed', instanceCertificate('i-1', selfMade()), 'no join proof'],
  ])('refuses an agent that presents %s', async (_, pair, kind) => {
    expect(await refused(await start(), 'i-1', await showing(pair))).toEqual([403, kind])
  })

  it('refuses an instance that is not live, or whose key is not the bound one', async () => {
    const world = await start()
    for (const admission of ['no', 'ended'] as const) {
      world.gpu.set('i-1', admission)
      expect(await refused(world, 'i-1', await showing(instanceCertificate('i-1')))).toEqual([
        403,
        'other identity',
      ])
    }
  })

  it('asks for patience while that is not known, and admits the instance when it is', async () => {
    const world = await start()
    for (const admission of ['later', 'absent'] as const) {
      world.gpu.set('i-1', admission)
      expect(await refused(world, 'i-1', await showing(instanceCertificate('i-1')))).toEqual([
        503,
        'not known yet',
      ])
    }
    const joined = world.m.join('i-1', await showing(instanceCertificate('i-1')))
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(world.m.master.agents()).toEqual([])
    world.gpu.set('i-1', 'yes')
    await joined
  })

  it('refuses agents on a connection without TLS', async () => {
    const world = await start({ plain: true })
    const dial = { master: { scheme: 'http', host: '127.0.0.1', port: world.m.listener.port } as const }
    expect(await refused(world, 'i-1', { pool: 'gpu', dial: { ...dial, tls: undefined } })).toEqual([
      403,
      'no join proof',
    ])
  })

  it('tells a stranger the same of an instance and of a name that is none', async () => {
    const { m } = await start()
    const messageFor = async (id: string) =>
      m.dial(id, await showing()).catch((error: ProvisionError) => error.problems[0]!.details?.['message'])
    expect(await messageFor('i-1')).toBe(await messageFor('i-none'))
  })
})

/** The key of an instance's certificate as if it were a CA. */
function selfMade() {
  return authority('i-2', { issuer: agentsCa, basic: null, usage: null })
}

describe('other pools', () => {
  it('are unaffected', async () => {
    const { m } = await start()
    await m.join('any-machine', await showing(undefined, 'static'))
    await m.join('with-its-owners', await showing(clientOf(ownerCa), 'static'))
  })

  it('do not admit an instance of this one, nor another id with its certificate', async () => {
    const world = await start()
    const own = await showing(instanceCertificate('i-1'), 'static')
    expect(await refused(world, 'i-1', own)).toEqual([403, 'other identity'])
    expect(await refused(world, 'any-machine', own)).toEqual([403, 'other identity'])
  })

  it('are no way around for an agent that is away', async () => {
    const world = await start()
    const agent = await world.m.join('i-1', await showing(instanceCertificate('i-1')))
    agent.connection.terminate()
    await until(() => world.m.master.agent('i-1')?.phase === 'away')
    const around = await showing(undefined, 'static')
    expect(await refused(world, 'i-1', { ...around, reconnect: true })).toEqual([403, 'no join proof'])
    await world.m.join('i-1', { ...(await showing(instanceCertificate('i-1'))), reconnect: true })
  })
})

describe('a connection', () => {
  it('is not cut when the certificate is no longer in force, but is not renewed either', async () => {
    const world = await start()
    const { m, gpu } = world
    const own = await showing(instanceCertificate('i-1'))
    const agent = await m.join('i-1', own)
    gpu.set('i-1', 'no')
    m.listener.useClientCas({ agents: foreign.pem })
    m.master.judge('gpu')
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(agent.end()).toBeUndefined()
    expect(m.master.agent('i-1')).toMatchObject({ phase: 'joined', enabled: true })
    m.listener.useClientCas({ agents: agentsCa.pem })
    agent.connection.terminate()
    await until(() => m.master.agent('i-1')?.phase === 'away')
    expect(await refused(world, 'i-1', { ...own, reconnect: true })).toEqual([403, 'other identity'])
  })
})

describe('require_authentication', () => {
  it('still admits agents with a certificate of their owner, and instances with theirs', async () => {
    const { m } = await start({ authenticate: true })
    await m.join('with-its-owners', await showing(clientOf(ownerCa), 'static'))
    await m.join('i-1', await showing(instanceCertificate('i-1')))
  })

  it('admits no administrator, and nobody without', async () => {
    const world = await start({ authenticate: true })
    for (const pair of [undefined, clientOf(adminCa), clientOf(foreign)])
      for (const pool of ['gpu', 'static'])
        expect(await refused(world, 'i-1', await showing(pair, pool))).toEqual([403, 'no certificate'])
  })
})

describe('a dial that cannot join', () => {
  /** The status line and body of the answer to a probe: an upgrade without `reconnect`. */
  const probe = (m: TestMaster, query: string, pair?: { cert: string; key: string }) => {
    const lines = ['Host: m', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']
    const request = [`GET /agents?${query} HTTP/1.1`, ...lines, 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==']
    return rawTlsClient(m.listener.port, pair ?? {}, `${request.join('\r\n')}\r\n\r\n`).end
  }
  const asks = 'id=provision-probe&resource_pool=gpu'

  it('is answered by the certificate it presents, and reported to nobody', async () => {
    const { m } = await start()
    const own = instanceCertificate('provision-probe')
    expect(await probe(m, asks, own)).toMatch(/^HTTP\/1\.1 500 [\s\S]*parsing reconnect/)
    for (const pair of [undefined, instanceCertificate('provision-probe', foreign), clientOf(adminCa)])
      expect(await probe(m, asks, pair)).toMatch(/^HTTP\/1\.1 403 /)
    expect(await probe(m, asks, instanceCertificate('i-1'))).toMatch(/^HTTP\/1\.1 403 /)
    expect(await probe(m, 'id=provision-preflight')).toMatch(/^HTTP\/1\.1 500 /)
    expect(m.refused).toEqual([])
    expect(m.master.agents()).toEqual([])
  })

  it('is reported when it could join', async () => {
    const world = await start()
    const own = await showing(instanceCertificate('provision-probe'))
    expect(await refused(world, 'provision-probe', own)).toEqual([403, 'other identity'])
  })
})
