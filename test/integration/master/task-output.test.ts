// Output that containers send themselves, each with a token of its own.
import { afterEach, beforeEach, expect, it } from 'vitest'
import { startMaster, type TestAgent, type TestMaster } from '../../support/master.ts'
import { until } from '../../support/server.ts'
import { type Json, post } from '../../support/work.ts'

let m: TestMaster
let agent: TestAgent
beforeEach(async () => {
  m = await startMaster()
  agent = await m.join('d')
})
afterEach(() => m.stop())

async function container(): Promise<{ job: string; id: string; token: string }> {
  const before = agent.heard.length
  const { json } = await post(m, '/provision/v1/jobs', { command: ['train'], slots: 1, image: 'python:3' })
  await until(() => agent.heard.length > before, 'the order')
  const { Container, Spec } = agent.heard.at(-1)!.StartContainer!
  const line = Spec.RunSpec.ContainerConfig.Env.find((each) => each.startsWith('PROVISION_OUTPUT_TOKEN='))!
  return { job: json.job.task, id: Container.id, token: line.slice(line.indexOf('=') + 1) }
}

const line = { stream: 'stdout', text: 'epoch 1\n', timestamp: '2026-11-23T12:00:00Z' }
const send = (id: string, token: string | undefined, body: unknown = { lines: [line] }) =>
  m.ask(`/provision/v1/task-output/${id}`, { method: 'POST', token, body: body as Json })
const logs = async (job: string) => (await m.ask(`/provision/v1/jobs/${job}/logs`)).json.logs

it('is kept as lines of the job', async () => {
  const { job, id, token } = await container()
  expect((await send(id, token)).status).toBe(200)
  expect((await send(id, token, { lines: [{ ...line, stream: 'stderr', timestamp: 'x' }] })).status).toBe(200)
  expect(await logs(job)).toEqual([
    { containerId: id, timestamp: '2026-11-23T12:00:00.000Z', stream: 'stdout', text: 'epoch 1\n' },
    { containerId: id, timestamp: expect.stringMatching(/^20.*Z$/), stream: 'stderr', text: 'epoch 1\n' },
  ])
})

it('needs the token of the container, which is good for nothing else', async () => {
  const { job, id, token } = await container()
  for (const [path, offered] of [
    [id, undefined],
    [id, 'token-of-the-tests'],
    [id, job],
    [id, id],
    ['unknown', token],
    [`${id}/x`, token],
  ] as const)
    expect((await send(path, offered)).status).toBe(401)
  expect(await logs(job)).toEqual([])
  expect((await m.ask('/provision/v1/jobs', { token })).status).toBe(401)
  expect((await m.ask(`/provision/v1/task-output/${id}`, { token })).status).toBe(401)
  expect(JSON.stringify((await m.ask(`/provision/v1/jobs/${job}`)).json)).not.toContain(token)
})

it('of another form is refused', async () => {
  const { job, id, token } = await container()
  const wrong = [{}, { lines: 3 }, { lines: [{ ...line, stream: 'x' }] }, { lines: [{ ...line, text: 1 }] }]
  for (const body of wrong) expect((await send(id, token, body)).status).toBe(400)
  const large = { lines: [{ ...line, text: 'x'.repeat(1_100_000) }] }
  expect((await send(id, token, large)).status).toBe(413)
  expect(await logs(job)).toEqual([])
})

it('is not taken when the job is over', async () => {
  const { job, id, token } = await container()
  const Container = agent.heard.at(-1)!.StartContainer!.Container
  agent.connection.send({
    ContainerStateChanged: {
      Container: { ...Container, state: 'TERMINATED' },
      ContainerStarted: null,
      ContainerStopped: { Failure: null },
    },
  })
  await expect.poll(async () => (await m.ask(`/provision/v1/jobs/${job}`)).json.job.state).toBe('finished')
  expect((await send(id, token)).status).toBe(401)
})
