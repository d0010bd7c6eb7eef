// Jobs over real sockets: submitted by REST, placed, run, ended, lost, drained, and listed.
import { afterEach, describe, expect, it } from 'vitest'
import { builtInDemand } from '../../../src/demand/built-in.ts'
import { gpu, masterConfig, startMaster, type TestMaster } from '../../support/master.ts'
import { until } from '../../support/server.ts'
import { becomes, type Json, post, submit, work } from '../../support/work.ts'
import { type WorkingAgent, workingAgent } from '../../support/working-agent.ts'

let running: TestMaster[] = []
afterEach(async () => {
  await Promise.all(running.map((m) => m.stop()))
  running = []
})

async function start(...args: Parameters<typeof startMaster>): Promise<TestMaster> {
  const started = await startMaster(...args)
  running.push(started)
  return started
}

const command = (extra: Json = {}) => ({ command: ['train', '--fast'], slots: 1, ...extra })

describe('a command', () => {
  it('runs on a built-in agent with what a task needs, and finishes', async () => {
    const m = await start({ taskCertificate: () => 'PEM' })
    const agent = await workingAgent(m, 'a')
    const id = await submit(m, command({ name: 'job', env: { LR: '0.1' }, workingDirectory: '/data' }))
    await until(() => agent.started.length)
    const order = agent.started[0]!
    expect(order.Container).toMatchObject({ state: 'ASSIGNED', devices: [gpu(0)], description: 'job' })
    expect(order.Spec.RunSpec.ContainerConfig).toMatchObject({
      Cmd: ['train', '--fast'],
      WorkingDir: '/data',
    })
    const env = Object.fromEntries(order.Spec.RunSpec.ContainerConfig.Env.map((line) => line.split('=')))
    expect(env).toMatchObject({
      LR: '0.1',
      DET_USE_TLS: 'true',
      DET_MASTER_CERT_FILE: '/run/determined/etc/ssl/master.crt',
      DET_CLUSTER_ID: 'cluster-of-the-tests',
      DET_ALLOCATION_ID: id,
    })
    expect(order.Spec.RunSpec.Archives[0]!.Archive[0]).toMatchObject({
      path: '/run/determined/etc/ssl/master.crt',
      content: Buffer.from('PEM').toString('base64'),
      mode: 0o644,
    })
    expect((await becomes(m, id, 'running')).containers).toMatchObject([{ agent: 'a', slots: [0] }])
    agent.print(order.Container.id, 'epoch 1')
    agent.finish(0)
    const done = await becomes(m, id, 'finished')
    expect(done).toMatchObject({
      reason: '',
      env: ['LR'],
      containers: [{ state: 'TERMINATED', exitCode: 0 }],
    })
    expect((await m.ask(`/provision/v1/jobs/${id}/logs`)).json.logs).toMatchObject([
      { stream: 'stderr', text: 'epoch 1' },
    ])
    expect((await m.ask(`/provision/v1/jobs/${id}/logs?after=1`)).json).toEqual({ logs: [], count: 1 })
    expect((await m.ask(`/provision/v1/jobs/${id}/logs?after=x`)).status).toBe(400)
  })

  it('fails with its exit code, and its other containers are killed', async () => {
    const m = await start()
    const agents = [await workingAgent(m, 'a'), await workingAgent(m, 'b')]
    const id = await submit(m, command({ slots: 2 }))
    await until(() => agents.every((agent) => agent.containers.size))
    agents[1]!.finish(3)
    const failed = await becomes(m, id, 'failed')
    expect(failed.reason).toBe('b: container exited with code 3')
    expect(agents[0]!.signals).toEqual([{ ContainerID: failed.containers[0].id, Signal: 9 }])
    expect(agents[1]!.signals).toEqual([])
  })

  it('is killed by a request: at once when it waits, by signal when it runs', async () => {
    const m = await start()
    const waiting = await submit(m, command())
    await post(m, `/provision/v1/jobs/${waiting}/kill`)
    expect(await work(m, waiting)).toMatchObject({ state: 'killed', reason: 'killed by a request' })
    const agent = await workingAgent(m, 'a')
    const id = await submit(m, command())
    await until(() => agent.containers.size)
    await post(m, `/provision/v1/jobs/${id}/kill`)
    await becomes(m, id, 'killed')
    expect(agent.signals).toMatchObject([{ Signal: 9 }])
    expect(agent.started).toHaveLength(1)
  })

  it('is not given to other agents: they cannot run it', async () => {
    const m = await start()
    await m.join('real-determined-agent')
    const id = await submit(m, command({ force: true }))
    const lasting = await submit(m, { duration: '1h', slots: 1 })
    await becomes(m, lasting, 'running')
    expect(await work(m, id)).toMatchObject({ state: 'pending' })
  })
})

