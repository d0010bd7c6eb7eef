// The log of a task over a real socket: complete, filtered, and followed.
import { afterEach, describe, expect, it } from 'vitest'
import { readLog } from '../../support/log-reader.ts'
import { startMaster, type TestMaster } from '../../support/master.ts'
import { until } from '../../support/server.ts'
import { becomes, post, submit } from '../../support/work.ts'
import { type WorkingAgent, workingAgent } from '../../support/working-agent.ts'

let running: TestMaster[] = []
afterEach(async () => {
  await Promise.all(running.map((m) => m.stop()))
  running = []
})

async function started() {
  const m = await startMaster()
  running.push(m)
  const agent = await workingAgent(m, 'a')
  const id = (await submit(m, { command: ['train'], slots: 1, name: 'job' })).replace(/\.1$/, '')
  await until(() => agent.containers.size)
  const container = [...agent.containers.keys()][0]!
  await becomes(m, id, 'running')
  return { m, agent, id, container }
}

/** The master has these many lines of output. */
async function printed(m: TestMaster, agent: WorkingAgent, container: string, id: string, texts: string[]) {
  const { count } = (await m.ask(`/provision/v1/jobs/${id}/logs`)).json
  for (const text of texts) agent.print(container, text)
  await expect
    .poll(async () => (await m.ask(`/provision/v1/jobs/${id}/logs`)).json.count)
    .toBe(count + texts.length)
}

const textOf = (lines: Record<string, unknown>[]) => lines.map(({ log }) => String(log).trimEnd())

describe('a log that is followed', () => {
  it('has each line when it is printed, and ends with the job and why', async () => {
    const { m, agent, id, container } = await started()
    const log = readLog(m, `/api/v1/tasks/${id}/logs?follow=true`)
    await until(() => log.lines.length === 2, 'the lines of the start')
    expect(textOf(log.lines)).toEqual(['job was submitted: 1 slot in pool default', 'job was assigned to a'])
    agent.print(container, 'epoch 1\n')
    await until(() => log.lines.length === 3, 'the first line of output')
    expect(log.lines[2]).toEqual({
      id: '2',
      taskId: id,
      allocationId: `${id}.1`,
      agentId: 'a',
      containerId: container,
      rankId: 0,
      timestamp: '2026-11-23T12:00:00Z',
      level: 'LOG_LEVEL_UNSPECIFIED',
      log: 'epoch 1\n',
      message: `[2026-11-23T12:00:00Z] ${container.slice(0, 8)} [rank=0] || epoch 1\n`,
      source: 'task',
      stdtype: 'stderr',
    })
    expect(log.ended).toBe(false)
    agent.print(container, 'without a newline')
    agent.finish(3)
    await until(() => log.ended, 'the end')
    expect(textOf(log.lines).slice(3)).toEqual([
      'without a newline',
      'job has failed: a: container exited with code 3',
    ])
    expect(log.lines.map((line) => line['id'])).toEqual(['0', '1', '2', '3', '4'])
    expect(String(log.lines.at(-1)!['message'])).toMatch(/^\[2\d{3}-.*Z\] {10}\|\| ERROR: job has failed/)
  })

  it('survives a silence that is longer than a connection may have otherwise', async () => {
    const m = await startMaster({}, { limits: { idle: 100 } })
    running.push(m)
    const id = await submit(m, { duration: '1h', slots: 1 })
    const log = readLog(m, `/api/v1/tasks/${id}/logs?follow=true`)
    await until(() => log.lines.length === 1)
    await new Promise((resolve) => setTimeout(resolve, 400))
    expect(log.ended).toBe(false)
    await post(m, `/provision/v1/jobs/${id}/kill`)
    await until(() => log.ended)
    expect(log.lines).toHaveLength(2)
  })

  it('of a waiting job begins when it does, and ends when it is killed', async () => {
    const m = await startMaster()
    running.push(m)
    const id = await submit(m, { command: ['train'], slots: 1, name: 'job' })
    const log = readLog(m, `/api/v1/tasks/${id}/logs?follow=true`)
    await until(() => log.lines.length === 1)
    await post(m, `/provision/v1/jobs/${id}/kill`)
    await until(() => log.ended)
    expect(textOf(log.lines).slice(1)).toEqual(['job was killed: killed by a request'])
  })

  it('ends when the master stops, and nothing is left behind when its reader leaves', async () => {
    const { m, id } = await started()
    const gone = readLog(m, `/api/v1/tasks/${id}/logs?follow=true`)
    const stays = readLog(m, `/api/v1/tasks/${id}/logs?follow=true`)
    await until(() => gone.lines.length === 2 && stays.lines.length === 2)
    gone.leave()
    const stop = m.stop()
    running = []
    await until(() => stays.ended, 'the end')
    await stop
    expect(stays.lines).toHaveLength(2)
  })

  it('tells of lines that are no longer kept', async () => {
    const { m, agent, id, container } = await started()
    await printed(
      m,
      agent,
      container,
      id,
      Array.from({ length: 1005 }, (_, i) => `line ${i}\n`),
    )
    const log = readLog(m, `/api/v1/tasks/${id}/logs`)
    await until(() => log.ended)
    expect(textOf(log.lines).slice(1, 5)).toEqual([
      'job was assigned to a',
      '5 lines are no longer kept',
      'line 5',
      'line 6',
    ])
    expect(log.lines).toHaveLength(2 + 1 + 1000)
    const ids = log.lines.map((line) => Number(line['id']))
    expect(ids).toEqual([...ids].sort((a, b) => a - b))
    expect(new Set(ids).size).toBe(ids.length)
  })
})

