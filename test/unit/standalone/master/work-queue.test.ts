import { beforeEach, describe, expect, it } from 'vitest'
import type { Agent } from '../../../../src/standalone/master/agent.ts'
import type { Submission, Work } from '../../../../src/standalone/master/allocation.ts'
import { createLogStore, type LogStore } from '../../../../src/standalone/master/log-store.ts'
import { createWorkStore, type WorkStore } from '../../../../src/standalone/master/store.ts'
import { createWorkQueue, type WorkQueue } from '../../../../src/standalone/master/work-queue.ts'
import { ownAgentVersion } from '../../../../src/standalone/protocol/accept.ts'
import type { AgentMessage, ContainerLog } from '../../../../src/standalone/protocol/messages.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { silentLogger } from '../../../support/silent-logger.ts'

const day = 86_400_000
let clock: FakeClock
let store: WorkStore
let logs: LogStore
let queue: WorkQueue
let sent: [string, Partial<AgentMessage>][]
let ready: boolean
let freed: string[]
/** Writes that wait for the disk. */
/** Agents that are not known as instances. */
const doubtful = new Set<string>()
let disk: (() => void)[] | undefined

function agent(id: string): Agent {
  return {
    ...{ id, pool: 'p', dialledPool: 'p', hostname: 'h', phase: 'joined', connection: 1 },
    ...{
      version: ownAgentVersion('1'),
      link: { address: '10.0.0.1' },
      registeredAt: 0,
      enabled: true,
      draining: false,
    },
    devices: [{ id: 0, brand: 'T4', uuid: 'GPU-0', type: 'cuda' }],
  } as Agent
}

beforeEach(() => {
  clock = new FakeClock(0)
  logs = createLogStore()
  freed = []
  store = createWorkStore({ onForget: logs.forget, onFree: (id) => freed.push(id) })
  sent = []
  ready = true
  doubtful.clear()
  disk = undefined
  let containers = 0
  queue = createWorkQueue({
    clock,
    logger: silentLogger,
    store,
    logs,
    newId: () => `c${++containers}`,
    mayWork: (agent) => !doubtful.has(agent.id),
    agents: () => [agent('a'), agent('b')],
    auxLimit: () => 10,
    send: (id, message) => sent.push([id, message]) > 0,
    keep: () => (disk ? new Promise((resolve) => disk!.push(() => resolve(true))) : Promise.resolve(true)),
    ready: () => ready,
    environment: { clusterId: 'c', certificate: () => undefined },
  })
})

const turn = () => new Promise((resolve) => setImmediate(resolve))
const command = (task: string): Submission => {
  const work: Work = { kind: 'command', argv: ['x'], env: {}, workingDirectory: '' }
  return { task, name: task, pool: 'p', slots: 1, priority: 42, work }
}
const lasting = (task: string, seconds: number): Submission => {
  return { ...command(task), work: { kind: 'duration', seconds } }
}
const line = (ContainerID: string, Value: string): ContainerLog => {
  return {
    ContainerID,
    Timestamp: '',
    Level: null,
    PullMessage: null,
    RunMessage: { Value, StdType: 1 },
    AuxMessage: null,
  }
}
const none = {
  AgentStarted: null,
  ContainerStateChanged: null,
  ContainerLog: null,
  ContainerStatsRecord: null,
}

describe('an agent that is not a known instance', () => {
  const starts = () => sent.flatMap(([id, { StartContainer }]) => (StartContainer ? [id] : []))

  it('gets no jobs, and its slots are not used, until it is known', async () => {
    doubtful.add('a').add('b')
    await queue.submit(command('t'))
    await turn()
    expect(store.get('t.1')).toMatchObject({ state: 'pending', containers: [] })
    doubtful.delete('b')
    queue.wake()
    await turn()
    await turn()
    expect([store.get('t.1')?.state, starts()]).toEqual(['running', ['b']])
    await queue.submit({ ...command('wide'), slots: 2 })
    await turn()
    expect(store.get('wide.1')?.state).toBe('pending')
  })

  it('does not get an order again that may have been lost: the job is requeued', async () => {
    await queue.submit(command('t'))
    await turn()
    await turn()
    expect(starts()).toEqual(['a'])
    doubtful.add('a')
    queue.onReattached(agent('a'), [])
    expect(store.get('t.1')).toMatchObject({ state: 'pending', containers: [] })
    await turn()
    await turn()
    expect(starts()).toEqual(['a', 'b'])
  })

  it('keeps the jobs that it reports as running', async () => {
    await queue.submit(command('t'))
    await turn()
    await turn()
    doubtful.add('a')
    const Container = { id: 'c1', state: 'RUNNING' as const, devices: [], description: '' }
    queue.onReattached(agent('a'), [{ Container, Failure: null }])
    expect(store.get('t.1')).toMatchObject({
      state: 'running',
      containers: [{ agentId: 'a', state: 'RUNNING' }],
    })
  })
})

