// `provision` as a process beside a fake Determined master: real TLS, real REST, real agents of local VMs on its socket.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join as pathOf } from 'node:path'
import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest'
import { createDevelopmentChain } from '../../../src/tls/development/development-ca.ts'
import { type Opened, openFake } from '../../support/fake-determined/opened.ts'
import { command } from '../../support/fake-determined/submissions.ts'
import { finish, submit } from '../../support/fake-determined/world.ts'
import { until } from '../../support/server.ts'

// A process, a VM and a cadence of seconds each: slow machines need more than the usual time.
vi.setConfig({ testTimeout: 60_000 })

let opened: Opened
let child: ChildProcess | undefined
beforeEach(async () => {
  const { chain, leaf } = await createDevelopmentChain({
    names: ['master.test'],
    ips: ['127.0.0.1'],
    days: 30,
    now: Date.now(),
  })
  opened = await openFake({ tls: { cert: chain, key: leaf.key } })
  opened.world.schedules = true
  opened.write('chain.crt', chain)
})
afterEach(async () => {
  if (child && child.exitCode === null) {
    child.kill('SIGTERM')
    await once(child, 'close')
  }
  child = undefined
  await opened.dispose()
})

/** Without the master's key: only the master has it. */
function configure(demand = ''): void {
  opened.write(
    'master.yaml',
    `port: ${opened.fake.port}
security: {tls: {cert: chain.crt}}
demand: {type: determined, user: provisioner, password_file: password${demand}}
resource_pools:
  - pool_name: default
    agent_reconnect_wait: 2s
    provider:
      {type: local, slots: 2, max_instances: 2, max_idle_agent_period: 3s, boot_timeout: 30s, min_instances: 0}
`,
  )
}

function start(): { stderr: () => string; ended: Promise<number | null> } {
  let text = ''
  child = spawn(process.execPath, ['--no-warnings', inject('cli'), '-c', 'master.yaml'], {
    cwd: opened.dir,
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  child.stderr!.on('data', (part) => (text += part))
  return { stderr: () => text, ended: once(child, 'close').then(([status]) => status) }
}

const agents = () => [...opened.world.agents.keys()]
const placed = (id: string) => opened.world.work.get(id)?.on.size === 1

describe('provision beside a Determined master', () => {
  it('takes up its cluster, launches for its work, and ends what is idle', async () => {
    configure()
    const { stderr, ended } = start()
    await until(() => stderr().includes('NO_SCALE_FROM_ZERO'), 'the warning', 15)
    expect(readFileSync(pathOf(opened.dir, '.provision/cluster-id'), 'utf8').trim()).toBe(
      opened.world.clusterId,
    )
    const work = submit(opened.world, { slots: 2 })
    await until(() => placed(work), 'work on an agent', 30)
    const [id] = agents()
    expect(id).toMatch(/^local-/)
    finish(opened.world, work)
    await until(
      () => stderr().includes('"move":"terminate"') || agents().length === 0,
      'the end of the VM',
      30,
    )
    await until(() => agents().length === 0, 'the end of its agent', 15)
    expect(opened.fake.asked.filter((line) => line.endsWith('/disable'))).toHaveLength(1)
    child!.kill('SIGTERM')
    expect(await ended, stderr()).toBe(0)
    expect(opened.world.sessions.size).toBe(0)
    expect(stderr()).not.toContain('correct horse')
  })

  it('waits for a master that is away, when it has met it before', async () => {
    configure()
    const first = start()
    await until(() => existsSync(pathOf(opened.dir, '.provision/cluster-id')), 'the first start', 15)
    await until(() => first.stderr().includes('NO_SCALE_FROM_ZERO'), 'the first check', 15)
    child!.kill('SIGTERM')
    expect(await first.ended, first.stderr()).toBe(0)
    await opened.fake.stop()
    const { stderr } = start()
    await until(() => stderr().includes('nothing is launched or ended meanwhile'), 'the word of it', 15)
    expect(stderr()).toContain('DETERMINED_UNREACHABLE')
    await opened.fake.start()
    const work = submit(opened.world, { slots: 1 })
    await until(() => placed(work), 'work on an agent', 40)
    expect(stderr()).toContain('the Determined master answers again')
  })

  it('keeps the pool open with a placeholder agent, which gets none of the work (experimental)', async () => {
    configure(', placeholder_agent: true')
    const { stderr, ended } = start()
    const placeholder = 'provisioner-placeholder-default'
    await until(() => opened.world.agents.get(placeholder)?.enabled === false, 'the placeholder', 15)
    expect(stderr()).toContain('PLACEHOLDER_EXPERIMENTAL')
    expect(command(opened.world, { slots: 3 })).toMatchObject({ status: 400 })
    expect(command(opened.world, { slots: 2 })).toMatchObject({ status: 200 })
    const [work] = opened.world.work.keys()
    await until(() => placed(work!), 'work on an agent', 30)
    expect(opened.world.work.get(work!)!.on.keys().next().value).toMatch(/^local-/)
    child!.kill('SIGTERM')
    expect(await ended, stderr()).toBe(0)
    await until(() => !opened.world.agents.has(placeholder), 'the end of the placeholder', 15)
  })

  it('does not start for a pool the master runs itself', async () => {
    configure()
    opened.world.pools.set('default', { type: 'AWS' })
    const { stderr, ended } = start()
    expect(await ended).toBe(3)
    expect(stderr()).toMatch(/DETERMINED_POOL_PROVIDED [\s\S]*remedy: Remove `provider`/)
  })

  it('does not start for the first time without the master, whose cluster id it needs', async () => {
    configure()
    await opened.fake.stop()
    const { stderr, ended } = start()
    expect(await ended).toBe(1)
    expect(stderr()).toMatch(/DETERMINED_UNREACHABLE [\s\S]*remedy: .*set cluster_id/)
  })

  it('does not start with a wrong password', async () => {
    configure()
    opened.write('password', 'wrong')
    const { stderr, ended } = start()
    expect(await ended).toBe(3)
    expect(stderr()).toMatch(/DETERMINED_LOGIN_REFUSED .*provisioner/)
  })
})
