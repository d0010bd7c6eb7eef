// Hostile and faulty agents. After each of them the master must still run, and an agent that was there before must not
// be affected.
import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { encodeMasterMessage } from '../../../src/standalone/protocol/messages.ts'
import { gpu, startMaster, type TestAgent, type TestMaster } from '../../support/master.ts'
import { type RawAgent, rawAgent } from '../../support/raw-agent.ts'
import { rawClient, rawTlsClient, until } from '../../support/server.ts'

let m: TestMaster
let bystander: TestAgent
let count = 0

beforeAll(async () => {
  m = await startMaster({}, { limits: { handshake: 3000, headers: 3000, request: 4000 } })
  bystander = await m.join('bystander')
})

afterAll(() => m.stop())

afterEach(async () => {
  // It responds, accepts new agents, and the bystander's socket accepts messages.
  const logs = {
    ContainerID: 'c',
    Timestamp: '',
    Level: null,
    PullMessage: null,
    RunMessage: null,
    AuxMessage: 'x',
  }
  expect(bystander.end()).toBeUndefined()
  expect(bystander.connection.send({ ContainerLog: logs })).toBe(true)
  expect((await m.ask('/api/v1/agents/bystander')).json.agent).toMatchObject({
    enabled: true,
    draining: false,
  })
  const newcomer = await m.join(`newcomer-${++count}`)
  newcomer.connection.terminate()
  expect(m.events.filter((event) => event.agent.id === 'bystander')).toHaveLength(2)
})

const hello = (change = {}) =>
  encodeMasterMessage({
    AgentStarted: {
      Version: '1',
      Devices: [gpu(0)],
      ContainersReattached: [],
      ResourcePoolName: 'default',
      ...change,
    },
  })

const opened: RawAgent[] = []
afterEach(() => {
  for (const agent of opened.splice(0)) agent.socket.destroy()
})

async function connect(): Promise<RawAgent> {
  const agent = await rawAgent(m.listener.port, m.chain, `hostile-${++count}`)
  opened.push(agent)
  return agent
}

const known = ({ id }: RawAgent) => m.master.agents().find((agent) => agent.id === id)
const joined = (agent: RawAgent) => until(() => known(agent)?.phase === 'joined', `${agent.id} to join`)
const forgotten = (agent: RawAgent) => until(() => !known(agent), `${agent.id} to be forgotten`)
const newsOf = ({ id }: RawAgent) => m.events.filter((event) => event.agent.id === id)

describe('invalid frames close their connection', () => {
  it.each([
    ['an empty object', '{}'],
    ['null', 'null'],
    ['a list', '[]'],
    ['no JSON', 'hello?'],
    ['nothing', ''],
    ['only members it does not know', '{"Sparkle":{}}'],
    ['all members null', encodeMasterMessage({})],
    ['two members at once', '{"AgentStarted":{},"ContainerLog":{}}'],
    ['members of the wrong type', '{"AgentStarted":{"Devices":"all of them"}}'],
    ['a device that is no device', '{"AgentStarted":{"Devices":[7]}}'],
    ['deep nesting', `{"AgentStarted":${'['.repeat(100_000)}`],
    ['the words of a master', '{"MasterSetAgentOptions":{}}'],
  ])('%s', async (_, frame) => {
    const agent = await connect()
    agent.text(frame)
    expect((await agent.closed).code).toBe(1007)
    expect(known(agent)).toBeUndefined()
  })

  it('and from an agent that had joined: it is lost like any other', async () => {
    const agent = await connect()
    agent.text(hello())
    await joined(agent)
    agent.text('{}')
    expect((await agent.closed).code).toBe(1007)
    expect(newsOf(agent)[2]).toMatchObject({
      kind: 'lost',
      reason: 'invalid frame: no member is set',
    })
    await forgotten(agent)
  })
})