it('records the end of a job after its output, which its agent does not send again', async () => {
  await queue.submit(command('t'))
  await turn()
  await turn()
  const steps: string[] = []
  const output = Promise.withResolvers<void>()
  logs.flush = async (id) => {
    steps.push(`flush ${id}`)
    await output.promise
  }
  disk = []
  const Container = { id: 'c1', state: 'TERMINATED' as const, devices: [], description: '' }
  queue.onMessage(agent('a'), {
    ...none,
    ContainerStateChanged: { Container, ContainerStarted: null, ContainerStopped: { Failure: null } },
  })
  await turn()
  expect([store.get('t.1')?.state, steps, disk.length]).toEqual(['finished', ['flush t.1'], 0])
  // A master that stops waits for it: the journal is closed afterwards.
  const recordedAt: number[] = []
  const ended = queue.ended().then(() => recordedAt.push(disk!.length))
  await turn()
  expect(recordedAt).toEqual([])
  output.resolve()
  await ended
  expect(recordedAt).toEqual([1])
})

describe('jobs of an agent that is not a managed instance', () => {
  const leaves = (foreign: boolean) =>
    queue.onAgent({
      kind: 'removed',
      agent: agent('a'),
      at: 0,
      reason: 'no instance',
      ...(foreign && { foreign }),
    })

  it('are requeued and placed on another, without a trace on the first', async () => {
    await queue.submit(command('t'))
    await turn()
    expect(store.heldOn('a')).toHaveLength(1)
    leaves(true)
    expect(store.get('t.1')).toMatchObject({ state: 'pending', containers: [] })
    expect([store.heldOn('a'), store.owner('c1'), freed]).toEqual([[], undefined, ['a']])
    await turn()
    expect(store.get('t.1')).toMatchObject({ state: 'running', containers: [{ id: 'c2' }] })
  })

  it('with a duration restart it', async () => {
    await queue.submit(lasting('t', 10))
    await turn()
    await clock.advance(6_000)
    leaves(true)
    await turn()
    await clock.advance(6_000)
    expect(store.get('t.1')).toMatchObject({ state: 'running', startedAt: 6_000 })
    await clock.advance(4_000)
    expect(store.get('t.1')?.state).toBe('finished')
  })

  it('are lost if other agents run them, too, or if the agent is only gone', async () => {
    await queue.submit({ ...command('wide'), slots: 2 })
    await turn()
    leaves(true)
    expect(store.get('wide.1')).toMatchObject({ state: 'ending', outcome: 'lost' })
    await queue.submit(command('t'))
    await turn()
    for (const { agentId } of store.get('t.1')!.containers)
      queue.onAgent({ kind: 'removed', agent: agent(agentId), at: 0 })
    expect(store.get('t.1')?.state).toBe('lost')
  })
})

