// The certificate of an instance opens agent sockets only: on every listener, every path of the API answers as to anybody.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openPaths } from '../../../src/http/access.ts'
import { sendJson } from '../../../src/http/router.ts'
import { loadTlsCredentials } from '../../../src/pki/credentials.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import type { Handler } from '../../../src/platform/ports.ts'
import type { Problem } from '../../../src/problems/index.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { type Endpoints, openEndpoints } from '../../../src/provisioner/endpoints.ts'
import type { Joins } from '../../../src/provisioner/joins.ts'
import { type MasterListener, openMasterListener } from '../../../src/provisioner/master-listener.ts'
import { createMaster, type Master } from '../../../src/standalone/master/master.ts'
import { type AskOptions, ask } from '../../support/ask.ts'
import { agentsCa, agentsCaSpec, clientOf, instanceCertificate } from '../../support/instance-certificates.ts'
import { rawTlsClient } from '../../support/server.ts'
import { silentLogger } from '../../support/silent-logger.ts'
import { sourcesBelow } from '../../support/sources.ts'
import { Cluster } from '../../support/stand-alone.ts'
import { testKey } from '../../support/test-keys.ts'
import { authority } from '../../support/x509-profiles.ts'

const adminCa = authority('Admin CA')
const ownerCa = authority('Owner CA')
const nextCa = authority('Agents CA', { ...agentsCaSpec, key: testKey('p256', 'next') })

/** Stands for the whole API: whoever gets past the access control gets 200, for any path. */
const everything: Handler = (_, response) => sendJson(response, 200, { isOpen: true })

let cluster: Cluster
let endpoints: Endpoints
let master: MasterListener
let behind: Master
let listeners: Record<'listen' | 'master', AskOptions>

/** The two listeners, when the agents' CA changes. */
const changes: ((pem: string) => Problem | undefined)[] = []
let prepared = 0
const joins: Joins = {
  handler: () => false,
  agentsCa: () => agentsCa.pem,
  onChange: (use) => void changes.push(use),
  rules: { isRequired: () => true, mayJoin: () => 'no' },
  probe: () => Promise.reject(new Error('not needed')),
  prepare: async () => void prepared++,
  forget() {},
  close() {},
}

beforeAll(async () => {
  cluster = new Cluster()
  const { root } = await cluster.certificate()
  writeFileSync(join(cluster.dir, 'admins.crt'), adminCa.pem)
  writeFileSync(join(cluster.dir, 'owners.crt'), ownerCa.pem)
  const config = await cluster.config('preflight: off')
  config.listen = { address: '127.0.0.1', port: 0, client_ca: join(cluster.dir, 'admins.crt') }
  config.resource_manager.client_ca = join(cluster.dir, 'owners.crt')
  const files = { certFile: join(cluster.dir, 'chain.crt'), keyFile: join(cluster.dir, 'server.key') }
  const { material } = loadTlsCredentials(files, { now: Date.now() })
  const identity = { clusterId: 'c', provisionerId: 'p', writerId: 'p', ownWriters: new Set(['p']) }
  const common = { config, version: '0', clock: systemClock, logger: silentLogger, control: everything }
  endpoints = await openEndpoints({
    ...common,
    info: { version: '0', cluster_id: 'c', cluster_name: 'n' },
    further: () => [],
    local: () => [],
    joins,
  })
  const certificate = {
    current: () => material,
    warnings: [],
    serveWith() {},
    subscribe() {},
    watch: () => () => {},
  }
  const context = { ...common, identity, providers: builtInProviders, certificate }
  master = await openMasterListener({ ...context, joins })
  behind = createMaster({
    ...{ config, providers: builtInProviders, version: '0', masterId: 'm', clusterId: 'c' },
    ...{ clock: systemClock, logger: silentLogger, mayJoin: () => 'yes' },
    joinProof: { isRequired: () => true, mayJoin: (id) => (id === 'i-1' ? 'yes' : 'no') },
  })
  master.serve(behind)
  listeners = {
    listen: { ca: root.certificate, port: endpoints.listener!.port },
    master: { ca: root.certificate, port: master.port },
  }
})
afterAll(async () => {
  await behind.close()
  await master.close()
  await endpoints.close()
  await cluster.dispose()
})

