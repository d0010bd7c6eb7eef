// kill -9 of the master while a job prints: its output has every line once, and the right count, with the real agent.
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it } from 'vitest'
import { killable } from '../../support/killable.ts'
import { type AgentHome, agentHome } from '../../support/running-agent.ts'

const token = 'token-of-the-tests'
const folder = mkdtempSync(join(tmpdir(), 'output-'))
const master = killable({ stdio: ['ignore', 'pipe', 'inherit'] })
const home: AgentHome = agentHome()
let port = 0

afterEach(async () => {
  await home.dispose()
  await master.kill()
  rmSync(folder, { recursive: true, force: true })
})

async function startMaster(): Promise<void> {
  const script = fileURLToPath(import.meta.resolve('../../support/master-process.ts'))
  const { stdout } = master.start([script, folder, String(port), token])
  const [line] = await once(stdout!, 'data')
  port = Number(line)
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

// biome-ignore lint/suspicious/noExplicitAny: answers are read at any depth
async function ask(path: string, body?: object): Promise<any> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    ...(body && { method: 'POST', body: JSON.stringify(body) }),
  })
  return answer.json()
}

const prints = `for i in $(seq 0 2999); do echo "line $i"; [ $((i % 7)) = 0 ] && echo "error $i" >&2; [ $((i % 20)) = 0 ] && sleep 0.02; done; exit 0`

it('no line is lost and none is there twice', async () => {
  await startMaster()
  home.run({
    ...{ DET_MASTER_PORT: port, DET_AGENT_ID: 'a' },
    ...{ DET_AGENT_RECONNECT_BACKOFF: 1, DET_AGENT_RECONNECT_ATTEMPTS: 1000 },
  })
  const { job } = await ask('/provision/v1/jobs', { command: ['bash', '-c', prints] })
  for (let kill = 0; kill < 4; kill++) {
    await pause(700 + Math.random() * 800)
    await master.kill()
    await startMaster()
  }
  const state = async () => (await ask(`/provision/v1/jobs/${job.id}`)).job.state
  await expect.poll(state, { timeout: 60_000, interval: 5 }).toBe('finished')
  // The end may not be recorded yet: then the job runs until its agent has returned with the rest.
  await master.kill()
  await startMaster()
  await expect.poll(state, { timeout: 60_000 }).toBe('finished')
  const { logs, count } = (await ask(`/provision/v1/jobs/${job.id}/logs`)) as {
    logs: { stream: string; text: string }[]
    count: number
  }
  expect([logs.length, count]).toEqual([1_000, 3_000 + 429])
  const of = (stream: string) => logs.filter((line) => line.stream === stream).map(({ text }) => text)
  const [out, error] = [of('stdout'), of('stderr')]
  expect(out).toEqual(Array.from({ length: out.length }, (_, n) => `line ${3_000 - out.length + n}\n`))
  expect(error).toEqual(
    Array.from({ length: error.length }, (_, n) => `error ${7 * (429 - error.length + n)}\n`),
  )
  expect(await ask(`/provision/v1/jobs/${job.id}/logs?after=${count - 1}`)).toEqual({
    logs: [logs.at(-1)],
    count,
  })
}, 120_000)
