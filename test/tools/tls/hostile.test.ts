// Hostile and unrelated servers at the address of the master: the verdict of the preflight, and the number of launched instances.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TlsOptions } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DemandSource } from '../../../src/demand/source.ts'
import type { PoolStatus } from '../../../src/fleet/index.ts'
import { preflight } from '../../../src/pki/preflight.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { dialTimeoutMs } from '../../../src/provisioner/preflight-gate.ts'
import { composeProvisioner } from '../../../src/provisioner/provisioner.ts'
import { awsCloud } from '../../support/aws-cloud.ts'
import { capturingLogger } from '../../support/capturing-logger.ts'
import { parseConfig } from '../../support/config.ts'
import { sequence, tlv } from '../../support/der-writer.ts'
import { answerInfo, embed, infoBody, Masters } from '../../support/masters.ts'
import { type Issued, issue } from '../../support/x509.ts'
import { authority, server } from '../../support/x509-profiles.ts'
import { cleanEnv, converse, todaysGo, withGoProgram } from './run.ts'

const name = 'master.example.com'
const folder = mkdtempSync(join(tmpdir(), 'hostile-'))
const masters = new Masters()
const children: ChildProcess[] = []
const root = authority('Root')
const leaf = server(root)
const trust = embed(name, ['root', root.pem])

const utcTime = (text: string) => tlv(0x17, Buffer.from(text, 'latin1'))
const badDate = issue({
  subject: 'Bad date',
  validity: sequence(utcTime('250101000000Z'), utcTime('Bad time value')),
})
const negative = authority('Negative', { serial: Buffer.from([0x80, 1]) })
const extra = authority('Extra')
const times = (certificate: Issued, bytes: number) =>
  Array.from({ length: Math.ceil(bytes / (certificate.der.length + 5)) }, () => certificate)
const pemOf = (chain: Issued[]) => chain.map(({ pem }) => pem).join('')

/** A server of node:tls with this chain. */
const node = (chain: Issued[], serve = answerInfo(), more: TlsOptions = {}) =>
  masters.secure({ cert: pemOf(chain), key: chain[0]!.key.pem, ...more }, serve)
const page = (status: string, body = '', ...headers: string[]) =>
  node([leaf, root], (socket: Socket) =>
    socket.once('data', () =>
      socket.end([`HTTP/1.1 ${status}`, ...headers, `Content-Length: ${body.length}`, '', body].join('\r\n')),
    ),
  )

