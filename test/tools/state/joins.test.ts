// Two provisioners with one PostgreSQL, each with its join endpoint: an instance may ask either of them, and both at once.
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type Asked, ask } from '../../support/ask.ts'
import { challengeFor, csrOf } from '../../support/csr.ts'
import { type FakeSts, fakeSts, type Identity } from '../../support/join-proofs/fake-sts.ts'
import { basicDate, stsProof } from '../../support/join-proofs/sigv4.ts'
import { type PostgresCluster, postgresCluster } from '../../support/postgres-cluster.ts'
import { type SharedCluster, type SharedHost, sharedCluster } from '../../support/shared-cluster.ts'
import { freePort } from '../../support/stand-alone.ts'
import { type TestKey, testKey } from '../../support/test-keys.ts'

const region = 'us-west-2'
const account = '123456789012'
const within = { timeout: 60_000, interval: 200 }

let database: PostgresCluster
let cluster: SharedCluster
let sts: FakeSts
let hosts: (SharedHost & { port: number })[]
const identities: Identity[] = []

beforeAll(async () => {
  database = await postgresCluster()
  sts = await fakeSts({ region, identities })
  const provider = ['join: {proof: required, url: "https://master.test:8444"}']
  cluster = await sharedCluster({
    cli: inject('cli'),
    url: database.url(),
    schema: 'joins',
    pools: 2,
    provider,
  })
  hosts = await Promise.all(
    ['a', 'b'].map(async (name) => {
      const port = await freePort()
      return { ...cluster.host(name, { listen: port, env: { AWS_ENDPOINT_URL_STS: sts.url } }), port }
    }),
  )
  // At once: both find no CA.
  for (const host of hosts) host.start()
})
afterAll(async () => {
  await cluster?.dispose()
  await sts?.close()
  await database?.dispose()
})

function identityOf(id: string): Identity {
  const known = identities.find(({ arn }) => arn.endsWith(`/${id}`))
  if (known) return known
  const arn = `arn:aws:sts::${account}:assumed-role/aws:ec2-instance/${id}`
  const name = id.replaceAll(/\W/g, '').toUpperCase().padEnd(16, '0')
  const made = {
    accessKey: `ASIA${name}`,
    secret: `secret of ${id}`,
    token: `IQoJb3JpZ2luX2Vj${name}`,
    arn,
    account,
  }
  identities.push(made)
  return made
}

const to = (host: number) => ({ port: hosts[host]!.port, ca: cluster.root })
const nonceAt = async (host: number, key: TestKey): Promise<string> =>
  (await ask('GET', challengeFor(key), to(host))).value.nonce

interface Sent {
  key?: TestKey
  nonce?: string
}

async function joinAt(
  host: number,
  id: string,
  { key = testKey('p256', id), nonce }: Sent = {},
): Promise<Asked> {
  const used = nonce ?? (await nonceAt(host, key))
  const csr = csrOf({ subject: id, key }).toString('base64')
  const at = { region, host: `sts.${region}.amazonaws.com`, date: basicDate(Date.now()), nonce: used }
  const proof = stsProof({ ...identityOf(id), ...at })
  return ask('POST', '/v1/join', to(host), { id, nonce: used, csr, proof })
}

const renewAt = (host: number, id: string, { value }: Asked, key = testKey('p256', id)) =>
  ask(
    'POST',
    '/v1/join/renew',
    { ...to(host), cert: value.certificate, key: key.pem },
    {
      csr: csrOf({ subject: id, key }).toString('base64'),
    },
  )

/** An instance of the pool that both provisioners know. */
async function launched(pool: string): Promise<string> {
  const before = new Set(cluster.live())
  await hosts[0]!.command('launch', '1', '--pool', pool)
  let [id] = ['']
  await expect
    .poll(() => (id = cluster.live(pool).find((one) => !before.has(one)) ?? ''), within)
    .not.toBe('')
  // Also at the one that does not lead the pool; a refusal before that takes nothing from it.
  for (const host of [0, 1])
    await expect.poll(async () => JSON.stringify(await hosts[host]!.command('agents')), within).toContain(id)
  return id
}

const bound = (id: string) =>
  database.sql(`SELECT count(*) FROM joins.join_bindings WHERE instance = '${id}'`).trim()
function counted(answers: Asked[]): Record<number, number> {
  const found: Record<number, number> = {}
  for (const { status } of answers) found[status] = (found[status] ?? 0) + 1
  return found
}

