// A master that is stopped or dies, and its successor: agents reconnect, jobs continue, nothing runs twice.
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/platform/clock.ts'
import { openJobStore } from '../../../src/standalone/master/job-store.ts'
import type { MasterOptions } from '../../../src/standalone/master/master.ts'
import { startMaster, type TestMaster, token } from '../../support/master.ts'
import { until } from '../../support/server.ts'
import { silentLogger } from '../../support/silent-logger.ts'
import { storeIn } from '../../support/state-store.ts'
import { workingAgent } from '../../support/working-agent.ts'

let folder: string
let file: string
let running: TestMaster[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'master-'))
  file = join(folder, 'master.journal')
})
afterEach(async () => {
  await Promise.all(running.map((m) => m.stop().catch(() => {})))
  running = []
  rmSync(folder, { recursive: true, force: true })
})

/** The next master on the same state; `from` is read instead of the file, as after a crash at that moment. */
async function master(from?: string, more: Partial<MasterOptions> = {}): Promise<TestMaster> {
  if (from) copyFileSync(from, file)
  const store = await openJobStore({ store: storeIn(folder), clock: systemClock, logger: silentLogger })
  const m = await startMaster({ jobStore: store, ...more })
  running.push(m)
  return m
}

/** The files that a master leaves when it is killed at this moment. */
function crashCopy(): string {
  const copy = join(folder, `copy-${readdirSync(folder).length}`)
  copyFileSync(file, copy)
  return copy
}

async function stop(m: TestMaster): Promise<void> {
  running = running.filter((one) => one !== m)
  await m.stop()
}

async function submit(m: TestMaster, body: object): Promise<string> {
  const { status, json } = await m.ask('/provision/v1/jobs', { method: 'POST', token, body })
  expect(status).toBe(201)
  return json.job.id
}

async function becomes(m: TestMaster, id: string, state: string): Promise<Record<string, unknown>> {
  for (let i = 0; i < 1500; i++) {
    const { job: work } = (await m.ask(`/provision/v1/jobs/${id}`)).json
    if (work?.state === state) return work
    await new Promise((resolve) => setTimeout(resolve, 3))
  }
  throw new Error(`${id} never became ${state}`)
}

const phases = (m: TestMaster) => m.master.agents().map(({ id, phase }) => [id, phase])

describe('a restart', () => {
  it('knows of a job that ended right before a stop, although its output was stored slowly', async () => {
    const output = storeIn(folder).openOutput({})
    const slow: typeof output = {
      ...output,
      append: async (chunks) => {
        await new Promise((resolve) => setTimeout(resolve, 300))
        await output.append(chunks)
      },
    }
    const surroundings = { clock: systemClock, logger: silentLogger }
    const storedLogs = { output: slow, heads: new Map(), earlier: new Set<string>(), ...surroundings }
    const first = await master(undefined, { storedLogs })
    const agent = await workingAgent(first, 'a')
    const id = await submit(first, { command: ['x'] })
    await until(() => agent.containers.size > 0, 'the container to run')
    const [container] = agent.containers.keys()
    agent.print(container!, 'last words')
    agent.finish(0)
    await becomes(first, id, 'finished')
    await stop(first)
    expect((await (await master()).ask(`/provision/v1/jobs/${id}`)).json.job.state).toBe('finished')
  })

  it('keeps what waits, in its order, and what is done', async () => {
    const first = await master()
    const over = await submit(first, { duration: '1h', slots: 1, id: 'over' })
    await first.ask(`/provision/v1/jobs/${over}/kill`, { method: 'POST', token })
    const waits = [
      await submit(first, { command: ['a'], id: 'z-first' }),
      await submit(first, { command: ['b'], id: 'a-second' }),
    ]
    await stop(first)
    const second = await master()
    await becomes(second, over, 'killed')
    for (const id of waits) await becomes(second, id, 'pending')
    const agent = await workingAgent(second, 'agent')
    await until(() => agent.started.length)
    expect(agent.started[0]!.Spec.RunSpec.ContainerConfig.Cmd).toEqual(['a'])
  })

  it('accepts agents again, by whichever name, and their commands continue', async () => {
    const first = await master()
    const agent = await workingAgent(first, 'agent')
    const id = await submit(first, { command: ['train'] })
    await becomes(first, id, 'running')
    await until(() => agent.containers.size)
    await stop(first)
    const second = await master()
    expect(phases(second)).toEqual([['agent', 'away']])
    await becomes(second, id, 'running')
    await agent.reconnect(second)
    expect(phases(second)).toEqual([['agent', 'joined']])
    agent.finish(0)
    await becomes(second, id, 'finished')
    expect(agent.started).toHaveLength(1)
  })

  it('loses what ran on agents that do not reconnect', async () => {
    const first = await master()
    await workingAgent(first, 'agent')
    const id = await submit(first, { command: ['train'] })
    await becomes(first, id, 'running')
    await stop(first)
    const second = await master()
    const lost = await becomes(second, id, 'lost')
    expect(lost['reason']).toBe('agent: it did not reconnect after the restart of the master')
    expect(phases(second)).toEqual([])
    await stop(second)
    expect(phases(await master())).toEqual([])
  })

  it('ends jobs without a command when they would have ended', async () => {
    const first = await master()
    await first.join('agent')
    const short = await submit(first, { duration: '50ms', slots: 0 })
    const long = await submit(first, { duration: '1h', slots: 1 })
    await becomes(first, long, 'running')
    const crash = crashCopy()
    await becomes(first, short, 'finished')
    await stop(first)
    const second = await master(crash)
    await becomes(second, short, 'finished')
    await second.join('agent', { reconnect: true })
    await new Promise((resolve) => setTimeout(resolve, 350))
    await becomes(second, long, 'running')
  })

  it('remembers that an agent is drained', async () => {
    const first = await master()
    await first.join('agent')
    first.master.drain('agent')
    await first.ask('/healthz')
    await stop(first)
    const second = await master()
    await second.join('agent', { reconnect: true })
    const [agent] = (await second.ask('/api/v1/agents')).json.agents
    expect(agent).toMatchObject({ enabled: false, draining: true })
    second.master.undrain('agent')
    expect((await second.ask('/api/v1/agents')).json.agents[0]).toMatchObject({
      enabled: true,
      draining: false,
    })
  })

  it.each([true, false])(
    'remembers that a person disabled an agent (drain: %s), and gives it no jobs',
    async (drain) => {
      const first = await master()
      await first.join('agent')
      first.master.drain('agent')
      await first.ask('/api/v1/agents/agent/disable', { method: 'POST', token, body: { drain } })
      await stop(first)
      const second = await master()
      await second.join('agent', { reconnect: true })
      second.master.undrain('agent')
      const id = await submit(second, { duration: '1ms', slots: 1 })
      expect((await second.ask('/api/v1/agents')).json.agents[0]).toMatchObject({
        enabled: false,
        draining: drain,
      })
      expect((await second.ask(`/provision/v1/jobs/${id}`)).json.job.state).toBe('pending')
      await second.ask('/api/v1/agents/agent/enable', { method: 'POST', token })
      await becomes(second, id, 'finished')
    },
  )
})