describe('a job without a command', () => {
  it('only uses slots on any agent, and finishes by itself', async () => {
    const m = await start()
    const agent = await m.join('real-determined-agent')
    const id = await submit(m, { duration: '50ms', slots: 1 })
    await becomes(m, id, 'finished')
    expect(agent.heard.some((message) => message.StartContainer)).toBe(false)
  })

  it('is lost with its agent, at the end of the reconnect period and not before', async () => {
    const m = await start()
    const agent = await m.join('a')
    const id = await submit(m, { duration: '1h', slots: 1 })
    await becomes(m, id, 'running')
    agent.connection.terminate()
    await until(() => m.master.agents()[0]?.phase === 'away')
    expect((await work(m, id)).state).toBe('running')
    const lost = await becomes(m, id, 'lost')
    expect(lost.reason).toBe('a: it did not reconnect within its reconnect window')
  })

  it('continues when its agent reconnects in time', async () => {
    const m = await start()
    const agent = await m.join('a')
    const id = await submit(m, { duration: '1h', slots: 1 })
    await becomes(m, id, 'running')
    agent.connection.terminate()
    await until(() => m.master.agents()[0]?.phase === 'away')
    await m.join('a', { reconnect: true })
    await new Promise((resolve) => setTimeout(resolve, 400))
    expect((await work(m, id)).state).toBe('running')
  })
})

describe('an agent that was disconnected', () => {
  async function interrupted(): Promise<{ m: TestMaster; agent: WorkingAgent; id: string }> {
    const m = await start()
    const agent = await workingAgent(m, 'a')
    const id = await submit(m, command())
    await until(() => agent.containers.size)
    await becomes(m, id, 'running')
    agent.drop()
    await until(() => m.master.agents()[0]?.phase === 'away')
    return { m, agent, id }
  }

  it('continues with the command it runs', async () => {
    const { m, agent, id } = await interrupted()
    await agent.reconnect()
    agent.finish(0)
    await becomes(m, id, 'finished')
    expect(agent.started).toHaveLength(1)
  })

  it('reports how a command ended meanwhile', async () => {
    const { m, agent, id } = await interrupted()
    agent.finish(5)
    await agent.reconnect()
    expect((await becomes(m, id, 'failed')).reason).toContain('exit code 5')
  })

  it('is ordered to kill what was killed meanwhile', async () => {
    const { m, agent, id } = await interrupted()
    await post(m, `/provision/v1/jobs/${id}/kill`)
    expect((await work(m, id)).state).toBe('ending')
    await agent.reconnect()
    await becomes(m, id, 'killed')
    expect(agent.signals).toMatchObject([{ Signal: 9 }])
  })

  it('that has lost a command loses its job: it is not run again', async () => {
    const { m, agent, id } = await interrupted()
    agent.containers.clear()
    await agent.reconnect()
    await becomes(m, id, 'lost')
    expect(agent.started).toHaveLength(1)
  })
})

it('a lost start order is sent again, once', async () => {
  const m = await start()
  const agent = await workingAgent(m, 'a', {
    onStart: () => (agent.started.length === 1 ? 'ignore' : 'run'),
  })
  const id = await submit(m, command())
  await until(() => agent.started.length === 1)
  agent.drop()
  await until(() => m.master.agents()[0]?.phase === 'away')
  await agent.reconnect()
  await until(() => agent.containers.size === 1)
  expect(agent.started.map(({ Container }) => Container.id)).toEqual([
    agent.started[0]!.Container.id,
    agent.started[0]!.Container.id,
  ])
  agent.finish(0)
  await becomes(m, id, 'finished')
})

