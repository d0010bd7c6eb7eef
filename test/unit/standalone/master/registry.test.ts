import { beforeEach, describe, expect, it } from 'vitest'
import type { Admission } from '../../../../src/standalone/master/agent.ts'
import { createRegistry, type Registry } from '../../../../src/standalone/master/agents.ts'
import type { AcceptHandlers, MasterConnection } from '../../../../src/standalone/protocol/accept.ts'
import {
  type AgentMessage,
  type MasterMessage,
  pastReconnectPeriod,
} from '../../../../src/standalone/protocol/messages.ts'
import { capturingLogger } from '../../../support/capturing-logger.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

const gpu = { id: 0, brand: 'T4', uuid: 'GPU-0', type: 'cuda' } as const
const none = {
  AgentStarted: null,
  ContainerStateChanged: null,
  ContainerLog: null,
  ContainerStatsRecord: null,
}
const hello: MasterMessage = {
  ...none,
  AgentStarted: { Version: '1', Devices: [gpu], ContainersReattached: [], ResourcePoolName: 'gpu' },
}
const log: MasterMessage = {
  ...none,
  ContainerLog: {
    ContainerID: 'c',
    Timestamp: '',
    Level: null,
    PullMessage: null,
    RunMessage: null,
    AuxMessage: null,
  },
}

/** The agent's end of a connection. */
class Peer {
  handlers!: AcceptHandlers
  sent: Partial<AgentMessage>[] = []
  over = false

  connection!: MasterConnection

  open = (handlers: AcceptHandlers): MasterConnection => {
    this.handlers = handlers
    this.connection = {
      send: (message) => {
        if (!this.over) this.sent.push(message)
        return !this.over
      },
      close: async () => this.end('closed by this end'),
      terminate: (message = 'cut') => this.end(message),
    }
    return this.connection
  }

  end(message = 'the network broke'): void {
    if (this.over) return
    this.over = true
    this.handlers.onEnd({ kind: 'lost', message })
  }

  say(message: MasterMessage): void {
    this.handlers.onMessage(message, this.connection)
  }
}

let clock: FakeClock
let logger: ReturnType<typeof capturingLogger>
let registry: Registry
let news: string[]
let received: [string, MasterMessage][]
let reattached: unknown[]
let admissions: Map<string, Admission>

beforeEach(() => {
  clock = new FakeClock()
  logger = capturingLogger()
  news = []
  received = []
  reattached = []
  admissions = new Map()
  registry = createRegistry({
    clock,
    logger,
    hasPool: () => true,
    takesAny: (pool) => pool === 'open',
    mayJoin: (_, id) => admissions.get(id) ?? 'yes',
    mayReturn: () => 'no',
    reconnectWait: () => 25_000,
    masterInfo: {
      version: '1',
      master_id: 'm',
      cluster_id: 'c',
      cluster_name: 'n',
      telemetry: { enabled: false, otel_enabled: false, otel_endpoint: '' },
    },
    mostAgents: 3,
    reattach: (id) => [{ id: `container-of-${id}`, state: 'RUNNING', devices: [gpu], description: '' }],
    onReattached: (agent, acks) => reattached.push([agent.id, acks]),
    onMessage: (agent, message) => received.push([agent.id, message]),
  })
  registry.onEvent(({ kind, agent, reason }) =>
    news.push([kind, agent.id, ...(reason ? [reason] : [])].join(' ')),
  )
})

const joinOf = (id: string, reconnect = false) => ({
  id,
  version: '1',
  resourcePool: 'gpu',
  reconnect,
  hostname: 'h',
})

function dial(id: string, reconnect = false): Peer {
  expect(registry.refuse(joinOf(id, reconnect))).toBeUndefined()
  const peer = new Peer()
  registry.attach(joinOf(id, reconnect), { address: '10.0.0.1' }, peer.open)
  return peer
}

function join(id: string): Peer {
  const peer = dial(id)
  peer.say(hello)
  return peer
}