let goServer = ''
async function go(chain: Issued[]): Promise<number> {
  const files = filesOf(chain)
  const child = spawn(goServer, files, { env: cleanEnv, stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const [line] = await once(createInterface(child.stdout), 'line')
  return Number(/\d+$/.exec(line)![0])
}

async function openssl(...more: string[]): Promise<number> {
  const [cert, key] = filesOf([leaf, root])
  const port = await freePort()
  const args = [
    's_server',
    '-accept',
    `127.0.0.1:${port}`,
    '-cert',
    cert,
    '-cert_chain',
    cert,
    '-key',
    key,
    '-quiet',
  ]
  const child = spawn('openssl', [...args, ...more], { env: cleanEnv, stdio: 'ignore' })
  children.push(child)
  while (!(await isOpen(port))) if (child.exitCode !== null) throw new Error('openssl s_server has ended')
  return port
}

function filesOf(chain: Issued[]): [cert: string, key: string] {
  const file = join(folder, String(Math.random()).slice(2))
  writeFileSync(`${file}.crt`, pemOf(chain))
  writeFileSync(`${file}.key`, chain[0]!.key.pem)
  return [`${file}.crt`, `${file}.key`]
}

async function freePort(): Promise<number> {
  const listening = createServer().listen(0, '127.0.0.1')
  await once(listening, 'listening')
  const { port } = listening.address() as { port: number }
  await new Promise((resolve) => listening.close(resolve))
  return port
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

type Verdict = 'ok' | 'wrong' | 'unverified'
type Row = [what: string, verdict: Verdict, code: string | undefined, serve: () => Promise<number>]

const wantsCertificate = { requestCert: true, rejectUnauthorized: true, ca: root.pem }
const nginx400 = '<html><head><title>400 No required SSL certificate was sent</title></head></html>'
const upgraded = (status: number) => answerInfo(infoBody, 200, { status, body: '' })
const rows: Row[] = [
  ['a master', 'ok', undefined, () => node([leaf, root])],
  ['a master in Go', 'ok', undefined, () => go([leaf, root])],
  ['an invalid date beside the chain', 'wrong', 'PREFLIGHT_GO_REFUSES', () => node([leaf, root, badDate])],
  ['the same, in Go', 'wrong', 'PREFLIGHT_GO_REFUSES', () => go([leaf, root, badDate])],
  [
    'a negative serial number as number 24',
    'wrong',
    'PREFLIGHT_GO_REFUSES',
    () => go([leaf, root, ...Array.from({ length: 21 }, () => extra), negative]),
  ],
  [
    '70 KB of certificates',
    'wrong',
    'PREFLIGHT_CHAIN_TOO_LARGE',
    () => go([leaf, root, ...times(extra, 70_000)]),
  ],
  [
    '110 KB of certificates',
    'wrong',
    'PREFLIGHT_CHAIN_TOO_LARGE',
    () => go([leaf, root, ...times(extra, 110_000)]),
  ],
  [
    '301',
    'wrong',
    'PREFLIGHT_NOT_A_MASTER',
    () => page('301 Moved', '', 'Location: https://www.example.com/'),
  ],
  [
    '302 to a sign-in',
    'wrong',
    'PREFLIGHT_NOT_A_MASTER',
    () => page('302 Found', '', 'Location: https://sso.example.com/'),
  ],
  ['401', 'wrong', 'PREFLIGHT_NOT_A_MASTER', () => page('401 Unauthorized')],
  ['403', 'wrong', 'PREFLIGHT_NOT_A_MASTER', () => page('403 Forbidden')],
  ['404', 'wrong', 'PREFLIGHT_NOT_A_MASTER', () => page('404 Not Found', '<html></html>')],
  ['407', 'wrong', 'PREFLIGHT_NOT_A_MASTER', () => page('407 Proxy Authentication Required')],
  ['426', 'wrong', 'PREFLIGHT_NOT_A_MASTER', () => page('426 Upgrade Required')],
  ['200 with HTML', 'wrong', 'PREFLIGHT_NOT_A_MASTER', () => openssl('-www')],
  ['an endless body', 'wrong', 'PREFLIGHT_NOT_A_MASTER', () => node([leaf, root], endless)],
  [
    'nginx without client certificate',
    'wrong',
    'PREFLIGHT_CLIENT_CERT_REQUIRED',
    () => page('400 Bad Request', nginx400),
  ],
  [
    'a client certificate over TLS 1.3',
    'wrong',
    'PREFLIGHT_CLIENT_CERT_REQUIRED',
    () => node([leaf, root], answerInfo(), wantsCertificate),
  ],
  ['the same by openssl', 'wrong', 'PREFLIGHT_CLIENT_CERT_REQUIRED', () => openssl('-www', '-Verify', '1')],
  [
    'a master with require_authentication',
    'wrong',
    'PREFLIGHT_CLIENT_CERT_REQUIRED',
    () => node([leaf, root], upgraded(403)),
  ],
  [
    'a proxy that passes no upgrades',
    'wrong',
    'PREFLIGHT_NO_UPGRADE',
    () => node([leaf, root], upgraded(404)),
  ],
  ['408', 'unverified', 'PREFLIGHT_UNAVAILABLE', () => page('408 Request Timeout')],
  ['429', 'unverified', 'PREFLIGHT_UNAVAILABLE', () => page('429 Too Many Requests')],
  ['502', 'unverified', 'PREFLIGHT_UNAVAILABLE', () => page('502 Bad Gateway', '<html></html>')],
  ['503', 'unverified', 'PREFLIGHT_UNAVAILABLE', () => page('503 Service Unavailable')],
  [
    'an immediate reset',
    'unverified',
    'PREFLIGHT_CLOSED_IN_HANDSHAKE',
    () => masters.tcp((socket) => socket.resetAndDestroy()),
  ],
]

function endless(socket: Socket): void {
  const more = (): void => {
    if (!socket.destroyed) socket.write('x'.repeat(16_384), () => setImmediate(more))
  }
  socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\n\r\n', more))
}

/** Instances needed in each pool. */
const wanted = 2
const launchedFor: Record<Verdict, number> = { ok: wanted, unverified: 1, wrong: 0 }

describe('hostile servers', () => {
  const ports = new Map<string, number>()

  beforeAll(
    () =>
      withGoProgram('serve', async (program) => {
        goServer = program
        for (const [what, , , serve] of rows) ports.set(what, await serve())
      }),
    600_000,
  )
  afterAll(async () => {
    for (const child of children) child.kill()
    await masters.close()
    rmSync(folder, { recursive: true })
  })

  test.each(rows)('%s: %s %s', async (what, verdict, code) => {
    const address = { scheme: 'https', host: '127.0.0.1', port: ports.get(what)! } as const
    const result = await preflight({ address, plan: trust, timeoutMs: 20_000, clock: systemClock })
    expect({ verdict: result.verdict, code: result.problem?.code }).toEqual({ verdict, code })
  })

  test('Go agrees about every chain that it can dial', async () => {
    const refused = rows.filter(([, , code]) => code === 'PREFLIGHT_GO_REFUSES').map(([what]) => what)
    const jobs = ['a master in Go', ...refused].map((id) => ({
      id,
      port: ports.get(id)!,
      anchorsPem: root.pem,
      certificateName: name,
    }))
    const errors = await withGoProgram('dial', (program) =>
      converse<Record<string, string>>(program, [], jobs, todaysGo),
    )
    expect(errors['a master in Go']).toBe('')
    for (const what of refused)
      expect(errors[what], what).toMatch(/failed to parse certificate|negative serial/)
  })

  test('instances are launched for masters, one if unverified, and none for others', async () => {
    const cloud = await awsCloud()
    const chainFile = join(folder, 'chain.crt')
    writeFileSync(chainFile, pemOf([leaf, root]))
    const pools = rows.map(
      ([what], index) => `  - pool_name: p${index}
    provider:
      type: aws
      region: us-west-2
      image: {id: ami-2}
      instance_type: g5.12xlarge
      subnet_ids: [subnet-a]
      master_url: https://127.0.0.1:${ports.get(what)}
      master_cert_name: ${name}
      min_instances: ${wanted}
      max_instances: ${wanted}\n`,
    )
    const text = `state_dir: ${join(folder, 'state')}\ncluster_id: hostile\nsecurity: {tls: {cert: ${chainFile}}}\ndemand: {type: push}\nresource_pools:\n${pools.join('')}`
    const { config, problems } = parseConfig(text, join(folder, 'master.yaml'))
    if (!config) throw new Error(JSON.stringify(problems))
    // A cluster without a journal lists twice, a minute apart, before it launches.
    let ahead = 0
    const clock = {
      ...systemClock,
      now: () => systemClock.now() + ahead,
      // All masters are dialled at once: on a busy machine that is no reason to take one for silent.
      sleep: (ms: number, signal?: AbortSignal) =>
        systemClock.sleep(ms === dialTimeoutMs ? 12 * ms : ms, signal),
    }
    const listeners: ((pool: string) => void)[] = []
    const demand: DemandSource = {
      kind: 'push',
      read: async (pool) => ({ pool, at: clock.now(), pending: [], agents: [] }),
      onChange: (listener) => {
        listeners.push(listener)
        return () => {}
      },
      drain: async () => true,
      undrain: async () => true,
      close: async () => {},
    }
    const logger = capturingLogger()
    const env = { PATH: process.env['PATH'] }
    const provisioner = composeProvisioner({
      config,
      providers: builtInProviders,
      demand,
      version: '0',
      env,
      clock,
      logger,
    })
    const counts = () =>
      Object.fromEntries(
        provisioner.status().pools.map((pool, index) => [rows[index]![0], pool.instances.length]),
      )
    try {
      await provisioner.start()
      expect(provisioner.status().failed).toEqual([])
      const isListed = ({ snapshot, blocked }: PoolStatus) =>
        snapshot !== undefined && !blocked.some(({ code }) => code === 'LISTING_MISSING')
      await expect
        .poll(() => provisioner.status().pools.filter(isListed).length, { timeout: 120_000 })
        .toBe(rows.length)
      ahead += 61_000
      // The pools' views of the master are a minute old now, and their timers did not move: they read it again.
      for (const index of rows.keys()) for (const listener of listeners) listener(`p${index}`)
      const expected = Object.fromEntries(rows.map(([what, verdict]) => [what, launchedFor[verdict]]))
      await expect.poll(counts, { timeout: 120_000, interval: 500 }).toEqual(expected)
      // The result is the same after every master has been dialled again.
      await new Promise((resolve) => setTimeout(resolve, 15_000))
      expect(counts()).toEqual(expected)
      expect(cloud.ec2.world.vms.size).toBe(Object.values(expected).reduce((sum, count) => sum + count, 0))
    } finally {
      await provisioner.stop()
      await cloud.dispose()
    }
  }, 300_000)
})