it('what verifies join proofs is loaded once the endpoints listen', () => {
  expect(prepared).toBe(1)
})

/** Every path that the sources name, with something in place of its variables. */
const paths = [
  ...new Set(
    ['src/http', 'src/standalone/master', 'src/provisioner'].flatMap((folder) =>
      sourcesBelow(folder).flatMap(({ text }) => {
        const found = text.matchAll(
          /['`](\/(?:api\/v1|v1|provision\/v1|agents|info|healthz|readyz|metrics)\b[^'`\s?]*)['`?]/g,
        )
        return [...found].map(([, path]) => path!.replace(/\$\{[^}]*\}|:[a-z]+/gi, 'x'))
      }),
    ),
  ),
  '/v1/pools/default/demand',
  '/v1/join',
  '/',
]
const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']
/** They have an access control of their own. */
const before = ['POST /api/v1/auth/login', 'POST /provision/v1/task-output/']

async function statuses(at: AskOptions): Promise<Record<string, number>> {
  const found: Record<string, number> = {}
  for (const path of paths)
    for (const method of methods) {
      const headers = { 'Content-Type': 'application/json' }
      found[`${method} ${path}`] = (
        await ask(method, path, { ...at, headers }, /GET|DELETE/.test(method) ? undefined : {})
      ).status
    }
  return found
}

it('the paths of the sources are found', () => {
  expect(paths.length).toBeGreaterThan(35)
  expect(paths).toEqual(
    expect.arrayContaining(['/v1/status', '/api/v1/agents/x/disable', '/provision/v1/jobs']),
  )
})

describe.each(['listen', 'master'] as const)('on the listener of `%s`', (name) => {
  it('the certificate of an instance gets 401 for every path that is not open to all', async () => {
    const at = listeners[name]
    const anybody = await statuses(at)
    const own = instanceCertificate('i-1')
    expect(await statuses({ ...at, ...own })).toEqual(anybody)
    const isOpen = (call: string) => before.includes(call) || openPaths.some((path) => call === `GET ${path}`)
    const allowed = Object.entries(anybody).filter(([call, status]) => status !== 401 && !isOpen(call))
    expect(allowed).toEqual([])
    expect(Object.keys(anybody).length).toBe(paths.length * methods.length)
  }, 120_000)

  it('neither that of an owner of agents nor one of a new CA of instances gets more', async () => {
    const at = listeners[name]
    expect(changes.map((use) => use(nextCa.pem))).toEqual([undefined, undefined])
    for (const pair of [clientOf(ownerCa), instanceCertificate('i-1', nextCa), instanceCertificate('i-1')])
      expect((await ask('GET', '/v1/status', { ...at, ...pair })).status).toBe(401)
    for (const use of changes) use(agentsCa.pem)
  })
})

it('the certificate of an administrator opens the API of `listen` only, and no agent socket', async () => {
  const admin = clientOf(adminCa, { subject: 'i-1' })
  expect((await ask('GET', '/v1/status', { ...listeners.listen, ...admin })).status).toBe(200)
  expect((await ask('GET', '/v1/status', { ...listeners.master, ...admin })).status).toBe(401)
  const upgrade = (pair: { cert: string; key: string }) => {
    const lines = ['Host: m', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']
    const query = 'id=i-1&version=1&resource_pool=default&reconnect=false'
    const request = [`GET /agents?${query} HTTP/1.1`, ...lines, 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==']
    const client = rawTlsClient(master.port, pair, `${request.join('\r\n')}\r\n\r\n`)
    client.socket.once('data', () => setTimeout(() => client.socket.destroy(), 50))
    return client.end
  }
  expect(await upgrade(admin)).toMatch(/^HTTP\/1\.1 403 /)
  expect(await upgrade(instanceCertificate('i-1'))).toMatch(/^HTTP\/1\.1 101 /)
})
