// Commands in pools whose agents are Determined's: refused at submission, and no instance is launched for them.
import { afterEach, expect, it } from 'vitest'
import { parseConfig } from '../../support/config.ts'
import { startMaster, type TestMaster } from '../../support/master.ts'
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
    "the agents of pool default are Determined's (determinedai/determined-agent:0.38.1), which run containers; commands run only on built-in agents",
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
    meaning: expect.stringContaining('commands run only on built-in agents.'),
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