describe('a log', () => {
  it('ends with the present lines; limit, order and filters choose among them', async () => {
    const { m, agent, id, container } = await started()
    await printed(m, agent, container, id, ['one\n', 'two\n', 'three\n'])
    const ask = async (query: string) => {
      const log = readLog(m, `/api/v1/tasks/${id}/logs?${query}`)
      await until(() => log.ended)
      return textOf(log.lines)
    }
    const [submitted, assigned] = await ask('')
    expect(await ask('')).toEqual([submitted, assigned, 'one', 'two', 'three'])
    expect(await ask('limit=3')).toEqual([submitted, assigned, 'one'])
    expect(await ask('limit=2&orderBy=ORDER_BY_DESC')).toEqual(['three', 'two'])
    expect(await ask('limit=1&follow=true')).toEqual([submitted])
    expect(await ask('stdtypes=stdout&stdtypes=stderr&limit=1')).toEqual(['one'])
    expect(await ask('levels=LOG_LEVEL_INFO&levels=LOG_LEVEL_ERROR')).toEqual([submitted, assigned])
    expect(await ask('sources=task&rankIds=0&agentIds=a')).toEqual(['one', 'two', 'three'])
    expect(await ask('rankIds=1')).toEqual([])
    expect(await ask(`containerIds=${container}&searchText=t`)).toEqual(['two', 'three'])
    expect(await ask('timestampBefore=2020-01-01T00:00:00Z')).toEqual([])
    expect(await ask('timestampAfter=2020-01-01T00:00:00Z&sources=task')).toHaveLength(3)
    expect(await ask('allocationIds=other.1')).toEqual([])
  })

  it.each([
    'limit=-1',
    'limit=x',
    'timestampAfter=soon',
    'enableRegex=true',
    'follow=true&orderBy=ORDER_BY_DESC',
  ])('%s is refused', async (query) => {
    const { m, id } = await started()
    expect((await m.ask(`/api/v1/tasks/${id}/logs?${query}`)).status).toBe(400)
  })

  it('needs the token', async () => {
    const { m, id } = await started()
    expect((await m.ask(`/api/v1/tasks/${id}/logs`, { token: 'wrong-token-of-nobody' })).status).toBe(401)
  })
})
