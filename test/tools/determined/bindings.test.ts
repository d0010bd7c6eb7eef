// An independent check of the built-in master's answers: the bindings of Determined's client parse each of them.
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readLog } from '../../support/log-reader.ts'
import { gpu, startMaster, type TestMaster, token } from '../../support/master.ts'
import { pythonWith } from '../../support/python.ts'
import { until } from '../../support/server.ts'
import { becomes, submit } from '../../support/work.ts'
import { workingAgent } from '../../support/working-agent.ts'
import { converse } from '../tls/run.ts'

let python: string
let m: TestMaster

/** The first run downloads 120 MB. */
beforeAll(async () => {
  python = await pythonWith('determined', join(import.meta.dirname, 'requirements.txt'))
  m = await startMaster()
}, 600_000)
afterAll(() => m?.stop())

const answers: { request: string; type: string; json: unknown }[] = []

/** @param type the class of the bindings that reads the answer */
async function ask(type: string, path: string, body?: unknown): Promise<void> {
  const method = body === undefined ? 'GET' : 'POST'
  const { status, json } = await m.ask(path, { method, token, body })
  const request = `${method} ${path}`
  expect([request, status, json]).toEqual([request, 200, json])
  answers.push({ request, type, json })
}

/** Everything that a client may read at this moment. */
async function askAll(allocations: string[]): Promise<void> {
  await ask('v1GetMasterResponse', '/api/v1/master')
  await ask('v1GetAgentsResponse', '/api/v1/agents')
  await ask('v1GetAgentsResponse', '/api/v1/agents?excludeSlots=true&excludeContainers=true&limit=1')
  await ask('v1GetResourcePoolsResponse', '/api/v1/resource-pools')
  await ask('v1GetTasksResponse', '/api/v1/tasks')
  await ask('v1GetJobsV2Response', '/api/v1/job-queues-v2')
  await ask('v1GetJobQueueStatsResponse', '/api/v1/job-queues/stats')
  await ask('v1GetCommandsResponse', '/api/v1/commands?limit=50&users=ada')
  await ask('v1GetWorkspacesResponse', '/api/v1/workspaces')
  await ask('v1GetWorkspaceResponse', '/api/v1/workspaces/1')
  for (const id of allocations) {
    await ask('v1GetAllocationResponse', `/api/v1/allocations/${id}`)
    await ask('v1GetCommandResponse', `/api/v1/commands/${id}`)
    await ask('v1GetTaskResponse', `/api/v1/tasks/${id}`)
    const log = readLog(m, `/api/v1/tasks/${id}/logs`)
    await until(() => log.ended)
    expect(log.lines.length).toBeGreaterThan(0)
    const request = `GET /api/v1/tasks/${id}/logs`
    answers.push(...log.lines.map((json) => ({ request, type: 'v1TaskLogsResponse', json })))
  }
}

async function judged(given: typeof answers): Promise<string[]> {
  const faults = await converse<string[][]>(python, [join(import.meta.dirname, 'judge.py')], given)
  return given.flatMap(({ request }, i) => faults[i]!.map((fault) => `${request}: ${fault}`))
}

it('every answer is what the bindings require, with no agents, with jobs in each state, and after them', async () => {
  await askAll([])

  const agent = await workingAgent(m, 'a', { devices: [gpu(0), gpu(1), { ...gpu(2), type: 'rocm' }] })
  await workingAgent(m, 'cpu', { devices: [{ ...gpu(0), type: 'cpu' }] })
  await workingAgent(m, 'aux', { devices: [] })
  const running = await submit(m, { command: ['train'], slots: 2, name: 'runs' })
  await becomes(m, running, 'running')
  const held = await submit(m, { duration: '1h', slots: 0 })
  const waiting = await submit(m, { duration: '1h', slots: 3, priority: 50 })
  agent.print([...agent.containers.keys()][0]!, 'epoch 1\n')
  await expect.poll(async () => (await m.ask(`/provision/v1/jobs/${running}/logs`)).json.count).toBe(1)
  await askAll([running, held, waiting])
  const unstarted = await workingAgent(m, 'slow', { devices: [gpu(0), gpu(1)], onStart: () => 'ignore' })
  const config = { entrypoint: ['train'], description: 'launched', resources: { slots: 2 } }
  await ask('v1LaunchCommandResponse', '/api/v1/commands', { config })
  await until(() => unstarted.started.length)
  const { commands } = (await m.ask('/api/v1/commands')).json
  const launched = commands.find(({ description }: { description: string }) => description === 'launched').id
  await askAll([`${launched}.1`])
  await ask('v1KillCommandResponse', `/api/v1/commands/${launched}/kill`, {})
  await askAll([`${launched}.1`])
  for (const id of ['a', 'cpu', 'aux']) await ask('v1GetAgentResponse', `/api/v1/agents/${id}`)
  await ask('v1DisableAgentResponse', '/api/v1/agents/a/disable', { drain: true })
  await askAll([running])
  await ask('v1EnableAgentResponse', '/api/v1/agents/a/enable', {})

  agent.finish(3)
  await becomes(m, running, 'failed')
  await askAll([running])

  expect(await judged(answers)).toEqual([])
})

it('the judge finds a missing member, a wrong type and an unknown value', async () => {
  const good = { slots: {}, id: 'a', slotStats: { typeStats: {}, brandStats: {} } }
  const wrong = [
    { clusterId: 'a' },
    { agents: [{ ...good, enabled: 'yes' }] },
    { agents: [{ ...good, slots: { s: { device: { type: 'TYPE_TPU' } } } }] },
  ]
  const types = ['v1GetMasterResponse', 'v1GetAgentsResponse', 'v1GetAgentsResponse']
  expect(await judged(wrong.map((json, i) => ({ request: String(i), type: types[i]!, json })))).toEqual([
    "0: v1GetMasterResponse: KeyError: 'clusterName'",
    "1: v1GetAgentsResponse.agents[0].enabled: 'yes' is not of the type <class 'bool'>",
    "2: v1GetAgentsResponse: ValueError: 'TYPE_TPU' is not a valid devicev1Type",
  ])
})
