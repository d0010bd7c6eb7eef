// `provision` as a process beside a fake Determined master: real TLS, real REST, real agents of local VMs on its socket.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join as pathOf } from 'node:path'
import { describe, expect, inject, it, type TestContext, vi } from 'vitest'
import { createDevelopmentChain } from '../../../src/pki/development-ca.ts'
import { type Opened, openFake } from '../../support/fake-determined/opened.ts'
import { command, experiment } from '../../support/fake-determined/submissions.ts'
import { finish, submit } from '../../support/fake-determined/world.ts'
import { until } from '../../support/server.ts'

// A process, a VM and an interval of seconds each: slow machines need more than the usual time.
vi.setConfig({ testTimeout: 60_000 })

interface Daemon extends Opened {
  /** Starts `provision` without the master's key, which only the master has. */
  start(demand?: string): { stderr: () => string; stop: () => void; ended: Promise<number | null> }
  agents(): string[]
  placed(work: string): boolean
  orders(verb: 'disable' | 'enable'): number
}

async function prepare({ onTestFinished }: TestContext): Promise<Daemon> {
  const now = Date.now()
  const { chain, leaf } = await createDevelopmentChain({
    names: ['master.test'],
    ips: ['127.0.0.1'],
    days: 30,
    now,
  })
  const opened = await openFake({ tls: { cert: chain, key: leaf.key } })
  const { world, fake, dir } = opened
  const running: { child: ChildProcess; ended: Promise<unknown> }[] = []
  onTestFinished(async () => {
    for (const { child } of running) child.kill('SIGTERM')
    await Promise.all(running.map(({ ended }) => ended))
    await opened.dispose()
  })
  world.schedules = true
  opened.write('chain.crt', chain)

  function start(demand = ', placeholder_agent: false') {
    opened.write(
      'master.yaml',
      `port: ${fake.port}
security: {tls: {cert: chain.crt}}
demand: {type: determined, user: provisioner, password_file: password${demand}}
resource_pools:
  - pool_name: default
    agent_reconnect_wait: 6s
    provider:
      type: local
      allow_command_agents: true
      slots: 2
      max_instances: 2
      max_idle_agent_period: 3s
      boot_timeout: 30s
      agent_reconnect_backoff: 1
`,
    )
    let text = ''
    const child = spawn(process.execPath, ['--no-warnings', inject('cli'), '-c', 'master.yaml'], {
      cwd: dir,
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'inherit', 'pipe'],
    })
    child.stderr.on('data', (part) => (text += part))
    const ended = once(child, 'close').then(([status]) => status as number | null)
    running.push({ child, ended })
    return { stderr: () => text, stop: () => void child.kill('SIGTERM'), ended }
  }

  return {
    ...opened,
    start,
    agents: () => [...world.agents.keys()],
    placed: (id) => world.work.get(id)?.on.size === 1,
    orders: (verb) => fake.asked.filter((line) => line.endsWith(`/${verb}`)).length,
  }
}