describe('two provisioners', () => {
  it('that start at once have one CA', async () => {
    const states = async (host: SharedHost) =>
      (await host.status().catch(() => ({ pools: [] }))).pools.map(({ state }) => state)
    for (const host of hosts) await expect.poll(() => states(host), within).toEqual(['ok', 'ok'])
    const [a, b] = hosts.map(({ dir }) => readFileSync(join(dir, 'own/agents-ca.pem'), 'utf8'))
    expect(a).toBe(b)
    expect(a!.match(/BEGIN CERTIFICATE/g)).toHaveLength(1)
  }, 120_000)

  it('each admit what the other leads, with a nonce of the other, and renew its certificates', async () => {
    for (const pool of cluster.pools) {
      const id = await launched(pool)
      const first = await joinAt(0, id, { nonce: await nonceAt(1, testKey('p256', id)) })
      expect(first.status).toBe(200)
      const second = await joinAt(1, id, { nonce: await nonceAt(0, testKey('p256', id)) })
      expect(second.status).toBe(200)
      expect((await renewAt(1, id, first)).status).toBe(200)
      expect((await renewAt(0, id, second)).status).toBe(200)
    }
  }, 120_000)

  it('take a nonce once together', async () => {
    const [id] = cluster.live(cluster.pools[0])
    for (let round = 0; round < 10; round++) {
      const nonce = await nonceAt(round % 2, testKey('p256', id))
      const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => joinAt(n % 2, id!, { nonce })))
      expect(counted(answers)).toEqual({ 200: 1, 403: 7 })
    }
  }, 60_000)

  it('bind one key of fifty that come to both at once', async () => {
    for (const pool of cluster.pools) {
      const id = await launched(pool)
      const keys = Array.from({ length: 50 }, (_, n) => testKey('p256', `race ${n}`))
      const answers = await Promise.all(keys.map((key, n) => joinAt(n % 2, id, { key })))
      expect(counted(answers)).toEqual({ 200: 1, 403: 49 })
      expect(bound(id)).toBe('1')
      const winner = answers.findIndex(({ status }) => status === 200)
      // At both, it is the only one from then on.
      for (const host of [0, 1]) {
        expect((await renewAt(host, id, answers[winner]!, keys[winner]!)).status).toBe(200)
        expect((await joinAt(host, id, { key: keys[(winner + 1) % 50]! })).status).toBe(403)
      }
    }
  }, 120_000)

  it('let one key of fifty in after a reissue, and the old one is over at both', async () => {
    const [id] = cluster.live(cluster.pools[1])
    const old = await joinAt(0, id!)
    expect(old.status).toBe(200)
    await hosts[1]!.command('agents-ca', 'reissue', id!)
    const keys = Array.from({ length: 50 }, (_, n) => testKey('p256', `reissue ${n}`))
    const answers = await Promise.all(keys.map((key, n) => joinAt(n % 2, id!, { key })))
    expect(counted(answers)).toEqual({ 200: 1, 403: 49 })
    for (const host of [0, 1]) expect((await renewAt(host, id!, old)).status).toBe(403)
  }, 60_000)

  it('issue by the new CA at once, whoever was told of it', async () => {
    const [id] = cluster.live(cluster.pools[0])
    await hosts[0]!.command('agents-ca', 'rotate')
    await hosts[1]!.command('agents-ca', 'rotate', '--activate')
    for (const host of [0, 1]) {
      const { status, value } = await joinAt(host, id!)
      expect(status).toBe(200)
      const certificates = value.ca.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n/g)
      expect(certificates).toHaveLength(2)
      expect(new X509Certificate(value.certificate).checkIssued(new X509Certificate(certificates[1]))).toBe(
        true,
      )
      expect((await renewAt(1 - host, id!, { status, value })).status).toBe(200)
    }
  }, 60_000)

  it('say that they cannot decide while the database is gone, and bind nothing', async () => {
    const id = await launched(cluster.pools[0]!)
    const nonce = await nonceAt(0, testKey('p256', id))
    await database.crash()
    for (const host of [0, 1]) expect((await joinAt(host, id, { nonce })).status).toBe(503)
    await database.start()
    await expect.poll(async () => (await joinAt(0, id).catch(() => ({ status: 0 }))).status, within).toBe(200)
    expect(bound(id)).toBe('1')
  }, 120_000)
})
