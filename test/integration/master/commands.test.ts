// Commands as Determined's clients launch, list and kill them.
import { afterEach, describe, expect, it } from 'vitest'
import { readSpec } from '../../../src/standalone/protocol/container.ts'
import { startMaster, type TestMaster } from '../../support/master.ts'
import { until } from '../../support/server.ts'
import { becomes, type Json, post, work } from '../../support/work.ts'
import { workingAgent } from '../../support/working-agent.ts'

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

const launch = (m: TestMaster, config: Json, more: Json = {}) =>
  post(m, '/api/v1/commands', { config, ...more })

const file = (path: string, text: string, more: Json = {}) => ({
  ...{
    path,
    type: 48,
    content: Buffer.from(text).toString('base64'),
    mode: 0o100755,
    mtime: 5,
    uid: 7,
    gid: 7,
  },
  ...more,
})

describe('a command', () => {
  it('is launched with what its configuration says, listed, shown, and ends', async () => {
    const m = await start()
    const agent = await workingAgent(m, 'a')
    const { status, json } = await launch(m, {
      description: 'train it',
      entrypoint: ['python3', 'train.py'],
      resources: { slots: 1, resource_pool: 'default', priority: 7 },
      environment: { environment_variables: ['LR=0.1', 'TOKEN=a=b'] },
      work_dir: '/data',
    })
    expect([status, json.command.state, json.warnings]).toEqual([200, 'STATE_QUEUED', []])
    const { id } = json.command
    expect(id).toMatch(/^[0-9a-f-]{36}$/)
    await until(() => agent.started.length)
    const { Cmd, Env, WorkingDir, Image } = agent.started[0]!.Spec.RunSpec.ContainerConfig
    expect([Cmd, WorkingDir, Image]).toEqual([['python3', 'train.py'], '/data', ''])
    expect(Env).toEqual(expect.arrayContaining(['LR=0.1', 'TOKEN=a=b', `DET_TASK_ID=${id}`]))

    await becomes(m, id, 'running')
    const { commands } = (await m.ask('/api/v1/commands?users=ada')).json
    expect(commands).toMatchObject([
      { id, description: 'train it', state: 'STATE_RUNNING', exitStatus: '', resourcePool: 'default' },
    ])
    const shown = (await m.ask(`/api/v1/commands/${id}`)).json
    expect(shown.config).toEqual({
      description: 'train it',
      resources: { resource_pool: 'default', slots: 1, priority: 7 },
      entrypoint: ['python3', 'train.py'],
      environment: { environment_variables: ['LR=********', 'TOKEN=********'] },
      work_dir: '/data',
    })
    expect((await m.ask(`/api/v1/tasks/${id}`)).json.task).toMatchObject({
      taskId: id,
      allocations: [{ allocationId: `${id}.1`, state: 'STATE_RUNNING' }],
    })
    agent.finish(3)
    await becomes(m, id, 'failed')
    expect((await m.ask(`/api/v1/commands/${id}`)).json.command).toMatchObject({
      state: 'STATE_TERMINATED',
      container: null,
      exitStatus: 'a: container exited with code 3',
    })
  })

  it('with one word is a line for the shell, and has the defaults of a job', async () => {
    const m = await start()
    const { json } = await launch(m, { entrypoint: ['echo $HOME | wc'] })
    expect(await work(m, json.command.id)).toMatchObject({
      command: ['/bin/sh', '-c', 'echo $HOME | wc'],
      slots: 1,
      priority: 42,
      resourcePool: 'default',
    })
    const line = await launch(m, { entrypoint: 'ls; ls', resources: { slots: 0 } })
    expect(await work(m, line.json.command.id)).toMatchObject({
      command: ['/bin/sh', '-c', 'ls; ls'],
      slots: 0,
    })
  })

  it('is killed', async () => {
    const m = await start()
    const { json } = await launch(m, { entrypoint: ['sleep', '9'] })
    const killed = await post(m, `/api/v1/commands/${json.command.id}/kill`)
    expect([killed.status, killed.json.command]).toMatchObject([
      200,
      { state: 'STATE_TERMINATED', exitStatus: 'killed by a request' },
    ])
    for (const path of ['/api/v1/commands/x', '/api/v1/tasks/x', '/api/v1/tasks/x/logs'])
      expect((await m.ask(path)).status).toBe(404)
    expect((await post(m, '/api/v1/commands/x/kill')).status).toBe(404)
  })

  it('between its assignment and its start has a state that clients know', async () => {
    const m = await start()
    await workingAgent(m, 'a', { onStart: () => 'ignore' })
    const { json } = await launch(m, { entrypoint: ['sleep', '9'] })
    await becomes(m, json.command.id, 'running')
    expect((await m.ask(`/api/v1/commands/${json.command.id}`)).json.command.state).toBe('STATE_STARTING')
    const { allocation } = (await m.ask(`/api/v1/allocations/${json.command.id}.1`)).json
    expect(allocation.state).toBe('STATE_STARTING')
  })

  it.each<[Json, Json, string]>([
    [{}, {}, 'config.entrypoint is missing'],
    [{ entrypoint: [] }, {}, 'command must be a list of strings'],
    [{ entrypoint: ['a', 1] }, {}, 'command must be a list of strings'],
    [{ entrypoint: ['a'], pbs: { x: 1 } }, {}, 'config.pbs is not supported here'],
    [{ entrypoint: ['a'], resources: { weight: 2 } }, {}, 'config.resources.weight is not supported'],
    [{ entrypoint: ['a'], resources: { slots: -1 } }, {}, 'slots must be an integer'],
    [{ entrypoint: ['a'], resources: { resource_pool: 'x' } }, {}, 'unknown resource pool "x"'],
    [{ entrypoint: ['a'], resources: 3 }, {}, 'config.resources must be an object'],
    [{ entrypoint: ['a'], environment: { environment_variables: { cpu: [] } } }, {}, 'a list of NAME=value'],
    [{ entrypoint: ['a'], environment: { image: { cuda: 'x' } } }, {}, 'image must be one image'],
    [{ entrypoint: ['a'], environment: { image: '-v /:/x' } }, {}, 'image must name a container image'],
    [
      { entrypoint: ['a'], bind_mounts: [{ host_path: '/a', container_path: '/b' }] },
      {},
      'needs a container',
    ],
    [{ entrypoint: ['a'] }, { template_name: 't' }, 'template_name is not supported'],
    [{ entrypoint: ['a'] }, { preview: true }, 'preview is not supported'],
    [{ entrypoint: ['a'] }, { files: [file('../x', '')] }, 'files[0].path must be a relative path'],
    [{ entrypoint: ['a'] }, { files: [file('/x', '')] }, 'files[0].path must be a relative path'],
    [
      { entrypoint: ['a'] },
      { files: [file('x', '', { type: 50 })] },
      'files[0] (x) must be a file or a folder',
    ],
    [{ entrypoint: ['a'] }, { files: [file('x', '', { content: '%' })] }, 'must be base64'],
    [{ entrypoint: ['a'] }, { files: [file('x', '', { content: 'A' })] }, 'must be base64'],
    [{ entrypoint: ['a'] }, { files: [file('x', '', { content: 'AAAA=' })] }, 'must be base64'],
    [{ entrypoint: ['a'] }, { files: [file('x', '', { mtime: 1e300 })] }, 'mtime (x) must be whole seconds'],
    [{ entrypoint: ['a'] }, { files: [file('x', '', { mtime: 'now' })] }, 'mtime (x) must be whole seconds'],
    [{ entrypoint: ['a'], work_dir: '/d' }, { files: [file('x', '')] }, 'cannot be combined with files'],
  ])('%j %j is refused by name', async (config, more, message) => {
    const m = await start()
    const { status, json } = await launch(m, config, more)
    expect([status, json.error.error]).toEqual([400, expect.stringContaining(message)])
    expect(m.master.demandOf('default')!.pending).toEqual([])
  })
})

