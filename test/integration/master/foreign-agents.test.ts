// Commands in pools whose agents are Determined's: without an image they are refused at submission, and no instance is launched
// for them; with an image the agent gets the order to start a container.
import { afterEach, expect, it } from 'vitest'
import { assigned, submitted } from '../../../src/standalone/master/allocation.ts'
import { startOrder } from '../../../src/standalone/master/start-order.ts'
import { type Device, failureTypes } from '../../../src/standalone/protocol/container.ts'
import { parseConfig } from '../../support/config.ts'
import { gpu, startMaster, type TestMaster } from '../../support/master.ts'
import { until } from '../../support/server.ts'
import { becomes, type Json, post, submit, work } from '../../support/work.ts'
import { workingAgent } from '../../support/working-agent.ts'

let running: TestMaster[] = []
afterEach(async () => {
  await Promise.all(running.map((m) => m.stop()))
  running = []
})

async function start(...provider: string[]): Promise<TestMaster> {
  const usual = ['type: gcp', 'project: p', 'zone: z-a', 'boot_disk_source_image: projects/p/global/images/i']
  const own = [...(provider[0]?.startsWith('type') ? [] : usual), ...provider]
  const { config } = parseConfig(
    `resource_pools: [{pool_name: default, provider: {${own.join(', ')}}}]`,
    'master.yaml',
  )
  const m = await startMaster({ config: config! })
  running.push(m)
  return m
}

const command = { command: ['train'], slots: 1 }
const offer = (m: TestMaster, more: Json = {}) => post(m, '/provision/v1/jobs', { ...command, ...more })
const pending = (m: TestMaster) => m.master.demandOf('default')!.pending

it('a command is refused where the image of the agents is Determined’s, and a job that holds slots is not', async () => {
  const m = await start()
  const { status, json } = await offer(m)
  expect([status, json.error.problem.code, json.error.error]).toEqual([
    400,
    'WORK_CANNOT_RUN',
    "the agents of pool default are Determined's (determinedai/determined-agent:0.38.1), which run containers; a command without an image runs only on built-in agents",
  ])
  expect(pending(m)).toEqual([])
  await submit(m, { duration: '1m', slots: 1 })
  expect(pending(m)).toHaveLength(1)
})

it('a forced one waits with the reason, and is no demand', async () => {
  const m = await start('agent_docker_image: registry.example.com/mirror/determined-agent@sha256:ab')
  expect((await offer(m)).status).toBe(400)
  const { json } = await offer(m, { force: true })
  expect(json.job.waiting).toMatchObject({
    code: 'WORK_CANNOT_RUN',
    meaning: expect.stringContaining('a command without an image runs only on built-in agents.'),
    remedy: expect.stringContaining('agent_docker_image'),
  })
  expect(pending(m)).toEqual([])
})

it.each([
  ['another image', 'agent_docker_image: registry.example.com/provision-agent:0.1.0'],
  ['a process', 'agent_runtime: process'],
  ['a template of its own', 'agent_setup_template: own.hbs'],
  ['local agents', 'type: local'],
])('a pool with %s takes commands', async (_what, line) => {
  const m = await start(line)
  expect((await offer(m)).status).toBe(201)
  expect(pending(m)).toHaveLength(1)
})

it('the agents that join tell: after one of Determined’s nothing more is launched, until a built-in one joins', async () => {
  const m = await start('agent_docker_image: registry.example.com/agent:1')
  const id = await submit(m, command)
  expect(pending(m)).toHaveLength(1)
  const determined = await m.join('d')
  expect(pending(m)).toEqual([])
  expect((await work(m, id)).waiting.code).toBe('WORK_CANNOT_RUN')
  expect((await offer(m)).status).toBe(400)

  await determined.connection.close()
  m.master.forget('d', 'terminated')
  expect(pending(m)).toEqual([])

  const own = await workingAgent(m, 'own')
  await becomes(m, id, 'running')
  own.finish(0)
  expect((await becomes(m, id, 'finished')).state).toBe('finished')
  expect((await offer(m)).status).toBe(201)
})

const inContainer = { ...command, image: 'registry.example.com/team/torch:2' }

