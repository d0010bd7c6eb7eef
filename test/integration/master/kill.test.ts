// kill -9 of the master at random moments under load: every job that was accepted is run, and run once.
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it } from 'vitest'
import { createClient } from '../../../src/http/client.ts'
import { listJobs } from '../../../src/http/job-client.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { ownAgentVersion } from '../../../src/standalone/protocol/accept.ts'
import { type Container, failureTypes } from '../../../src/standalone/protocol/container.ts'
import { type AgentConnection, connectAgentSocket } from '../../../src/standalone/protocol/dial.ts'
import { killable } from '../../support/killable.ts'
import { gpu } from '../../support/master.ts'
import { submitWithRetries } from '../../support/retrying-submit.ts'

const token = 'token-of-the-tests'
const folder = mkdtempSync(join(tmpdir(), 'kill-'))
const over = new AbortController()
const master = killable({ stdio: ['ignore', 'pipe', 'inherit'] })
let port = 0

afterEach(async () => {
  over.abort()
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

/** Like the built-in agent: it runs each ordered container once, for a moment, and remembers all over reconnects. */
async function agent(id: string, runs: Map<string, number>): Promise<void> {
  const containers = new Map<string, Container>()
  let connection: AgentConnection | undefined

  function report(container: Container): void {
    containers.set(container.id, container)
    const ContainerStopped = container.state === 'TERMINATED' ? { Failure: null } : null
    connection?.send({
      ContainerStateChanged: { Container: container, ContainerStarted: null, ContainerStopped },
    })
  }

  async function run(container: Container, task: string): Promise<void> {
    if (containers.has(container.id)) return
    runs.set(task, (runs.get(task) ?? 0) + 1)
    report({ ...container, state: 'RUNNING' })
    await pause(Math.random() * 60)
    report({ ...container, state: 'TERMINATED' })
  }

  over.signal.addEventListener('abort', () => connection?.terminate())
  const unknown = { FailureType: failureTypes.restoreError, ErrMsg: 'unknown', ExitCode: null }
  while (!over.signal.aborted) {
    await new Promise<void>((ended) => {
      connectAgentSocket({
        master: { scheme: 'http', host: '127.0.0.1', port },
        join: { id, version: ownAgentVersion('1'), resourcePool: 'default', reconnect: false, hostname: id },
        clock: systemClock,
        signal: over.signal,
        onEnd: () => ended(),
        onMessage({ MasterSetAgentOptions: hello, StartContainer: order }, current) {
          connection = current
          if (order) void run(order.Container, order.Spec.RunSpec.ContainerConfig.Cmd[0]!)
          if (!hello) return
          current.send({
            AgentStarted: {
              Version: '1',
              Devices: [gpu(0), gpu(1), gpu(2)],
              ResourcePoolName: 'default',
              ContainersReattached: hello.ContainersToReattach.map(({ Container }) => {
                const mine = containers.get(Container.id)
                return { Container: mine ?? Container, Failure: mine ? null : unknown }
              }),
            },
          })
        },
      }).catch(() => ended())
    })
    await pause(10)
  }
}

it('no job is lost and none is run twice', async () => {
  await startMaster()
  const address = { scheme: 'http', host: '127.0.0.1', port } as const
  const client = createClient({ target: { address, prefix: '', access: { token } }, version: '1' })
  const runs = new Map<string, number>()
  const agents = [agent('a', runs), agent('b', runs)]
  const ids = Array.from({ length: 60 }, (_, i) => `task-${i}`)
  const submitting = (async () => {
    for (const [i, id] of ids.entries()) {
      await submitWithRetries(client, { id, slots: i % 4, command: [id] })
      await pause(Math.random() * 30)
    }
  })()
  for (let kill = 0; kill < 5; kill++) {
    await pause(150 + Math.random() * 250)
    await master.kill()
    await startMaster()
  }
  await submitting

  const finished = () => states.length === ids.length && states.every((state) => state === 'finished')
  let states: string[] = []
  for (let i = 0; i < 500 && !finished(); i++) {
    await pause(20)
    states = (await listJobs(client)).map(({ state }) => state)
  }
  expect(states).toEqual(ids.map(() => 'finished'))
  expect(Object.fromEntries(runs)).toEqual(Object.fromEntries(ids.map((id) => [id, 1])))
  over.abort()
  await Promise.all(agents)
}, 240_000)