describe('a crash', () => {
  it('between recording an assignment and sending it: the command is started, once', async () => {
    const first = await master()
    let copied: string | undefined
    const agent = await workingAgent(first, 'agent', {
      // The order has arrived and nothing has been reported: on the disk it is as if it had never been sent.
      onStart: () => {
        copied ??= crashCopy()
        return agent.started.length === 1 ? 'ignore' : 'run'
      },
    })
    const id = await submit(first, { command: ['train'] })
    await until(() => copied)
    await stop(first)
    const second = await master(copied)
    await agent.reconnect(second)
    await until(() => agent.containers.size === 1)
    agent.finish(0)
    await becomes(second, id, 'finished')
    expect(new Set(agent.started.map(({ Container }) => Container.id)).size).toBe(1)
  })

  it('after a command was started and before that was recorded: it is not started again', async () => {
    const first = await master()
    let copied: string | undefined
    const agent = await workingAgent(first, 'agent', {
      onStart: () => {
        copied ??= crashCopy()
        return 'run'
      },
    })
    const id = await submit(first, { command: ['train'] })
    await until(() => agent.containers.size === 1)
    await stop(first)
    const second = await master(copied)
    await agent.reconnect(second)
    await becomes(second, id, 'running')
    agent.finish(0)
    await becomes(second, id, 'finished')
    expect(agent.started).toHaveLength(1)
  })

  it('at any moment keeps everything that was acknowledged', async () => {
    const first = await master()
    await first.join('agent')
    const answered: string[] = []
    const copies: { copy: string; ids: string[] }[] = []
    for (let i = 0; i < 10; i++) {
      answered.push(await submit(first, { duration: i % 2 ? '1h' : '1ms', slots: i % 3 }))
      copies.push({ copy: crashCopy(), ids: [...answered] })
    }
    await stop(first)
    for (const { copy, ids } of copies) {
      const next = await master(copy)
      const there = (await next.ask('/provision/v1/jobs')).json.jobs.map(({ id }: { id: string }) => id)
      expect(there).toEqual(expect.arrayContaining(ids))
      await stop(next)
    }
  })

  it('that damaged the file loses no other job, and is reported', async () => {
    const first = await master()
    const ids = [
      await submit(first, { duration: '1h', slots: 9 }),
      await submit(first, { duration: '1h', slots: 9 }),
    ]
    await stop(first)
    writeFileSync(file, 'deadbeef {"kind":"allocation","alloc', { flag: 'a' })
    const store = await openJobStore({ store: storeIn(folder), clock: systemClock, logger: silentLogger })
    expect(store.problems).toMatchObject([{ code: 'JOURNAL_SET_ASIDE' }])
    expect([...store.found.allocations.keys()]).toEqual(ids)
    await store.close()
  })
})
