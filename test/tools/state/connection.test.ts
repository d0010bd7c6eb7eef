// Connections to a real PostgreSQL: TLS is verified, poolers change nothing, and each failure says what to do.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PostgresConfig } from '../../../src/config/index.ts'
import { createDevelopmentChain } from '../../../src/pki/development-ca.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { SecretText } from '../../../src/platform/secret-text.ts'
import { addressOf } from '../../../src/state/postgres/address.ts'
import { type Database, postgresDatabase } from '../../../src/state/postgres/database.ts'
import { postgresStore } from '../../../src/state/postgres/postgres-store.ts'
import { checkPostgres } from '../../../src/state/postgres/report.ts'
import { type PostgresCluster, postgresCluster } from '../../support/postgres-cluster.ts'
import { silentLogger } from '../../support/silent-logger.ts'
import { underLeases } from '../../support/under-leases.ts'

let cluster: PostgresCluster
let folder: string
beforeAll(async () => {
  cluster = await postgresCluster()
  folder = join(cluster.folder, 'tls')
  mkdirSync(folder)
  chmodSync(folder, 0o755)
  const now = Date.now()
  const server = await createDevelopmentChain({ names: ['localhost'], ips: ['127.0.0.1'], days: 30, now })
  const client = await createDevelopmentChain({ names: ['provision'], ips: [], days: 30, now })
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 })
    cluster.give(join(folder, name))
  }
  write('server.crt', server.chain)
  write('server.key', server.leaf.key)
  write('ca.crt', server.root.certificate)
  write('other.crt', client.root.certificate)
  cluster.set(`ssl = on\nssl_cert_file = '${folder}/server.crt'\nssl_key_file = '${folder}/server.key'`)
  await cluster.crash()
  await cluster.start()
})
afterAll(() => cluster.dispose())

const url = (host: string, query = '') =>
  new SecretText(`${cluster.url().replace('127.0.0.1', host)}${query}`)
const of = (more: Partial<PostgresConfig>): PostgresConfig => ({
  type: 'postgres',
  schema: 'provision',
  ...more,
})

async function check(more: Partial<PostgresConfig>): Promise<string> {
  try {
    const { note, problems } = await checkPostgres(of(more), {})
    return [note.split(': ').at(-1), ...problems.map(({ code }) => code)].join(' ')
  } catch (error) {
    return (error as Error).message
  }
}

describe('TLS', () => {
  it('is verified with the CA of the configuration: chain and name', async () => {
    const ca_file = join(folder, 'ca.crt')
    expect(await check({ url: url('127.0.0.1'), ca_file })).toMatch(/^TLS, verified/)
    expect(await check({ url: url('localhost'), ca_file })).toMatch(/^TLS, verified/)
    expect(await check({ url: url('localhost', '?sslmode=require'), ca_file })).toMatch(/^TLS, verified/)
    expect(await check({ url: url('127.0.0.2', '?sslmode=require'), ca_file })).toMatch(
      /STATE_(REFUSED|UNREACHABLE)/,
    )
  })

  it('is refused with another CA, and with none of the well-known ones', async () => {
    const refused =
      /^STATE_REFUSED: PostgreSQL 127\.0\.0\.1:\d+, database postgres: .*(self-signed|unable to)/
    expect(await check({ url: url('127.0.0.1'), ca_file: join(folder, 'other.crt') })).toMatch(refused)
    expect(await check({ url: url('127.0.0.1', '?sslmode=require') })).toMatch(refused)
    expect(await check({ url: url('127.0.0.1', '?sslmode=verify-full') })).toMatch(refused)
  })

  it('is not verified only where somebody wrote that', async () => {
    expect(await check({ url: url('127.0.0.1', '?sslmode=no-verify') })).toMatch(/^TLS, not verified/)
    expect(await check({ url: url('127.0.0.1') })).toMatch(/^plain, on this machine/)
  })

  it('that the server does not offer is not done without', async () => {
    cluster.set('ssl = off')
    cluster.reload()
    await expect
      .poll(() => check({ url: url('127.0.0.1'), ca_file: join(folder, 'ca.crt') }), { timeout: 10_000 })
      .toMatch(/^STATE_REFUSED: .*does not support SSL/)
    cluster.set('ssl = on')
    cluster.reload()
  })
})

