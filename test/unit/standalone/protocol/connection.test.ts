import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { refuseUpgrade } from '../../../../src/http/router.ts'
import type { ProvisionError } from '../../../../src/problems/index.ts'
import { createAcceptor, type MasterConnection } from '../../../../src/standalone/protocol/accept.ts'
import type { ConnectionEnd } from '../../../../src/standalone/protocol/connection.ts'
import {
  type AgentConnection,
  connectAgentSocket,
  parseJoin,
} from '../../../../src/standalone/protocol/dial.ts'
import {
  type AgentMessage,
  encodeMasterMessage,
  type MasterMessage,
} from '../../../../src/standalone/protocol/messages.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

/** Waits for an event on a real socket. */
async function until(condition: () => unknown): Promise<void> {
  for (let i = 0; !condition(); i++) {
    if (i > 1000) throw new Error('it never happened')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const started = { Version: '1', Devices: [], ContainersReattached: [], ResourcePoolName: 'p' }
let server: Server
let clock: FakeClock
let onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
const masterSaw: (MasterMessage | ConnectionEnd)[] = []
const agentSaw: (AgentMessage | ConnectionEnd)[] = []
let master: MasterConnection | undefined

beforeEach(async () => {
  clock = new FakeClock()
  masterSaw.length = 0
  agentSaw.length = 0
  master = undefined
  const acceptor = createAcceptor({ clock, mostUnread: 1_000_000 })
  onUpgrade = (request, socket, head) =>
    acceptor.accept(request, socket, head, (open) => {
      master = open({ onMessage: (m) => masterSaw.push(m), onEnd: (end) => masterSaw.push(end) })
      master.send({ AgentShutdown: { ErrMsg: 'first frame' } })
    })
  server = createServer((_request, response) => response.writeHead(404).end('no such page'))
  server.on('upgrade', (request, socket, head) => onUpgrade(request, socket, head))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

afterEach(async () => {
  master?.terminate()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

function port(): number {
  return (server.address() as AddressInfo).port
}

function dial(overrides: Partial<Parameters<typeof connectAgentSocket>[0]> = {}): Promise<AgentConnection> {
  return connectAgentSocket({
    master: { scheme: 'http', host: '127.0.0.1', port: (server.address() as AddressInfo | null)?.port ?? 1 },
    join: { id: 'a & b', version: '1', resourcePool: 'p#1', reconnect: false, hostname: 'h' },
    clock,
    onMessage: (m) => agentSaw.push(m),
    onEnd: (end) => agentSaw.push(end),
    ...overrides,
  })
}

describe('an agent and its master', () => {
  it('exchange messages, including the first frame, and close with 1000', async () => {
    const agent = await dial()
    await until(() => agentSaw.length === 1)
    expect(agentSaw[0]).toMatchObject({ AgentShutdown: { ErrMsg: 'first frame' } })
    expect(agent.send({ AgentStarted: started })).toBe(true)
    await until(() => masterSaw.length === 1)
    expect(masterSaw[0]).toMatchObject({ AgentStarted: started })
    await agent.close()
    await until(() => masterSaw.length === 2)
    expect(agentSaw[1]).toMatchObject({ kind: 'ended' })
    expect(masterSaw[1]).toMatchObject({ kind: 'closed', message: expect.stringContaining('1000') })
    expect(agent.send({ AgentStarted: started })).toBe(false)
  })

  it('preserve any characters of id and pool', async () => {
    const accept = onUpgrade
    let target = ''
    onUpgrade = (request, socket, head) => {
      target = request.url ?? ''
      accept(request, socket, head)
    }
    const agent = await dial()
    expect(parseJoin(target)).toMatchObject({ ok: true, join: { id: 'a & b', resourcePool: 'p#1' } })
    agent.terminate()
  })

  it('disconnect a peer that sends data but does not answer pings for 60 s, not earlier', async () => {
    const deaf = new WebSocket(`ws://127.0.0.1:${port()}/`, { autoPong: false })
    await once(deaf, 'open')
    await clock.advance(59_999)
    deaf.send(encodeMasterMessage({ AgentStarted: started }))
    await until(() => masterSaw.length === 1)
    await clock.advance(1)
    expect(masterSaw[1]).toEqual({ kind: 'silent', message: 'no pong for 60 s' })
    await until(() => deaf.readyState === WebSocket.CLOSED)
  })

  it('keep a peer that answers pings, for any time', async () => {
    const peer = new WebSocket(`ws://127.0.0.1:${port()}/`)
    // Sent after its own pong, so the master has processed the pong once it has processed this.
    peer.on('ping', () => peer.send(encodeMasterMessage({ AgentStarted: started })))
    await once(peer, 'open')
    for (let pings = 1; pings <= 10; pings++) {
      await clock.advance(15_000)
      await until(() => masterSaw.length === pings)
    }
    expect(masterSaw.every((seen) => !('kind' in seen))).toBe(true)
    peer.terminate()
  })

  it('read a peer that sends too much only at the allowed rate, and lose nothing', async () => {
    const chatty = new WebSocket(`ws://127.0.0.1:${port()}/`)
    await once(chatty, 'open')
    for (let i = 0; i < 6000; i++) chatty.send(encodeMasterMessage({ AgentStarted: started }))
    // Four seconds' worth at once; also what was in the buffer with the last of it.
    await until(() => masterSaw.length >= 4000)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(masterSaw.length).toBeLessThan(6000)
    while (masterSaw.length < 6000) {
      await clock.advance(1000)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(chatty.readyState).toBe(WebSocket.OPEN)
    chatty.terminate()
  })

  it('disconnect a peer that does not read, instead of buffering without limit', async () => {
    const slow = new WebSocket(`ws://127.0.0.1:${port()}/`)
    await once(slow, 'open')
    slow.pause()
    const large = { AgentShutdown: { ErrMsg: 'x'.repeat(500_000) } }
    await until(() => !master!.send(large))
    expect(masterSaw).toEqual([{ kind: 'slow_reader', message: expect.stringContaining('not read') }])
    slow.terminate()
  })

  it('both detect a broken socket', async () => {
    const agent = await dial()
    await until(() => master)
    server.closeAllConnections()
    agent.terminate()
    await until(() => masterSaw.length === 1)
    expect(masterSaw[0]).toMatchObject({ kind: 'lost' })
  })
})

describe('a failed dial reports the reason', () => {
  it('with the message of the master that rejected it', async () => {
    onUpgrade = (_request, socket) => refuseUpgrade(socket, 500, 'agent: websocket already connected')
    const error = (await dial().catch((e) => e)) as ProvisionError
    expect(error.code).toBe('AGENT_REFUSED')
    expect(error.problems[0]!.details).toEqual({ status: 500, message: 'agent: websocket already connected' })
  })

  it('with the text of another server', async () => {
    onUpgrade = (_request, socket) =>
      socket.end('HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 14\r\n\r\n<h1>Proxy</h1>')
    const error = (await dial().catch((e) => e)) as ProvisionError
    expect(error.problems[0]).toMatchObject({
      code: 'AGENT_REFUSED',
      details: { status: 200, message: '<h1>Proxy</h1>' },
    })
  })

  it('with an endless answer, truncated', async () => {
    onUpgrade = (_request, socket) => {
      socket.on('error', () => {})
      socket.write('HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n')
      const timer = setInterval(() => socket.write(`1000\r\n${'x'.repeat(4096)}\r\n`), 1)
      socket.once('close', () => clearInterval(timer))
    }
    const error = (await dial().catch((e) => e)) as ProvisionError
    expect(error.problems[0]).toMatchObject({ code: 'AGENT_REFUSED', details: { status: 503 } })
    expect(error.message.length).toBeLessThan(500)
  })

  it('with the cause when nothing listens', async () => {
    const nowhere = { scheme: 'http', host: '127.0.0.1', port: port() } as const
    await new Promise((resolve) => server.close(resolve))
    const error = (await dial({ master: nowhere }).catch((e) => e)) as ProvisionError
    expect(error.problems[0]).toMatchObject({ code: 'AGENT_DIAL_FAILED', details: { code: 'ECONNREFUSED' } })
  })

  it('with the caller’s reason when it is aborted', async () => {
    onUpgrade = () => {}
    const abort = new AbortController()
    const dialled = dial({ signal: abort.signal })
    abort.abort(new Error('stopping'))
    await expect(dialled).rejects.toThrow('stopping')
  })
})

describe('a request that is not a WebSocket handshake', () => {
  it('is answered in JSON', async () => {
    const socket = connect(port(), '127.0.0.1')
    let answer = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk
    })
    socket.write('GET /agents HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    await until(() => socket.closed)
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
    expect(JSON.parse(answer.split('\r\n\r\n')[1]!)).toEqual({
      message: expect.stringContaining('Sec-WebSocket'),
    })
  })
})