it('a command with an image is a demand, and Determined’s agent gets the order to start its container', async () => {
  const m = await start()
  const { status, json } = await offer(m, {
    ...inContainer,
    env: { LR: '0.1' },
    workingDirectory: '/src',
    name: 'train',
  })
  expect([status, json.job.image]).toEqual([201, 'registry.example.com/team/torch:2'])
  expect(pending(m)).toHaveLength(1)
  const agent = await m.join('d')
  await until(() => agent.heard.some(({ StartContainer: order }) => order), 'the order')
  const { Container, Spec } = agent.heard.find(({ StartContainer: order }) => order)!.StartContainer!
  expect(Container).toMatchObject({ state: 'ASSIGNED', devices: [gpu(0)], description: 'train' })
  // The reader of the built-in agent drops what only docker reads; the next test has the whole order.
  expect(Spec.RunSpec.ContainerConfig).toMatchObject({
    Cmd: ['/bin/sh', '/run/determined/provision/run.sh', 'train'],
    ...{ Image: 'registry.example.com/team/torch:2', WorkingDir: '/src' },
    Env: expect.arrayContaining(['LR=0.1', 'DET_USE_TLS=false', `DET_ALLOCATION_ID=${json.job.id}`]),
  })
  const report = (state: 'PULLING' | 'RUNNING' | 'TERMINATED', ContainerStopped = null) =>
    agent.connection.send({
      ContainerStateChanged: {
        Container: { ...Container, state, description: '' },
        ContainerStarted: state === 'RUNNING' ? { ProxyAddress: '', ContainerInfo: { Id: 'x' } } : null,
        ContainerStopped,
      },
    })
  report('PULLING')
  agent.connection.send({
    ContainerLog: {
      ...{ ContainerID: Container.id, Timestamp: '2026-11-23T12:00:00Z', Level: 'INFO' },
      ...{ PullMessage: null, RunMessage: null, AuxMessage: 'image not found, pulling image' },
    },
  })
  report('RUNNING')
  const stopped = {
    Failure: { FailureType: failureTypes.containerFailed, ErrMsg: 'container failed', ExitCode: 9 },
  }
  report('TERMINATED', stopped as never)
  expect(await becomes(m, json.job.id, 'failed')).toMatchObject({
    reason: 'd: container failed (exit code 9)',
    containers: [{ exitCode: 9 }],
  })
  expect((await m.ask(`/provision/v1/jobs/${json.job.id}/logs`)).json.logs).toMatchObject([
    { stream: 'agent', text: 'image not found, pulling image' },
  ])
})

it('the order has what the agent passes to docker', () => {
  const work = {
    ...{ kind: 'command' as const, argv: ['train'], env: {}, workingDirectory: '' },
    container: {
      ...{ image: 'torch:2', forcePull: true, shmSize: 1024 },
      mounts: [
        { source: '/data', target: '/in', readOnly: true },
        { source: '/s', target: '/s', propagation: 'shared' },
      ],
    },
    files: [{ path: 'a', type: 48, content: 'YQ==', mode: 0o644, mtime: 0, uid: 0, gid: 0 }],
  }
  const submission = { task: 't', name: 'n', pool: 'p', slots: 1, priority: 42, work }
  const order = (devices: Device[]) => {
    const placed = assigned(submitted(submission, 0), [{ agentId: 'd', devices }], () => 'c', 1)
    return startOrder(placed, placed.containers[0]!, { clusterId: 'c', certificate: () => 'PEM' }).Spec
  }
  const spec = order([gpu(0)])
  expect(spec.PullSpec).toEqual({ ForcePull: true })
  expect(spec.RunSpec.HostConfig).toEqual({
    NetworkMode: 'bridge',
    ShmSize: 1024,
    Mounts: [
      {
        ...{ Type: 'bind', Source: '/data', Target: '/in', ReadOnly: true },
        BindOptions: { Propagation: 'rprivate' },
      },
      { Type: 'bind', Source: '/s', Target: '/s', ReadOnly: false, BindOptions: { Propagation: 'shared' } },
    ],
  })
  expect(order([]).RunSpec.HostConfig!.Runtime).toBe('runc')
  expect(spec.RunSpec.ContainerConfig).toMatchObject({
    ...{ Image: 'torch:2', WorkingDir: '/run/determined/workdir', User: '0:0' },
    Env: expect.arrayContaining(['DET_MASTER_CERT_FILE=/run/determined/etc/ssl/master.crt']),
  })
  expect(spec.RunSpec.Archives).toMatchObject([
    {
      Path: '/',
      Archive: [
        { path: '/run/determined/workdir', type: 53 },
        { path: '/run/determined/etc/ssl/master.crt', type: 48 },
        { path: '/run/determined/provision/run.sh', type: 48, mode: 0o755 },
        { path: '/run/determined/provision/output.py', type: 48 },
      ],
    },
    { Path: '/run/determined/workdir', Archive: [{ path: 'a' }] },
  ])
})

it.each([
  ['local agents', 'type: local'],
  ['a process', 'agent_runtime: process'],
])('a command with an image is refused in a pool with %s', async (_what, line) => {
  const m = await start(line)
  const { status, json } = await offer(m, inContainer)
  expect([status, json.error.problem.code, json.error.error]).toEqual([
    400,
    'WORK_CANNOT_RUN',
    expect.stringContaining('which run no containers'),
  ])
  expect(pending(m)).toEqual([])
})

it('a command with an image waits for Determined’s agent where a built-in one has joined', async () => {
  const m = await start('agent_docker_image: registry.example.com/agent:1')
  expect((await offer(m, inContainer)).status).toBe(201)
  const own = await workingAgent(m, 'own')
  await until(() => pending(m).length === 0, 'it to be no demand')
  expect(own.started).toEqual([])
  expect((await offer(m, inContainer)).status).toBe(400)
})

it('where agents of both kinds are, each command goes to its own', async () => {
  const m = await start('agent_docker_image: registry.example.com/agent:1')
  const own = await workingAgent(m, 'own')
  const determined = await m.join('d')
  const contained = await offer(m, inContainer)
  const plain = await offer(m)
  expect([contained.status, plain.status]).toEqual([201, 201])
  await until(() => own.started.length && determined.heard.some(({ StartContainer: order }) => order))
  expect((await work(m, contained.json.job.id)).containers[0].agent).toBe('d')
  expect((await work(m, plain.json.job.id)).containers[0].agent).toBe('own')
})