describe('a login', () => {
  it('by a UNIX socket needs no password and no TLS', async () => {
    const socket = new SecretText(
      `postgresql:///postgres?host=${cluster.folder}&port=${cluster.port}&user=provision`,
    )
    expect(await check({ url: socket })).toMatch(/^plain, on this machine/)
  })

  it('that is refused says why, with the server, and no password', async () => {
    cluster.sql('CREATE ROLE guest LOGIN')
    const guest = new SecretText(
      `postgresql:///postgres?host=${cluster.folder}&port=${cluster.port}&user=guest`,
    )
    const database = postgresDatabase(() => addressOf(of({ url: guest }), {}))
    const store = postgresStore({
      database,
      schema: 'forbidden',
      program: 'test',
      clock: systemClock,
      logger: silentLogger,
    })
    const refusal = await store.hold({ onLost() {}, alone: true }).catch((error) => error)
    await store.close()
    expect(refusal.code).toBe('STATE_REFUSED')
    expect(refusal.message).toContain('permission denied for database postgres')
    expect(refusal.problems[0].remedy).toContain('CREATE')
  })

  it('to a database with another encoding is refused', async () => {
    cluster.sql("CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0")
    const database = postgresDatabase(() => addressOf(of({ url: new SecretText(cluster.url('ascii')) }), {}))
    const store = postgresStore({
      database,
      schema: 'p',
      program: 'test',
      clock: systemClock,
      logger: silentLogger,
    })
    expect((await store.hold({ onLost() {}, alone: true }).catch((error) => error)).message).toMatch(
      /STATE_UNSUITABLE.*SQL_ASCII/,
    )
    await store.close()
  })

  it('that is cut in the middle of a transaction holds its locks no longer than a call may take', async () => {
    let isCut = false
    const ends: Socket[] = []
    // Nothing passes once it is cut, and the server is not told.
    const relay = createServer((client) => {
      const server = connect(cluster.port, '127.0.0.1')
      ends.push(client, server)
      for (const end of [client, server]) end.on('error', () => {})
      client.on('data', (part) => isCut || server.write(part))
      server.on('data', (part) => isCut || client.write(part))
    }).listen(0, '127.0.0.1')
    await once(relay, 'listening')
    const { port } = relay.address() as AddressInfo
    const [direct, far] = [cluster.port, port].map((at) =>
      postgresDatabase(() =>
        addressOf(of({ url: new SecretText(cluster.url().replace(`:${cluster.port}`, `:${at}`)) }), {}),
      ),
    ) as [Database, Database]
    await direct.query('CREATE TABLE locked (n int)')
    const cut = far.transaction(async (query) => {
      await query('LOCK TABLE locked')
      isCut = true
      await query('SELECT 1')
    })
    await expect(cut).rejects.toThrow('no answer within 5 s')
    await expect
      .poll(() => direct.query('SELECT FROM locked').then(() => 'free'), { timeout: 8_000 })
      .toBe('free')
    await Promise.all([direct.close(), far.close()])
    for (const end of ends) end.destroy()
    relay.close()
  })

  it('is left free for urgent calls, however many others wait', async () => {
    const database = postgresDatabase(() => addressOf(of({ url: new SecretText(cluster.url()) }), {}))
    const slow = Array.from({ length: 12 }, () => database.query('SELECT pg_sleep(0.5)'))
    const from = performance.now()
    for (let n = 0; n < 3; n++) await database.urgent('SELECT 1')
    const took = performance.now() - from
    await Promise.all(slow)
    await database.close()
    expect(took).toBeLessThan(1_000)
  })

  it('that finds no free connection, or a server that only reads, passes by itself', async () => {
    cluster.sql('CREATE ROLE few LOGIN CONNECTION LIMIT 0; CREATE SCHEMA few AUTHORIZATION few')
    const few = new SecretText(`postgresql:///postgres?host=${cluster.folder}&port=${cluster.port}&user=few`)
    expect(await check({ url: few })).toMatch(/^STATE_UNREACHABLE: .*too many connections/)
    cluster.sql('ALTER ROLE few CONNECTION LIMIT 10; ALTER ROLE few SET default_transaction_read_only = on')
    const database = postgresDatabase(() => addressOf(of({ url: few }), {}))
    const store = postgresStore({
      database,
      schema: 'few',
      program: 'test',
      clock: systemClock,
      logger: silentLogger,
    })
    expect((await store.hold({ onLost() {}, alone: true }).catch((error) => error)).message).toMatch(
      /^STATE_READ_ONLY: .*read-only/,
    )
    await store.close()
  })
})

