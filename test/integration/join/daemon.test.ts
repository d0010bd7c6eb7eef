// A provisioner whose pool requires join proofs, with a real instance: who is admitted with which certificate, and for how long.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Provisioner } from '../../../src/provisioner/provisioner.ts'
import { agentsCaSpec, clientOf, instanceCertificate } from '../../support/instance-certificates.ts'
import { JoinedCluster } from '../../support/joined-cluster.ts'
import { runCliAside } from '../../support/run-cli.ts'
import { until } from '../../support/server.ts'
import { type TcpSwitch, tcpSwitch } from '../../support/switch.ts'
import { testKey } from '../../support/test-keys.ts'
import { authority } from '../../support/x509-profiles.ts'

let cluster: JoinedCluster
let running: Provisioner
let id: string
/** Between the instance and the master. */
let network: TcpSwitch

const refused = { code: 'JOIN_REFUSED', message: 'refused' }
const within = { timeout: 60_000, interval: 50 }
const isJoined = () => running.rows().find(({ instance }) => instance === id)?.agent === 'joined'
const connected = () => cluster.said('agent reconnected').length + cluster.said('agent connected').length
const command = (...args: string[]) => runCliAside([...args, '-c', 'master.yaml'], { cwd: cluster.dir })

/** The connection is cut, and the agent comes back. */
async function returns(): Promise<void> {
  const times = connected()
  network.lead(cluster.port)
  await expect.poll(() => connected() > times && isJoined(), within).toBe(true)
}

beforeAll(async () => {
  cluster = new JoinedCluster()
  const config = await cluster.prepare('agent_reconnect_backoff: 1', 'agent_reconnect_attempts: 30')
  network = await tcpSwitch(cluster.port)
  Object.assign(config.resource_pools[0]!.provider!, { master_url: `https://127.0.0.1:${network.port}` })
  // Shorter than the file may say: it is renewed every three seconds or so.
  config.agents_ca.lifetime = 12_000
  running = await cluster.start(config)
  await until(() => running.rows()[0]?.agent === 'joined', 'the instance to join')
  id = running.rows()[0]!.instance
})
afterAll(async () => {
  await cluster?.dispose()
  await network?.close()
})

