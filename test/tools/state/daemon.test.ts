// A provisioner with its state in PostgreSQL: its database goes and comes back, it is killed and restarted, moved and checked.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { newestVersion } from '../../../src/state/postgres/migrations.ts'
import { killable } from '../../support/killable.ts'
import { type PostgresCluster, postgresCluster } from '../../support/postgres-cluster.ts'
import { runCliAside } from '../../support/run-cli.ts'
import { Cluster } from '../../support/stand-alone.ts'

let database: PostgresCluster
let cluster: Cluster
let daemon: ReturnType<typeof killable>
let log = ''
let schemas = 0
let child: ChildProcess | undefined
beforeAll(async () => {
  database = await postgresCluster()
})
afterAll(() => database.dispose())
beforeEach(async () => {
  log = ''
  database.thaw()
  if (!database.isUp()) await database.start()
  cluster = new Cluster()
  await cluster.certificate()
  await cluster.config('max_instances: 2', 'max_idle_agent_period: 5s')
  const env = { PATH: process.env['PATH'] }
  daemon = killable({ cwd: cluster.dir, env, stdio: ['ignore', 'ignore', 'pipe'] })
})
afterEach(async () => {
  if (!database.isUp()) await database.start()
  database.thaw()
  await stop()
  await cluster.dispose()
  // Whatever was printed: never the password, in either of its forms.
  for (const form of [database.password, encodeURIComponent(database.password)])
    expect(log).not.toContain(form)
})

/** Moves the state of the configuration into a schema of its own. */
function useDatabase(): void {
  writeFileSync(join(cluster.dir, 'state-url'), database.url(), { mode: 0o600 })
  const state = `state: {type: postgres, url_file: state-url, schema: daemon_${++schemas}}\n`
  const file = join(cluster.dir, 'master.yaml')
  writeFileSync(file, state + readFileSync(file, 'utf8'))
}

async function start(): Promise<void> {
  child = daemon.start(['--no-warnings', inject('cli'), '-c', 'master.yaml'])
  const from = log.length
  child.stderr!.on('data', (part) => (log += part))
  await expect.poll(() => log.slice(from), { timeout: 60_000 }).toContain('the master listens')
}

/** With its local instances, which outlive a kill. */
async function stop(): Promise<void> {
  const exited = child && child.exitCode === null ? once(child, 'exit') : undefined
  child?.kill('SIGTERM')
  await exited
}