describe('joining', () => {
  it('starts with the master’s options', () => {
    const peer = dial('a')
    expect(peer.sent).toEqual([
      {
        MasterSetAgentOptions: {
          MasterInfo: expect.objectContaining({ cluster_id: 'c' }),
          LoggingOptions: { type: 'default' },
          ContainersToReattach: [{ Container: expect.objectContaining({ id: 'container-of-a' }) }],
        },
      },
    ])
    expect(news).toEqual(['connected a'])
    expect(registry.get('a')?.phase).toBe('connecting')
  })

  it('is complete when the agent has sent AgentStarted', async () => {
    const peer = join('a')
    expect(news).toEqual(['connected a', 'joined a'])
    peer.say(log)
    expect(received).toEqual([['a', log]])
    await clock.advance(3_600_000)
    expect(peer.over).toBe(false)
    expect(registry.get('a')?.phase).toBe('joined')
  })

  it('is aborted after two minutes without AgentStarted', async () => {
    const peer = dial('a')
    await clock.advance(119_999)
    expect(peer.over).toBe(false)
    await clock.advance(1)
    expect(news).toEqual(['connected a', 'removed a timed out waiting for AgentStarted'])
    expect(registry.list()).toEqual([])
  })

  it('is aborted by container messages before AgentStarted', () => {
    const peer = dial('a')
    peer.say(log)
    expect(peer.over).toBe(true)
    expect(registry.get('a')).toBeUndefined()
    expect(received).toEqual([])
  })

  it('is rejected above the limit of agents, except for those that return', () => {
    join('a').end()
    join('b')
    join('c')
    admissions.set('d', 'later')
    const open = { ...joinOf('d'), resourcePool: 'open' }
    expect(registry.refuse(open)).toMatchObject({ status: 503, kind: 'too many agents' })
    expect(registry.refuse(joinOf('a', true))).toBeUndefined()
  })

  it('is never rejected for a managed instance because of other agents', () => {
    for (const id of ['x', 'y', 'z']) {
      admissions.set(id, 'no')
      registry.attach({ ...joinOf(id), resourcePool: 'open' }, { address: '10.0.0.9' }, new Peer().open)
    }
    expect(registry.refuse(joinOf('ours'))).toBeUndefined()
  })

  it('is rejected for agents that are held forever, and they use nothing', () => {
    for (let n = 0; n < 100; n++) {
      admissions.set(`s${n}`, 'later')
      expect(registry.refuse(joinOf(`s${n}`))).toMatchObject({ status: 503, kind: 'not known yet' })
    }
    expect(registry.list()).toEqual([])
    expect(registry.refuse(joinOf('ours'))).toBeUndefined()
  })
})

it('unknown agents that reconnect to an open pool give a limited number of log lines', () => {
  for (let n = 0; n < 500; n++) {
    admissions.set(`s${n}`, 'no')
    registry.attach({ ...joinOf(`s${n}`), resourcePool: 'open' }, { address: '10.0.0.9' }, new Peer().open)
    registry.remove(`s${n}`, 'it went')
  }
  expect(logger.lines.length).toBeLessThanOrEqual(40)
  join('ours')
  expect(logger.lines.at(-1)).toContain('agent joined')
})

describe('an agent whose id is a running instance', () => {
  it('is sent jobs; other joined agents are not', () => {
    join('a')
    const agent = registry.get('a')!
    const results = (['yes', 'later', 'ended', 'no'] as const).map((admission) => {
      admissions.set('a', admission)
      return registry.mayWork(agent)
    })
    expect(results).toEqual([true, false, false, false])
    expect(registry.mayWork({ ...agent, pool: 'open' })).toBe(true)
  })
})

describe('an agent that was admitted before its instance was known', () => {
  /** An agent from before the start, which returns before the first listing. */
  function returned(id: string): Peer {
    join(id)
    const kept = registry.get(id)!
    registry.remove(id, 'as if stopped')
    registry.restore(kept)
    admissions.set(id, 'later')
    return join(id)
  }
  const foreign = 'agent a is not an instance of resource pool gpu; set agents: any to let other agents join'

  it('is disconnected with the reason if it is no instance', () => {
    const [other, own, unknown] = [returned('a'), returned('b'), returned('c')]
    admissions.set('a', 'no').set('b', 'yes')
    expect(registry.judge('gpu')).toBe(true)
    expect(other!.sent.at(-1)).toEqual({ AgentShutdown: { ErrMsg: foreign } })
    expect(news.at(-1)).toBe(`removed a ${foreign}`)
    expect([own!.over, unknown!.over]).toEqual([false, false])
    expect(registry.list().map(({ id }) => id)).toEqual(['b', 'c'])
    expect(registry.judge('gpu')).toBe(false)
    admissions.set('c', 'yes')
    expect(registry.judge('gpu')).toBe(true)
  })

  it('is disconnected if its instance has ended', () => {
    const peer = returned('a')
    admissions.set('a', 'ended')
    registry.judge('gpu')
    expect([peer.over, registry.list()]).toEqual([true, []])
  })

  it('is checked also while it is away', () => {
    returned('a').end()
    admissions.set('a', 'no')
    registry.judge('gpu')
    expect(registry.list()).toEqual([])
  })

  it('is handled by the fleet once it was known', () => {
    returned('a')
    admissions.set('a', 'yes')
    registry.judge('gpu')
    admissions.set('a', 'no')
    registry.judge('gpu')
    expect(registry.list().map(({ id }) => id)).toEqual(['a'])
    expect(registry.mayWork(registry.get('a')!)).toBe(false)
  })
})