describe('disabling an agent', () => {
  it('with drain lets its jobs end and gives it no new ones', async () => {
    const m = await start()
    await m.join('a', { devices: [gpu(0), gpu(1)] })
    const first = await submit(m, { duration: '200ms', slots: 1 })
    await becomes(m, first, 'running')
    const { json } = await post(m, '/api/v1/agents/a/disable', { drain: true })
    expect(json.agent).toMatchObject({ enabled: false, draining: true })
    const second = await submit(m, { duration: '1ms', slots: 1 })
    await becomes(m, first, 'finished')
    expect((await work(m, second)).state).toBe('pending')
    expect((await post(m, '/api/v1/agents/a/enable')).json.agent).toMatchObject({
      enabled: true,
      draining: false,
    })
    await becomes(m, second, 'finished')
  })

  it('without drain kills its jobs', async () => {
    const m = await start()
    await m.join('a')
    const id = await submit(m, { duration: '1h', slots: 1 })
    await becomes(m, id, 'running')
    await post(m, '/api/v1/agents/a/disable')
    expect(await becomes(m, id, 'killed')).toMatchObject({ reason: 'its agent was disabled' })
  })

  it('is refused for an agent that is away, has not started, or is unknown', async () => {
    const m = await start()
    const agent = await m.join('a')
    agent.connection.terminate()
    await m.dial('b')
    await until(() => m.master.agents().some((a) => a.phase === 'away'))
    expect((await post(m, '/api/v1/agents/a/disable')).json.error.error).toBe(
      'agent disconnected, wait for recovery',
    )
    expect((await post(m, '/api/v1/agents/b/enable')).status).toBe(409)
    expect((await post(m, '/api/v1/agents/c/enable')).status).toBe(404)
    expect((await m.ask('/api/v1/agents/a/disable', { method: 'POST' })).status).toBe(401)
  })
})

describe('the demand source', () => {
  it('reports what waits and which agents are free, within 50 ms', async () => {
    const m = await start()
    const source = builtInDemand(m.master)
    const told: string[] = []
    const stop = source.onChange((pool) => told.push(pool))
    await m.join('a', { devices: [gpu(0), gpu(1)] })
    const before = Date.now()
    const id = await submit(m, { duration: '1h', slots: 4 })
    await until(() => told.length > 1)
    expect(await source.read('default')).toEqual({
      pool: 'default',
      at: expect.any(Number),
      pending: [{ id, slots: 4, since: expect.any(Number) }],
      agents: [
        {
          id: 'a',
          slots: 2,
          freeSlots: 2,
          freeAux: 100,
          busy: false,
          idleSince: expect.any(Number),
          connected: true,
          enabled: true,
          draining: false,
        },
      ],
    })
    const small = await submit(m, { duration: '1h', slots: 1 })
    await becomes(m, small, 'running')
    const [agent] = (await source.read('default')).agents
    expect(agent).toMatchObject({ freeSlots: 1, busy: true })
    expect(agent!.idleSince).toBeUndefined()
    await post(m, `/provision/v1/jobs/${small}/kill`)
    await becomes(m, small, 'killed')
    const [again] = (await source.read('default')).agents
    expect(again!.idleSince).toBeGreaterThanOrEqual(before)
    stop()
    await expect(source.read('none')).rejects.toMatchObject({ code: 'MASTER_POOL_UNKNOWN' })
  })

  it('drains and undrains, but does not enable what a person disabled', async () => {
    const m = await start()
    const source = builtInDemand(m.master)
    await m.join('a')
    expect([await source.drain('a'), await source.drain('a')]).toEqual([true, true])
    expect((await source.read('default')).agents[0]).toMatchObject({ enabled: false, draining: true })
    expect(await source.undrain('a')).toBe(true)
    expect((await source.read('default')).agents[0]).toMatchObject({ enabled: true, draining: false })
    await post(m, '/api/v1/agents/a/disable')
    expect(await source.undrain('a')).toBe(true)
    expect((await source.read('default')).agents[0]).toMatchObject({ enabled: false, draining: false })
    expect([await source.drain('x'), await source.undrain('x')]).toEqual([false, false])
  })
})

it('pools do not mix', async () => {
  const pool = masterConfig().resource_pools[0]!
  const m = await start({ config: masterConfig({ resource_pools: [pool, { ...pool, pool_name: 'other' }] }) })
  await m.join('a')
  const id = await submit(m, { duration: '1h', slots: 1, resourcePool: 'other' })
  await m.join('b', { pool: 'other' })
  expect((await becomes(m, id, 'running')).containers).toMatchObject([{ agent: 'b' }])
})