// An agent that cannot read an order ends its connection, and gets the order again when it returns.
describe('what no agent could read', () => {
  const numbered = (count: number) => Array.from({ length: count }, (_, i) => `V${i}=x`)
  const command = ['a', 'b']
  it.each<[string, Json, string]>([
    ['words', { command: numbered(10_001) }, 'command has 10001 words'],
    [
      'variables',
      { command, env: Object.fromEntries(numbered(10_001).map((name) => [name.slice(0, -2), 'x'])) },
      'env has 10001 variables',
    ],
    ['a long folder', { command, workingDirectory: `/${'x'.repeat(4096)}` }, '4096 characters'],
  ])('%s: is refused', async (_, body, message) => {
    const m = await start()
    const { status, json } = await post(m, '/provision/v1/jobs', body)
    expect([status, json.error.error]).toEqual([400, expect.stringContaining(message)])
  })

  it('ends short of the limits, with the words and variables that the master adds', async () => {
    const m = await start()
    const agent = await workingAgent(m, 'a')
    const { status } = await launch(m, {
      entrypoint: numbered(9_900),
      environment: { environment_variables: numbered(9_900) },
      work_dir: `/${'x'.repeat(4095)}`,
    })
    expect(status).toBe(200)
    await until(() => agent.started.length)
    const { Spec } = agent.started[0]!
    expect(readSpec(Spec, 'Spec').RunSpec.ContainerConfig.Cmd).toHaveLength(9_900)
  })
})