describe('an instance', () => {
  it('has joined with a certificate for the key that is bound to it', async () => {
    expect(await cluster.binding(id)).toMatchObject({ instance: id, pool: 'default', key: cluster.keyOf(id) })
    expect(cluster.said('an instance has a certificate')[0]).toContain(`"id":"${id}"`)
    expect(cluster.said('agent rejected')).toEqual([])
  })

  it('is what `check` finds demanded, by the CA in the file for a master', async () => {
    const { stdout } = await command('check')
    expect(stdout).toMatch(/ok +join proof +the master accepts certificates of the agents' CA only/)
    const file = readFileSync(join(cluster.dir, '.provision/agents-ca.pem'), 'utf8')
    expect(file).toBe((await cluster.ca()).bundle)
  })

  it('renews it before it expires, with the same key, and returns with it', async () => {
    const before = cluster.certificateOf(id)
    await expect.poll(() => cluster.certificateOf(id), within).not.toBe(before)
    await returns()
  })
})

const stranger = authority('Agents CA', agentsCaSpec)
const refusals = [
  ['no certificate', () => undefined],
  ['one of a CA that it made itself', () => instanceCertificate(id, stranger)],
  ['one of another instance', () => cluster.issued('local-00000000-1')],
  ['its own, expired', () => cluster.issued(id, { from: -7_200_000, until: -1_000 })],
  ['one that is not valid yet', () => cluster.issued(id, { from: 7_200_000, until: 9_000_000 })],
  ['one of the right CA for another key', () => cluster.issued(id)],
  ['one without a CA', () => clientOf(stranger, { subject: id })],
] as const

describe('an agent is refused with 403, and reported, that has', () => {
  it.each(refusals)('%s', async (_, pair) => {
    for (const reconnect of [false, true])
      expect(await cluster.dial(id, await pair(), { reconnect })).toBe('403')
    // A way around: a pool that takes any agent.
    expect(await cluster.dial(id, await pair(), { pool: 'open' })).toBe('403')
    expect(cluster.said('agent rejected').join('\n')).toContain('"status":403')
    expect(isJoined()).toBe(true)
  })

  it('its own for another id or another pool', async () => {
    const own = () => cluster.own(id)
    for (const other of ['local-00000000-1', `${id}0`, id.toUpperCase(), `${id} `, `${id}%00`, ` ${id}`, 'é'])
      expect(await cluster.dial(other, own()), other).toBe('403')
    expect(await cluster.dial(id, own(), { pool: 'open' })).toBe('403')
    expect(await cluster.dial('any', own(), { pool: 'open' })).toBe('403')
    expect(await cluster.dial('any', undefined, { pool: 'open' })).toBe('admitted')
  })

  it('one of an instance that does not exist', async () => {
    const gone = 'local-00000000-1'
    expect(await cluster.dial(gone, await cluster.issued(gone))).toBe('403')
  })
})

describe('a certificate of an instance', () => {
  it('grants nothing of the API', async () => {
    const own = cluster.own(id)
    const calls = [
      ['GET', '/v1/instances'],
      ['GET', '/api/v1/agents'],
      ['GET', '/metrics'],
      ['POST', '/v1/pools/default/launch'],
      ['POST', '/v1/instances/terminate'],
      ['GET', '/v1/join/challenge/'],
      ['POST', '/v1/join/../pools/default/launch'],
      ['POST', '//v1/join'],
      ['POST', '/v1/join%2frenew'],
    ] as const
    for (const port of [cluster.port, cluster.listenPort])
      for (const [method, path] of calls)
        expect((await cluster.ask(method, path, own, { port })).status, `${port} ${path}`).toBe(401)
  })

  it('shows no secret of the instance to who may read the API', async () => {
    const token = cluster.token()
    const { status, stdout } = await command('agents', '--format', 'json')
    expect([status, token.length > 20]).toEqual([0, true])
    expect(stdout).toContain(id)
    const record = cluster.fileOf(id, 'vm.json')
    expect(record).toContain('joinSecretHash')
    for (const text of [stdout, cluster.log.lines.join('\n')])
      expect(text).not.toMatch(/joinSecret|[\w-]{43}(?![\w-])/)
  })
})

describe('rotation of the CA', () => {
  it('in three steps, while the agent is connected, which gets a certificate of the new one', async () => {
    const before = (await cluster.ca()).issuing.id
    expect(await command('agents-ca', 'rotate')).toMatchObject({ status: 0 })
    expect(await command('agents-ca', 'rotate', '--activate')).toMatchObject({ status: 0 })
    const next = (await cluster.ca()).issuing.id
    expect(next).not.toBe(before)
    await returns()
    // Not before the instance has a certificate of the new one, and has shown it, which takes it some seconds.
    const finish = async () => {
      const { status, stderr } = await command('agents-ca', 'rotate', '--finish')
      if (status !== 0) expect(stderr).toContain('AGENTS_CA_IN_USE')
      return status
    }
    await expect.poll(finish, within).toBe(0)
    expect((await cluster.binding(id))!.issuer).toBe(next)
    expect((await cluster.ca()).trusted).toHaveLength(1)
    await returns()
    expect(cluster.said('local instance terminated')).toEqual([])
  })
})

const proofOf = (secret: string) => ({ kind: 'local-secret', secret })
const [thief, fresh] = [testKey('p256', 'thief'), testKey('p256', 'fresh')]

describe('a task on the instance that has its proof', () => {
  it('gets no certificate, is reported, and takes none from the agent', async () => {
    const proof = proofOf(cluster.secretOf(id))
    expect(await cluster.join(id, thief, proof)).toMatchObject({ status: 403, value: refused })
    expect(cluster.said('JOIN_KEY_CHANGED').join()).toMatch(
      /^error a join was refused .*"address":"127\.0\.0\.1"/,
    )
    const before = cluster.certificateOf(id)
    await expect.poll(() => cluster.certificateOf(id), within).not.toBe(before)
    await returns()
  })
})

describe('agents-ca reissue', () => {
  it('lets the instance bring another key once, and the old one is over', async () => {
    const old = cluster.own(id)
    expect((await command('agents-ca', 'reissue', 'local-00000000-9')).stderr).toContain(
      'JOIN_BINDING_UNKNOWN',
    )
    expect(await command('agents-ca', 'reissue', id)).toMatchObject({ status: 0 })
    // A person lets in who has a proof, and nobody else.
    expect(await cluster.join(id, thief, proofOf('A'.repeat(43)))).toMatchObject({ status: 403 })
    const { status, value } = await cluster.join(id, fresh, proofOf(cluster.secretOf(id)))
    expect(status).toBe(200)
    expect(await cluster.join(id, thief, proofOf(cluster.secretOf(id)))).toMatchObject({ status: 403 })
    expect(await cluster.dial(id, old)).toBe('403')
    // It is connected already, but it would be admitted.
    const pair = { cert: value.certificate, key: fresh.pem }
    expect(await cluster.dial(id, pair)).toBe('500')
    expect(await cluster.renew(id, pair, fresh)).toMatchObject({ status: 200 })
  })
})

describe('once the instance is terminated', () => {
  it('its certificate, its key and its proof are worth nothing', async () => {
    const secret = cluster.secretOf(id)
    const { value } = await cluster.join(id, fresh, proofOf(secret))
    const pair = { cert: value.certificate, key: fresh.pem }
    expect(await command('terminate', id, '--force', '--yes')).toMatchObject({ status: 0 })
    await expect.poll(() => cluster.said('local instance terminated').length, within).toBeGreaterThan(0)
    // The one that it got may have expired by now.
    const valid = await cluster.issued(id)
    for (const pool of ['default', 'open']) expect(await cluster.dial(id, valid, { pool })).toBe('403')
    expect(await cluster.dial(id, pair)).toBe('403')
    expect(await cluster.renew(id, pair, fresh)).toMatchObject({ status: 403, value: refused })
    for (const key of [fresh, thief])
      expect(await cluster.join(id, key, proofOf(secret))).toMatchObject({ status: 403, value: refused })
    await expect.poll(() => cluster.binding(id), within).toBeUndefined()
  })
})
