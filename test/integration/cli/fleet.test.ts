// Commands to a running provisioner, each as a separate process.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import { type CliRun, runCliAside } from '../../support/run-cli.ts'
import { Cluster } from '../../support/stand-alone.ts'

let cluster: Cluster
let daemon: ChildProcess
let root: string

beforeAll(async () => {
  cluster = new Cluster()
  const chain = await cluster.certificate()
  root = join(cluster.dir, 'root.crt')
  writeFileSync(root, chain.root.certificate)
  await cluster.config('min_instances: 1', 'slots: 2')
  daemon = spawn(process.execPath, ['--no-warnings', inject('cli'), '-c', 'master.yaml'], {
    cwd: cluster.dir,
    env: { PATH: process.env['PATH'] },
    stdio: 'ignore',
  })
  await vi.waitFor(async () => expect((await provision('agents')).stdout).toContain('joined'), {
    timeout: 60_000,
    interval: 200,
  })
}, 30_000)
afterAll(async () => {
  if (daemon.exitCode === null) {
    daemon.kill('SIGTERM')
    await once(daemon, 'exit')
  }
  await cluster.dispose()
})

const provision = (...args: string[]) => runCliAside(args, { cwd: cluster.dir })
const json = ({ stdout, stderr }: CliRun) => {
  expect(stdout, stderr).not.toBe('')
  return JSON.parse(stdout)
}
const firstId = async () => json(await provision('instances', '--format', 'json')).instances[0].id as string

describe('while the configuration file is invalid', () => {
  const file = () => join(cluster.dir, 'master.yaml')
  let good: string
  beforeAll(() => {
    good = readFileSync(file(), 'utf8')
  })
  afterEach(() => writeFileSync(file(), good))

  it.each([
    ['an unknown key', (text: string) => text.replace('max_instances', 'max_instancs'), 'CONFIG_UNKNOWN_KEY'],
    ['no YAML at all', (text: string) => `${text}\n  : [`, 'YAML_'],
  ])('shows and controls the provisioner: %s', async (_, spoil, code) => {
    writeFileSync(file(), spoil(good))
    const control = [['status'], ['instances'], ['pause', 'default'], ['resume', 'default'], ['logs']]
    const jobs = [
      ['explain'],
      ['jobs'],
      ['submit', '--wait', '--id', `job-${code}`, '--', 'true'],
      ['jobs', `job-${code}`],
    ]
    for (const args of [...control, ...jobs]) {
      const { status, stderr } = await provision(...args)
      expect(status, `${args}: ${stderr}`).toBe(0)
      expect(stderr, `${args}`).toMatch(/^master.yaml.* warning CONFIG_FILE_BROKEN /)
      expect(stderr).toContain(code)
      expect(stderr).toContain('provision validate')
    }
  })

  it('it fails if the file is missing, or its state_dir is invalid', async () => {
    writeFileSync(file(), `${good}\nstate_dir: [a]\n`)
    expect((await provision('status')).status).toBe(3)
  })
})

describe('status, instances and agents', () => {
  it('are printed as tables', async () => {
    const { stdout, status } = await provision('status')
    expect(status).toBe(0)
    expect(stdout).toMatch(/^provisioner \S+, cluster \S+, demand built-in, up \d+s\n\nPOOL +PROVIDER +STATE/)
    expect(stdout).toMatch(/^default +local +ok +1 +1 +1 +4 +0 +2 of 2$/m)
    expect((await provision('instances')).stdout).toMatch(/^default +local-\S+ +running +joined +2 +local/m)
    expect((await provision('agents')).stdout).toMatch(
      /^default +local-\S+ +joined +2 of 2 +idle \d+s +TLSv1.3 +master.test$/m,
    )
  })

  it('are JSON for programs', async () => {
    expect(json(await provision('status', '--format', 'json'))).toMatchObject({
      demand: 'built-in',
      pools: [{ pool: 'default', state: 'ok', live: 1 }],
    })
    expect(json(await provision('agents', '--format', 'json')).agents).toMatchObject([
      { slots: 2, managed: true },
    ])
  })

  it('repeat with --watch until they are stopped', async () => {
    const child = spawn(
      process.execPath,
      ['--no-warnings', inject('cli'), 'status', '--watch', '--format', 'json'],
      { cwd: cluster.dir, env: { PATH: process.env['PATH'] }, stdio: ['ignore', 'pipe', 'inherit'] },
    )
    let text = ''
    child.stdout.on('data', (part) => (text += part))
    await expect.poll(() => text.trim().split('\n').length, { timeout: 60_000 }).toBe(2)
    child.kill('SIGTERM')
    await once(child, 'exit')
    for (const line of text.trim().split('\n')) expect(JSON.parse(line)).toMatchObject({ demand: 'built-in' })
  })

  it('report a pool that does not exist', async () => {
    const { status, stderr } = await provision('instances', '--pool', 'nobody')
    expect(status).toBe(2)
    expect(stderr).toContain('POOL_UNKNOWN there is no pool nobody; the pools are: default')
  })
})