const pgbouncer = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer'].find((file) => existsSync(file))

describe.runIf(pgbouncer)('behind PgBouncer', () => {
  let bouncer: ChildProcess
  const port = () => cluster.port + 1
  beforeAll(async () => {
    const ini = join(cluster.folder, 'pgbouncer.ini')
    const users = join(cluster.folder, 'users.txt')
    writeFileSync(users, `"provision" "${cluster.password.replaceAll('"', '""')}"\n`)
    writeFileSync(
      ini,
      `[databases]\npostgres = host=${cluster.folder} port=${cluster.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${port()}\nauth_type = plain\nauth_file = ${users}\npool_mode = transaction\ndefault_pool_size = 2\nunix_socket_dir =\n`,
    )
    for (const file of [ini, users]) cluster.give(file)
    bouncer = spawn(pgbouncer!, [ini], { ...cluster.as, stdio: ['ignore', 'ignore', 'pipe'] })
    let log = ''
    bouncer.stderr!.on('data', (part) => (log += part))
    for (let n = 0; n < 400 && !log.includes('process up'); n++)
      await new Promise((resolve) => setTimeout(resolve, 50))
  })
  afterAll(() => bouncer.kill())

  it('in transaction mode everything is as without: nothing is kept in a session', async () => {
    const through = cluster.url().replace(`:${cluster.port}/`, `:${port()}/`)
    const database = postgresDatabase(() => addressOf(of({ url: new SecretText(through) }), {}))
    const store = postgresStore({
      database,
      schema: 'bounced',
      program: 'test',
      clock: systemClock,
      logger: silentLogger,
    })
    const release = await store.hold({ onLost() {}, alone: true })
    const journals = await Promise.all(
      Array.from({ length: 8 }, (_, n) => store.openJournal({ name: { pool: `p${n}` }, kind: 'test 1' })),
    )
    for (let round = 0; round < 20; round++)
      await Promise.all(journals.map(({ journal }) => journal.append({ at: round, kind: 'test' })))
    await Promise.all(journals.map(({ journal }) => journal.rewrite([{ at: -1, kind: 'test' }])))
    for (const { journal } of journals) expect(await journal.read()).toEqual([{ at: -1, kind: 'test' }])
    const other = postgresStore({
      database,
      schema: 'bounced',
      program: 'test',
      clock: systemClock,
      logger: silentLogger,
    })
    expect((await other.hold({ onLost() {}, alone: true }).catch((error) => error)).code).toBe('LOCK_HELD')
    await release()
    await store.hold({ onLost() {} })
    await other.hold({ onLost() {} })
    const [one, two] = [underLeases(store), underLeases(other)]
    for (const [n, under] of [one, two, one, two].entries()) {
      const { journal } = await under.open({ name: { pool: `p${n}` }, kind: 'test 1' })
      await Promise.all([1, 2].map((at) => journal.append({ at, kind: 'test' })))
      expect((await journal.read()).map(({ at }) => at)).toEqual([-1, 1, 2])
    }
    await expect(two.open({ name: { pool: 'p0' }, kind: 'test 1' })).rejects.toThrow('held by another')
    await one.end()
    await two.open({ name: { pool: 'p0' }, kind: 'test 1' })
    await two.end()
    await store.close()
  })
})