describe('valid frames, in any form', () => {
  it('as binary', async () => {
    const agent = await connect()
    agent.frame(0x82, Buffer.from(hello()))
    await joined(agent)
  })

  it('split into single bytes on the network', async () => {
    const agent = await connect()
    for (const byte of agent.encode(0x81, Buffer.from(hello()))) agent.socket.write(Buffer.from([byte]))
    await joined(agent)
  })

  it('in fragments, with pings in between', async () => {
    const agent = await connect()
    const text = Buffer.from(hello())
    agent.frame(0x01, text.subarray(0, 7))
    agent.frame(0x89, Buffer.from('ping'))
    agent.frame(0x00, text.subarray(7, 20))
    agent.frame(0x80, text.subarray(20))
    await joined(agent)
    await until(() => agent.frames.some(({ opcode }) => opcode === 0xa))
  })

  it('with unknown fields beside the known ones', async () => {
    const agent = await connect()
    agent.text(hello().replace('{', '{"Sparkle":{"a":[1,2,{}]},'))
    await joined(agent)
  })
})

describe('the wrong order', () => {
  it.each([
    ['a log line first', { ContainerLog: {} }],
    ['a state first', { ContainerStateChanged: { Container: { id: 'c', state: 'RUNNING' } } }],
    ['statistics first', { ContainerStatsRecord: {} }],
  ])('%s: the agent is dropped', async (_, message) => {
    const agent = await connect()
    agent.text(JSON.stringify(message))
    await agent.closed
    expect(newsOf(agent)[1]).toMatchObject({
      kind: 'removed',
      reason: expect.stringContaining('before AgentStarted'),
    })
  })

  it('saying hello before the master has: it is accepted nevertheless', async () => {
    const agent = await connect()
    agent.text(hello())
    agent.text(hello())
    await joined(agent)
    expect(newsOf(agent).map((event) => event.kind)).toEqual(['connected', 'joined'])
  })

  it('saying hello again with other devices: it is ordered to restart', async () => {
    const agent = await connect()
    agent.text(hello())
    agent.text(hello({ Devices: [gpu(3)] }))
    expect((await agent.closed).code).toBe(1000)
    expect(agent.frames.some(({ payload }) => payload.includes('past reconnect period'))).toBe(true)
  })
})

describe('frames that break the WebSocket protocol', () => {
  const cases: [string, (agent: RawAgent) => void][] = [
    ['unmasked', (agent) => agent.socket.write(Buffer.from([0x81, 2, 0x7b, 0x7d]))],
    ['a reserved opcode', (agent) => agent.frame(0x83, Buffer.alloc(0))],
    ['reserved bits', (agent) => agent.frame(0xf1, Buffer.from('{}'))],
    ['a continuation of nothing', (agent) => agent.frame(0x80, Buffer.from('x'))],
    ['text that is not UTF-8', (agent) => agent.frame(0x81, Buffer.from([0xff, 0xfe]))],
    ['a ping longer than 125 bytes', (agent) => agent.frame(0x89, randomBytes(126))],
    ['a close with a code that may not be sent', (agent) => agent.frame(0x88, Buffer.from([0x03, 0xed]))],
    ['a compressed frame nobody agreed on', (agent) => agent.frame(0xc1, Buffer.from('x'))],
    ['random bytes', (agent) => agent.socket.write(randomBytes(4096))],
    [
      'a length beyond what a number can hold',
      (agent) => agent.socket.write(Buffer.from('81ffffffffffffffffff', 'hex')),
    ],
  ]
  it.each(cases)('%s', async (_, misbehave) => {
    const agent = await connect()
    misbehave(agent)
    await agent.closed
    await forgotten(agent)
  })
})