describe('orders', () => {
  it('pause and resume a pool, and status shows it', async () => {
    expect((await provision('pause')).stderr).toContain('pool default is paused')
    const { stdout } = await provision('status')
    expect(stdout).toMatch(/^default +local +paused/m)
    expect(stdout).toContain('default: blocked: PAUSED')
    const refused = await provision('launch')
    expect(refused.status).toBe(1)
    expect(refused.stderr).toMatch(/^PAUSED .*\n +remedy: .*provision resume/)
    expect((await provision('resume', '--all')).status).toBe(0)
  })

  it('pause and restart the rollout of a pool, which shows its state', async () => {
    expect((await provision('rollout')).stdout).toBe('pool default (when: idle): no instance is outdated\n')
    expect((await provision('rollout', 'pause')).stderr).toContain('the rollout of pool default is paused')
    expect((await provision('rollout', 'status', 'default')).stdout).toContain('; paused')
    const paused = json(await provision('rollout', 'status', '--format', 'json'))
    expect(paused).toMatchObject([{ pool: 'default', rollout: { when: 'idle', outdated: 0, paused: true } }])
    expect((await provision('rollout', 'restart', 'default')).stderr).toContain('continues')
    expect((await provision('rollout', 'status')).stdout).not.toContain('paused')
    expect((await provision('rollout', 'pause', 'nobody')).stderr).toContain('POOL_UNKNOWN')
  })

  it('ask before they terminate anything, and refuse without a terminal', async () => {
    const id = await firstId()
    for (const command of ['drain', 'terminate']) {
      const { status, stderr } = await provision(command, id)
      expect(status).toBe(2)
      expect(stderr).toMatch(/CONFIRMATION_NEEDED[\s\S]*remedy: Add --yes/)
    }
    expect((await provision('terminate', 'i-nobody', '--yes')).stderr).toContain('INSTANCE_UNKNOWN')
  })

  it('to drain can be cancelled', async () => {
    const id = await firstId()
    await provision('pause')
    const drained = await provision('drain', id, '--yes')
    expect(drained.stderr).toContain(`${id} will be terminated when idle\npool default is blocked: PAUSED`)
    expect((await provision('drain', id, '--undo')).stderr).toBe(`${id} is kept\n`)
    expect((await provision('drain', id, '--undo')).status).toBe(1)
    await provision('resume')
  })

  it('launch and terminate VMs', async () => {
    const old = await firstId()
    expect((await provision('launch', '9')).stderr).toContain(
      'MAX_REACHED max_instances is 4: 3 more can be launched',
    )
    expect((await provision('launch', 'two')).status).toBe(2)
    expect((await provision('launch', '1')).stderr).toContain('Launching an instance in pool default')
    const { stderr, status } = await provision('terminate', old, '--force', '--yes')
    expect(stderr).toBe(`${old} is terminated\n`)
    expect(status).toBe(0)
    await expect.poll(firstId, { timeout: 60_000, interval: 500 }).not.toBe(old)
  })

  it('adopt nothing if there is nothing', async () => {
    const { stderr, status } = await provision('adopt', 'default', '--yes')
    expect(stderr).toContain('has no instances of another provisioner')
    expect(status).toBe(0)
  })
})

describe('a provisioner that does not run', () => {
  it('is reported with a remedy', async () => {
    writeFileSync(
      join(cluster.dir, 'other.yaml'),
      'state_dir: nowhere\nresource_pools: [{pool_name: p, agents: any}]\n',
    )
    const { status, stderr } = await provision('status', '-c', 'other.yaml')
    expect(status).toBe(1)
    expect(stderr).toMatch(/^NOT_RUNNING no provisioner is running with state_dir .*nowhere\n +remedy: /)
  })
})

describe('-m', () => {
  const remote = (...args: string[]) =>
    runCliAside([...args, '-m', `https://127.0.0.1:${cluster.port}`], {
      cwd: cluster.dir,
      env: { DET_MASTER_CERT_FILE: root, DET_MASTER_CERT_NAME: 'master.test' },
    })

  it('connects to a provisioner by its listener, with a token', async () => {
    const withToken = ['--token-file', '.provision/token']
    expect((await remote('status', ...withToken)).stdout).toContain('demand built-in')
    expect((await remote('status')).stderr).toContain('CLIENT_TOKEN_MISSING')
    expect((await remote('pause')).stderr).toContain('CLIENT_TOKEN_MISSING')
    expect((await remote('resume', ...withToken)).stderr).toContain('is resumed')
  })

  it('is the only choice: DET_MASTER names a master, and not the provisioner beside it', async () => {
    const run = await runCliAside(['status'], {
      cwd: cluster.dir,
      env: { DET_MASTER: 'https://127.0.0.1:1' },
    })
    expect(run.stdout).toContain('demand built-in')
  })
})