describe('files', () => {
  it('are where the command runs, and belong to who runs it', async () => {
    const m = await start()
    const agent = await workingAgent(m, 'a')
    const files = [file('lib', '', { type: 53 }), file('lib/run.sh', 'echo hi', { mtime: '5' })]
    await launch(m, { entrypoint: ['lib/run.sh', 'x'] }, { files })
    await until(() => agent.started.length)
    const { ContainerConfig, Archives } = agent.started[0]!.Spec.RunSpec
    expect(ContainerConfig.WorkingDir).toBe('/run/determined/workdir')
    expect(Archives).toMatchObject([
      { Path: '/', Archive: [{ path: '/run/determined/workdir', type: 53 }] },
      {
        Path: '/run/determined/workdir',
        Archive: [
          { path: 'lib', type: 53, uid: 0 },
          { path: 'lib/run.sh', content: files[1]!.content, mode: 0o755, mtime: 5, uid: 0, gid: 0 },
        ],
      },
    ])
  })

  it('are limited together: those of jobs that are over do not count', async () => {
    const m = await start()
    const big = [file('big', 'x'.repeat(700_000))]
    const ids: string[] = []
    let last = await launch(m, { entrypoint: ['a', 'b'] }, { files: big })
    for (; last.status === 200; last = await launch(m, { entrypoint: ['a', 'b'] }, { files: big }))
      ids.push(last.json.command.id)
    expect([last.status, last.json.error.error]).toEqual([503, expect.stringContaining('too large together')])
    expect(ids.length).toBe(Math.floor((64 * 1024 * 1024) / (Math.ceil(700_000 / 3) * 4 + 3)))
    await post(m, `/api/v1/commands/${ids[0]}/kill`)
    expect((await launch(m, { entrypoint: ['a', 'b'] }, { files: big })).status).toBe(200)
    const tooBig = await launch(m, { entrypoint: ['a', 'b'] }, { files: [file('f', 'x'.repeat(900_000))] })
    expect([tooBig.status, tooBig.json.error.error]).toEqual([413, expect.stringContaining('1048576 bytes')])
  })
})

it('the workspace of every command can be looked up', async () => {
  const m = await start()
  const { workspaces } = (await m.ask('/api/v1/workspaces')).json
  expect(workspaces).toMatchObject([{ id: 1, name: 'Uncategorized' }])
  expect((await m.ask('/api/v1/workspaces?nameCaseSensitive=other')).json.workspaces).toEqual([])
  expect((await m.ask('/api/v1/workspaces/1')).json.workspace.name).toBe('Uncategorized')
  expect((await m.ask('/api/v1/workspaces/2')).status).toBe(404)
})