async function run(...args: string[]): Promise<string> {
  const { stdout, stderr, status } = await runCliAside(args, { cwd: cluster.dir })
  log += stdout + stderr
  if (status !== 0) throw new Error(stderr)
  return stdout + stderr
}
const since = (moment: number) => log.slice(moment)
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe('a database that is not there yet', () => {
  const spawned = () => {
    child = daemon.start(['--no-warnings', inject('cli'), '-c', 'master.yaml'])
    child.stderr!.on('data', (part) => (log += part))
  }

  it('is waited for by a start, which can be stopped meanwhile; commands fail at once', {
    timeout: 120_000,
  }, async () => {
    useDatabase()
    await database.crash()
    spawned()
    await expect.poll(() => log, { timeout: 30_000 }).toContain('waiting for the state')
    expect(log).toMatch(/"code":"STATE_UNREACHABLE".*Start the database/)
    const begun = Date.now()
    await expect(run('state', 'copy', '-c', 'master.yaml')).rejects.toThrow('STATE_UNREACHABLE')
    await expect(run('status', '-c', 'master.yaml')).rejects.toThrow('NOT_RUNNING')
    expect(Date.now() - begun).toBeLessThan(15_000)
    const exited = once(child!, 'exit')
    child!.kill('SIGTERM')
    expect((await exited)[0]).toBe(0)
    expect(log).toContain('SIGTERM: stopped before anything was started')
    const moment = log.length
    spawned()
    await pause(8_000)
    expect(since(moment)).not.toContain('the master listens')
    expect(child!.exitCode).toBeNull()
    await database.start()
    await expect.poll(() => since(moment), { timeout: 15_000 }).toContain('the master listens')
    expect(since(moment)).toMatch(/the state can be used; the start continues","waited":"\d+s"/)
    // Refused, and perhaps starting up: each reason once.
    expect(since(moment).match(/waiting for the state/g)!.length).toBeLessThanOrEqual(3)
  })
})

describe('a database that goes', () => {
  it.each([
    ['is killed', () => database.crash(), () => database.start()],
    ['hangs', async () => database.freeze(), async () => database.thaw()],
  ])(
    'and %s stops launches and terminations, not agents; all resumes within 5 s of its return',
    { timeout: 180_000 },
    async (_, go, comeBack) => {
      useDatabase()
      await start()
      const [running, later] = ['running', 'later'].map((name) => join(cluster.dir, name))
      await run(
        'submit',
        '--slots',
        '1',
        '--',
        'bash',
        '-c',
        `while date +%s%N > ${running}.new && mv ${running}.new ${running}; do sleep 0.2; done`,
      )
      await run('submit', '--slots', '1', '--', 'true')
      await expect.poll(() => existsSync(running!), { timeout: 60_000 }).toBe(true)
      await expect.poll(() => log, { timeout: 60_000 }).toMatch(/job changed.*"state":"finished"/)
      const moment = log.length
      await go()
      // Longer than the idle period: an idle agent would be terminated now.
      await pause(20_000)
      expect(since(moment)).toContain('STATE_UNREACHABLE')
      expect(since(moment)).toContain(`127.0.0.1:${database.port}`)
      expect(since(moment)).not.toMatch(/"message":"(?:launched|agent draining|agent removed|local instance)/)
      expect(Date.now() - Number(readFileSync(running!, 'utf8')) / 1e6).toBeLessThan(3_000)
      // The master takes the job only once it is stored.
      const waiting = run('submit', '--slots', '1', '--', 'touch', later!).catch(
        (error: Error) => error.message,
      )
      await pause(1_000)
      const returned = log.length
      await comeBack()
      const back = Date.now()
      await expect
        .poll(() => since(returned), { timeout: 60_000, interval: 50 })
        .toContain('the state can be written again')
      expect(Date.now() - back).toBeLessThan(5_000)
      await waiting
      if (!existsSync(later!)) await run('submit', '--slots', '1', '--', 'touch', later!)
      await expect.poll(() => existsSync(later!), { timeout: 60_000 }).toBe(true)
      expect(Date.now() - Number(readFileSync(running!, 'utf8')) / 1e6).toBeLessThan(3_000)
    },
  )
})

it('a killed provisioner finds its jobs, instances and decisions in the database, and nothing in its folder', {
  timeout: 120_000,
}, async () => {
  useDatabase()
  await start()
  const done = join(cluster.dir, 'done')
  await run(
    'submit',
    '--slots',
    '1',
    '--',
    'bash',
    '-c',
    `until [ -e ${done}.now ]; do sleep 0.1; done; touch ${done}`,
  )
  await expect.poll(() => run('jobs'), { timeout: 60_000 }).toContain('running')
  const instances = await run('instances')
  await daemon.kill()
  expect(
    readdirSync(join(cluster.dir, '.provision')).filter((name) =>
      /journal|fleet|id$|incarnations|logs/.test(name),
    ),
  ).toEqual([])
  expect(await run('logs')).toContain('decided to launch')
  await start()
  await expect.poll(() => run('jobs'), { timeout: 60_000 }).toContain('running')
  expect(/local-\S+/.exec(await run('instances'))?.[0]).toBe(/local-\S+/.exec(instances)?.[0])
  writeFileSync(`${done}.now`, '')
  await expect.poll(() => existsSync(done), { timeout: 60_000 }).toBe(true)
})

describe('the state of a stopped provisioner', () => {
  it('is copied from its folder to the database, checked, and used there; and back', {
    timeout: 180_000,
  }, async () => {
    await start()
    const done = join(cluster.dir, 'done')
    await run('submit', '--force', '--slots', '4', '--', 'touch', done)
    await stop()
    const id = readFileSync(join(cluster.dir, '.provision/cluster-id'), 'utf8').trim()
    useDatabase()
    const copied = await run('state', 'copy', '--from', 'folder', '--to', 'postgres')
    expect(copied).toMatch(/journal of pool default +\d/)
    expect(copied).toMatch(/journal of the master +\d/)
    expect(copied).toMatch(/notes about the cluster +1 /)
    await expect(run('state', 'copy', '--from', 'folder', '--to', 'postgres')).rejects.toThrow(
      'STATE_COPY_REFUSED',
    )
    const schema = `daemon_${schemas}`
    expect(database.sql(`SELECT value FROM ${schema}.identity WHERE part = 'cluster-id'`)).toBe(id)
    await start()
    expect(await run('jobs')).toContain('touch')
    await expect(run('state', 'copy')).rejects.toThrow('LOCK_HELD')
    await stop()
    writeFileSync(
      join(cluster.dir, 'master.yaml'),
      `state_dir: second\n${readFileSync(join(cluster.dir, 'master.yaml'), 'utf8')}`,
    )
    await run('state', 'copy', '--from', 'postgres', '--to', 'folder')
    expect(readFileSync(join(cluster.dir, 'second/cluster-id'), 'utf8').trim()).toBe(id)
    expect(existsSync(join(cluster.dir, 'second/fleet/default.journal'))).toBe(true)
    const file = 'locations.json'
    expect(readFileSync(join(cluster.dir, 'second', file), 'utf8')).toBe(
      readFileSync(join(cluster.dir, '.provision', file), 'utf8'),
    )
  })

  it('is one row of the check: server, TLS and tables, or why it cannot be used', {
    timeout: 120_000,
  }, async () => {
    useDatabase()
    const check = async () => {
      const { stdout } = await runCliAside(['check', '--format', 'json'], { cwd: cluster.dir })
      log += stdout
      return JSON.parse(stdout).checks.filter((row: { subject: string }) => row.subject === 'state')
    }
    const place = `127.0.0.1:${database.port}, database postgres, schema daemon_${schemas}: plain, on this machine`
    expect(await check()).toMatchObject([
      { result: 'passed', note: expect.stringMatching(`^PostgreSQL [0-9.]+.* at ${place}; no tables yet`) },
    ])
    await start()
    expect(await check()).toMatchObject([
      { result: 'passed', note: expect.stringContaining(`tables of version ${newestVersion}`) },
    ])
    writeFileSync(join(cluster.dir, 'state-url'), database.url('nowhere'))
    expect(await check()).toMatchObject([
      { result: 'failed', problem: { code: 'STATE_REFUSED', message: expect.stringContaining('nowhere') } },
    ])
    writeFileSync(
      join(cluster.dir, 'state-url'),
      `postgresql://provision:wrong@127.0.0.1:${database.port}/postgres`,
    )
    expect(await check()).toMatchObject([
      {
        problem: {
          code: 'STATE_REFUSED',
          message: expect.stringContaining('password authentication failed'),
        },
      },
    ])
    writeFileSync(join(cluster.dir, 'state-url'), 'postgresql://provision:wrong@127.0.0.1:1/postgres')
    expect(await check()).toMatchObject([
      { problem: { code: 'STATE_UNREACHABLE', message: expect.stringContaining('ECONNREFUSED') } },
    ])
  })
})