// Nearly all of their time is waiting.
describe.concurrent('provision beside a Determined master', () => {
  it('uses its cluster, launches for its jobs, and terminates what is idle', async (context) => {
    const { world, dir, ...daemon } = await prepare(context)
    const { stderr, stop, ended } = daemon.start()
    await until(() => stderr().includes('NO_SCALE_FROM_ZERO'), 'the warning', 15)
    expect(readFileSync(pathOf(dir, '.provision/cluster-id'), 'utf8').trim()).toBe(world.clusterId)
    const work = submit(world, { slots: 2 })
    await until(() => daemon.placed(work), 'work on an agent', 30)
    expect(daemon.agents()).toEqual([expect.stringMatching(/^local-/)])
    finish(world, work)
    await until(() => daemon.agents().length === 0, 'the end of the VM and its agent', 40)
    expect(daemon.orders('disable')).toBe(1)
    stop()
    expect(await ended, stderr()).toBe(0)
    expect(world.sessions.size).toBe(0)
    expect(stderr()).not.toContain('correct horse')
  })

  it('keeps a notebook without slots when its session expires and the master restarts', async (context) => {
    const { world, fake, ...daemon } = await prepare(context)
    const { stderr } = daemon.start()
    const notebook = submit(world, { slots: 0 })
    await until(() => daemon.placed(notebook), 'the notebook on an agent', 30)
    const [id] = daemon.agents()
    world.sessions.clear()
    await fake.stop()
    await until(() => stderr().includes('launches and terminations are paused'), 'the word of it', 15)
    await fake.start()
    await until(() => stderr().includes('the Determined master responds again'), 'its return', 15)
    await until(() => world.agents.get(id!)?.away === undefined, 'the return of the agent', 15)
    // Longer than an idle agent is kept.
    await new Promise((resolve) => setTimeout(resolve, 5_000))
    expect([daemon.agents(), daemon.placed(notebook)]).toEqual([[id], true])
    expect([daemon.orders('disable'), fake.count('/auth/login')]).toEqual([0, 2])
  })

  it('waits for a master that is away, when it has connected to it before', async (context) => {
    const { world, fake, ...daemon } = await prepare(context)
    const first = daemon.start()
    await until(() => first.stderr().includes('NO_SCALE_FROM_ZERO'), 'the first check', 15)
    first.stop()
    expect(await first.ended, first.stderr()).toBe(0)
    await fake.stop()
    const { stderr } = daemon.start()
    await until(() => stderr().includes('launches and terminations are paused'), 'the word of it', 15)
    expect(stderr()).toContain('DETERMINED_UNREACHABLE')
    await fake.start()
    const work = submit(world, { slots: 1 })
    await until(() => daemon.placed(work), 'work on an agent', 40)
    expect(stderr()).toContain('the Determined master responds again')
  })

  it('keeps the pool open with placeholder agents, one for each instance, which get no jobs', async (context) => {
    const { world, ...daemon } = await prepare(context)
    const { stderr, stop, ended } = daemon.start('')
    const placeholders = () =>
      daemon.agents().filter((id) => id.startsWith('provisioner-placeholder-default-'))
    const disabled = () => placeholders().filter((id) => world.agents.get(id)?.enabled === false)
    await until(() => disabled().length === 2, 'the placeholders', 15)
    expect(stderr()).not.toMatch(/NO_SCALE_FROM_ZERO|xperimental/)
    expect(command(world, { slots: 3 })).toMatchObject({ status: 400 })
    expect(experiment(world, { slots: 5 })).toMatchObject({ status: 400 })
    expect(experiment(world, { slots: 4 })).toMatchObject({ status: 200 })
    world.work.clear()
    expect(command(world, { slots: 2 })).toMatchObject({ status: 200 })
    const [work] = world.work.keys()
    await until(() => daemon.placed(work!), 'work on an agent', 30)
    expect([...world.work.get(work!)!.on.keys()]).toEqual([expect.stringMatching(/^local-/)])
    stop()
    expect(await ended, stderr()).toBe(0)
    await until(() => placeholders().length === 0, 'the end of the placeholders', 15)
  })

  it('has one placeholder agent where launch_error is off, because only single commands are rejected', async (context) => {
    const { world, ...daemon } = await prepare(context)
    world.launchError = false
    const { stderr } = daemon.start('')
    const one = 'provisioner-placeholder-default-1'
    await until(() => stderr().includes('placeholder agents are connected'), 'the placeholder', 15)
    expect(daemon.agents()).toEqual([one])
    expect(world.agents.get(one)!.enabled).toBe(false)
    expect(experiment(world, { slots: 4 })).toMatchObject({ status: 200 })
    world.work.clear()
    expect(command(world, { slots: 2 })).toMatchObject({ status: 200 })
  })

  it('does not start for a user that may not drain agents', async (context) => {
    const { world, start } = await prepare(context)
    world.users.get('provisioner')!.admin = false
    const { stderr, ended } = start()
    expect(await ended).toBe(3)
    expect(stderr()).toMatch(
      /DETERMINED_CANNOT_DRAIN .*provisioner[\s\S]*remedy: .*det user edit provisioner/,
    )
  })

  it('does not start for a pool the master runs itself', async (context) => {
    const { world, start } = await prepare(context)
    world.pools.set('default', { type: 'AWS' })
    const { stderr, ended } = start()
    expect(await ended).toBe(3)
    expect(stderr()).toMatch(/DETERMINED_POOL_PROVIDED [\s\S]*remedy: Remove `provider`/)
  })

  it('does not start for the first time without the master, because it needs its cluster id', async (context) => {
    const { fake, start } = await prepare(context)
    await fake.stop()
    const { stderr, ended } = start()
    expect(await ended).toBe(1)
    expect(stderr()).toMatch(/DETERMINED_UNREACHABLE [\s\S]*remedy: .*set cluster_id/)
  })

  it('does not start with a wrong password', async (context) => {
    const { write, start } = await prepare(context)
    write('password', 'wrong')
    const { stderr, ended } = start()
    expect(await ended).toBe(3)
    expect(stderr()).toMatch(/DETERMINED_LOGIN_REFUSED .*provisioner/)
  })
})