describe('too much', () => {
  it('a frame that is announced as 128 MiB is rejected from its header', async () => {
    const agent = await connect()
    const header = Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0x08, 0, 0, 0, 1, 2, 3, 4])
    agent.socket.write(header)
    expect((await agent.closed).code).toBe(1009)
  })

  it('128 MiB in fragments are rejected when they exceed the limit', async () => {
    const agent = await connect()
    const piece = Buffer.alloc(1024 * 1024, 0x20)
    agent.frame(0x01, piece)
    for (let i = 0; i < 127 && !agent.socket.destroyed; i++) agent.frame(0x00, piece)
    expect((await agent.closed).code).toBe(1009)
  })

  it('endless tiny fragments are rejected, too', async () => {
    const agent = await connect()
    agent.frame(0x01, Buffer.from('{'))
    const many = Buffer.concat(Array.from({ length: 20_000 }, () => agent.encode(0x00, Buffer.from(' '))))
    agent.socket.write(many)
    expect((await agent.closed).code).toBe(1008)
  })

  it('a thousand devices more than a machine has', async () => {
    const agent = await connect()
    agent.text(hello({ Devices: Array.from({ length: 1025 }, (_, id) => gpu(id)) }))
    expect((await agent.closed).code).toBe(1007)
  })

  it('a flood of pings whose pongs are not read', async () => {
    const agent = await connect()
    agent.socket.pause()
    const pings = Buffer.concat(Array.from({ length: 50_000 }, () => agent.encode(0x89, randomBytes(125))))
    agent.socket.write(pings)
    await until(() => newsOf(agent).length > 1)
    expect(newsOf(agent)[1]).toMatchObject({ kind: 'removed', reason: expect.stringContaining('was lost') })
  })

  it('the same id from a hundred sockets at once: one gets it', async () => {
    const attempts = await Promise.allSettled(Array.from({ length: 100 }, () => m.dial('many')))
    const won = attempts.filter((attempt) => attempt.status === 'fulfilled')
    expect(won).toHaveLength(1)
    won[0]!.value.connection.terminate()
  })
})

describe('sockets that never become agents', () => {
  it('hundreds of them, in every half-open state, are disconnected and leave nothing behind', async () => {
    const { port } = m.listener
    const tls = { ca: m.chain.root.certificate, servername: 'master.test' }
    const partial = 'GET /agents?id=x&reconnect=false HTTP/1.1\r\nHost: x\r\nUpgrade: webso'
    const sockets = Array.from({ length: 100 }, () => [
      rawClient(port),
      rawClient(port, '\x16\x03\x01\x02'),
      rawTlsClient(port, tls),
      rawTlsClient(port, tls, partial),
    ]).flat()
    await m.join('in-between').then((agent) => agent.connection.terminate())
    await Promise.all(sockets.map((client) => client.end))
  })

  it('an upgrade that is cut off in the middle', async () => {
    const socket = rawTlsClient(
      m.listener.port,
      { ca: m.chain.root.certificate, servername: 'master.test' },
      'GET /agents?id=cut&reconnect=false HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    )
    await until(() => m.events.some((event) => event.agent.id === 'cut'))
    socket.socket.destroy()
    await until(() => !m.master.agents().some((agent) => agent.id === 'cut'))
  })

  it('a page in a browser on another site', async () => {
    const headers = { Origin: 'https://evil.example.com' }
    await expect(rawAgent(m.listener.port, m.chain, 'page', headers)).rejects.toThrow('403')
    expect(m.refused.at(-1)).toMatchObject({ id: 'page', status: 403 })
  })

  it('control characters in an id do not reach the terminal', async () => {
    await expect(rawAgent(m.listener.port, m.chain, '\x1b[2Jx')).rejects.toThrow('500')
    expect(m.refused.at(-1)!.id).toBe('?[2Jx')
  })
})

it('TLS renegotiation through the agent socket is rejected', async () => {
  const agent = await rawAgent(m.listener.port, m.chain, 'renegotiating', {}, 'TLSv1.2')
  opened.push(agent)
  const outcome = await new Promise<unknown>((resolve) => {
    agent.socket.once('error', resolve)
    agent.socket.once('close', () => resolve(new Error('closed')))
    agent.socket.renegotiate({}, resolve)
  })
  expect(outcome).toBeInstanceOf(Error)
})