describe('a lost agent', () => {
  it('is awaited and then forgotten', async () => {
    join('a').end()
    expect(news.at(-1)).toBe('lost a the network broke')
    await clock.advance(24_999)
    expect(registry.get('a')?.phase).toBe('away')
    await clock.advance(1)
    expect(news.at(-1)).toBe('removed a it did not reconnect within its reconnect window')
    expect(registry.refuse(joinOf('a', true))).toMatchObject({ message: pastReconnectPeriod })
  })

  it('keeps its state when it returns in time, and its window is cancelled', async () => {
    join('a').end()
    await clock.advance(20_000)
    const again = dial('a', true)
    await clock.advance(20_000)
    again.say(hello)
    expect(news.slice(-3)).toEqual(['lost a the network broke', 'connected a', 'returned a'])
    expect(reattached).toEqual([['a', []]])
    again.say(hello)
    expect(reattached).toHaveLength(1)
    await clock.advance(3_600_000)
    expect(registry.get('a')?.phase).toBe('joined')
  })

  it('is forgotten at once if it had not joined, and may dial again at once', async () => {
    dial('a').end()
    expect(news.at(-1)).toBe('removed a the network broke')
    join('a')
    await clock.advance(3_600_000)
    expect(registry.get('a')?.phase).toBe('joined')
  })

  it('is awaited further if it reconnects without AgentStarted', async () => {
    join('a').end()
    dial('a', true)
    await clock.advance(120_000)
    expect(registry.get('a')?.phase).toBe('away')
    await clock.advance(25_000)
    expect(registry.get('a')).toBeUndefined()
  })

  it('that returns with other devices is shut down and forgotten, so that it can restart', () => {
    join('a').end()
    const other = dial('a', true)
    other.say({ ...hello, AgentStarted: { ...hello.AgentStarted!, Devices: [] } })
    expect(other.sent.at(-1)).toEqual({ AgentShutdown: { ErrMsg: pastReconnectPeriod } })
    expect(other.over).toBe(true)
    expect(news.at(-1)).toBe('removed a its devices changed from 1 (cuda T4) to 0')
    join('a')
    expect(registry.get('a')?.phase).toBe('joined')
  })

  it('is ignored on its earlier socket', () => {
    const old = join('a')
    old.end()
    join('a')
    received.length = 0
    news.length = 0
    old.say(log)
    old.over = false
    old.end('late news of the old socket')
    expect([received, news]).toEqual([[], []])
  })
})

describe('orders', () => {
  it('are kept while the agent is away', () => {
    join('a').end()
    registry.order('a', { enabled: false, draining: true })
    const again = dial('a', true)
    again.say(hello)
    expect(registry.get('a')).toMatchObject({ phase: 'joined', enabled: false, draining: true })
  })

  it('without a change cause no event', () => {
    join('a')
    news.length = 0
    registry.order('a', { enabled: true, draining: false })
    expect(news).toEqual([])
    registry.order('a', { enabled: false, draining: true })
    expect(news).toEqual(['ordered a'])
    expect(registry.order('nobody', { enabled: true, draining: false })).toBeUndefined()
  })
})

it('an agent whose instance is terminated is not awaited', () => {
  const peer = join('a')
  registry.remove('a', 'its instance was terminated')
  expect(peer.over).toBe(true)
  expect(news.at(-1)).toBe('removed a its instance was terminated')
})

it('agents from before a restart are awaited for one window', async () => {
  const before = join('a')
  const kept = registry.get('a')!
  registry.remove('a', 'as if stopped')
  before.over = true
  registry.restore(kept)
  expect(news.at(-1)).toBe('lost a the master was restarted')
  expect(registry.get('a')?.phase).toBe('away')
  dial('a', true).say(hello)
  expect(news.at(-1)).toBe('returned a')
  registry.restore({ ...kept, id: 'b' })
  await clock.advance(25_000)
  expect(news.at(-1)).toBe('removed b it did not reconnect after the restart of the master')
})

it('a listener that throws affects no other', () => {
  registry.onEvent(() => {
    throw new Error('mine')
  })
  const after: string[] = []
  registry.onEvent(({ kind }) => after.push(kind))
  join('a')
  expect(after).toEqual(['connected', 'joined'])
})

it('closing the master reports no agent as lost', async () => {
  const peers = [join('a'), dial('b')]
  news.length = 0
  await registry.close()
  expect(peers.map((peer) => peer.over)).toEqual([true, true])
  expect(news).toEqual([])
  expect(registry.refuse(joinOf('c'))).toMatchObject({ status: 503 })
})