describe('a step that is being recorded', () => {
  it('is not carried out before it is on disk', async () => {
    await queue.submit(command('t'))
    disk = []
    await turn()
    expect(store.get('t.1')?.state).toBe('running')
    expect(sent).toEqual([])
    disk[0]!()
    await turn()
    expect(sent).toMatchObject([['a', { StartContainer: { Container: { id: 'c1' } } }]])
  })

  it('is not confirmed before it is on disk, however often it is requested', async () => {
    disk = []
    const answered: string[] = []
    const note = (what: string) => () => void answered.push(what)
    void queue.submit(command('t')).then(note('submitted'))
    void queue.submitted('t.1').then(note('submitted again'))
    void queue.kill('t.1', 'changed my mind').then(note('killed'))
    void queue.kill('t.1', 'changed my mind').then(note('killed again'))
    await turn()
    expect(answered).toEqual([])
    for (const done of disk) done()
    await turn()
    expect(answered).toEqual(['submitted', 'submitted again', 'killed', 'killed again'])
  })

  it('is not carried out if the job was killed in the meantime', async () => {
    await queue.submit(command('t'))
    disk = []
    await turn()
    void queue.kill('t.1', 'changed my mind')
    expect(store.get('t.1')?.state).toBe('ending')
    const write = disk
    disk = undefined
    for (const done of write) done()
    await turn()
    expect(sent.some(([, message]) => message.StartContainer)).toBe(false)
    expect(store.get('t.1')).toMatchObject({ state: 'killed', reason: 'changed my mind' })
  })

  it('is answered only when it is on disk', async () => {
    disk = []
    let answered = false
    void queue.submit(command('t')).then(() => {
      answered = true
    })
    await turn()
    expect(answered).toBe(false)
    disk[0]!()
    await turn()
    expect(answered).toBe(true)
  })
})

it('while nothing can be written, no job starts; afterwards it does', async () => {
  ready = false
  await queue.submit(command('t'))
  await turn()
  expect([store.get('t.1')?.state, sent]).toEqual(['pending', []])
  ready = true
  queue.wake()
  await turn()
  await turn()
  expect(sent).toHaveLength(1)
})

it('a job may take longer than the longest timer', async () => {
  await queue.submit(lasting('t', (60 * day) / 1000))
  await turn()
  await clock.advance(60 * day - 1)
  expect(store.get('t.1')?.state).toBe('running')
  await clock.advance(1)
  expect(store.get('t.1')).toMatchObject({ state: 'finished', endedAt: 60 * day })
})

it('a job that was started before the clock was set back ends after its duration', async () => {
  await queue.submit(lasting('t', 60))
  await turn()
  const begun = store.get('t.1')!
  await clock.advance(10_000)
  queue.restore([{ ...begun, id: 'u.1', startedAt: 3 * 3_600_000 }])
  await clock.advance(60_000)
  expect(store.get('u.1')?.state).toBe('finished')
})

it('a repeated kill is sent again', async () => {
  await queue.submit(command('t'))
  await turn()
  await queue.kill('t.1', 'first')
  await queue.kill('t.1', 'second')
  await turn()
  expect(sent.filter(([, message]) => message.SignalContainer)).toHaveLength(2)
  expect(store.get('t.1')?.reason).toBe('first')
})

it('an agent can report only its own containers', async () => {
  await queue.submit(command('t'))
  await turn()
  queue.onMessage(agent('b'), { ...none, ContainerLog: line('c1', 'not mine') })
  queue.onMessage(agent('a'), { ...none, ContainerLog: line('c1', 'mine') })
  queue.onMessage(agent('a'), { ...none, ContainerLog: line('c9', 'nobody’s') })
  expect(logs.read('t.1').map(({ text }) => text)).toEqual(['mine'])
})

it('listeners are called for each pool once per turn', async () => {
  const changed: string[] = []
  const stop = queue.onChange((pool) => changed.push(pool))
  await Promise.all([queue.submit(lasting('s', 9)), queue.submit(lasting('t', 9))])
  await turn()
  expect(changed).toEqual(['p'])
  stop()
  await turn()
  expect(changed).toEqual(['p'])
})

describe('finished allocations', () => {
  it('are kept up to a thousand, the oldest dropped first', async () => {
    for (let i = 0; i < 1001; i++) {
      await queue.submit(command(`t${i}`))
      await queue.kill(`t${i}.1`, 'r')
    }
    expect(store.get('t0.1')).toBeUndefined()
    expect(store.get('t1.1')?.state).toBe('killed')
    expect(store.all()).toHaveLength(1000)
  })

  it('use no container and no agent', async () => {
    await queue.submit(lasting('t', 1))
    await turn()
    expect(store.heldOn('a')).toHaveLength(1)
    await clock.advance(1000)
    expect([store.heldOn('a'), freed]).toEqual([[], ['a']])
    expect(store.owner('c1')).toBeUndefined()
  })
})
