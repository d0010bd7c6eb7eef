// The process of the built-in agent exits when its master rejects it, and on SIGTERM in any state: no connection, timer,
// tool or task keeps it running.
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { createServer as createTlsServer } from 'node:tls'
import { afterAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/platform/clock.ts'
import { processesWith, processStart, sendSignal } from '../../../src/platform/processes.ts'
import { createAcceptor } from '../../../src/standalone/protocol/accept.ts'
import { pastReconnectPeriod } from '../../../src/standalone/protocol/messages.ts'
import { type AgentProcess, agentProcess } from '../../support/agent-process.ts'
import { options, scriptedMaster } from '../../support/scripted-master.ts'
import { until } from '../../support/server.ts'
import { order } from '../../support/task-orders.ts'
import { server as serverCertificate } from '../../support/x509-profiles.ts'

/** Seconds. The agent's own limit is 8, and Node needs some to start on a busy machine. */
const inTime = 20

// The tests run at the same time: everything is cleaned up when all of them are done.
const cleanUps: (() => unknown)[] = []
afterAll(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp()
})

/** Every process that still runs with it as its PROVISION_ROOT is killed with it. */
function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'agent-end-'))
  cleanUps.push(() => {
    for (const pid of processesWith(`PROVISION_ROOT=${dir}`)) sendSignal(pid, 'SIGKILL')
    rmSync(dir, { recursive: true, force: true, maxRetries: 10 })
  })
  return dir
}

function start(env: Record<string, string | number>, dir = folder(), yaml = ''): AgentProcess {
  writeFileSync(join(dir, 'agent.yaml'), yaml)
  const agent = agentProcess({ DET_CONFIG_FILE: join(dir, 'agent.yaml'), PROVISION_ROOT: dir, ...env })
  cleanUps.push(() => agent.process.kill('SIGKILL'))
  return agent
}

/** A command that hangs and ignores SIGTERM; it creates the file `asked`. */
function hanging(dir: string, name: string): string {
  const script = `trap '' TERM; touch '${join(dir, 'asked')}'; while :; do sleep 0.1; done`
  writeFileSync(join(dir, name), `#!/bin/bash\n${script}\n`)
  chmodSync(join(dir, name), 0o755)
  return join(dir, name)
}

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanUps.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

type Talk = (socket: Duplex) => void

/** Calls `talk` for each connection that has sent something; never closes one by itself. */
function tcp(talk: Talk): Promise<number> {
  return listen(createTcpServer((socket) => socket.once('data', () => talk(socket))))
}

const certificate = serverCertificate()
const overTls = { DET_SECURITY_TLS_ENABLED: 'true', DET_SECURITY_TLS_SKIP_VERIFY: 'true' }

function tls(talk: Talk): Promise<number> {
  const { pem, key } = certificate
  const server = createTlsServer({ cert: pem, key: key.pem }, (socket) => {
    socket.on('error', () => {})
    socket.once('data', () => talk(socket))
  })
  return listen(server)
}

/** As Go and proxies write it: without `Connection: close`. */
function answer(status: number, message: string): string {
  const body = JSON.stringify({ message })
  return `HTTP/1.1 ${status} No\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
}

/** The first agent joins, and its connection breaks at once; later ones are passed to `later`. */
async function lossyMaster(later: Talk): Promise<number> {
  const acceptor = createAcceptor({ clock: systemClock })
  let dials = 0
  const server = createServer().on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => {})
    if (dials++ > 0) return later(socket)
    acceptor.accept(request, socket, head, (open) => {
      const onMessage = () => connection.terminate()
      const connection = open({ onMessage, onEnd: () => {} })
      connection.send(options)
    })
  })
  return listen(server)
}

describe.concurrent('the agent exits by itself when a master that keeps the connection open', {
  timeout: 240_000,
}, () => {
  it.each([
    ['403', 403, 'Forbidden'],
    ['500', 500, 'unknown resource pool'],
  ])('refuses it with %s', async (_, status, message) => {
    const agent = start({ DET_MASTER_PORT: await tcp((socket) => socket.write(answer(status, message))) })
    expect(await agent.end(inTime), agent.said()).toBe(1)
    expect(agent.said()).toContain(`the master answered with status ${status}: ${message}`)
  })

  it.each([403, 500])('rejects it with %s over TLS', async (status) => {
    const port = await tls((socket) => socket.write(answer(status, 'no')))
    const agent = start({ DET_MASTER_PORT: port, ...overTls })
    expect(await agent.end(inTime), agent.said()).toBe(1)
    expect(agent.said()).toContain(`the master answered with status ${status}: no`)
  })

  it('is an HTTP server without upgrades', async () => {
    const server = createServer((_, response) => response.writeHead(403).end('{"message":"Forbidden"}'))
    server.keepAliveTimeout = 600_000
    const agent = start({ DET_MASTER_PORT: await listen(server) })
    expect(await agent.end(inTime), agent.said()).toBe(1)
  })

  it('never ends its response', async () => {
    const port = await tcp((socket) => socket.write('HTTP/1.1 403 No\r\nContent-Length: 90\r\n\r\n{"mess'))
    const agent = start({ DET_MASTER_PORT: port })
    expect(await agent.end(inTime), agent.said()).toBe(1)
  })

  it('reports that its reconnect period is over', async () => {
    const port = await lossyMaster((socket) => socket.write(answer(500, pastReconnectPeriod)))
    const agent = start({ DET_MASTER_PORT: port, DET_AGENT_RECONNECT_BACKOFF: 0 })
    expect(await agent.end(inTime), agent.said()).toBe(1)
    expect(agent.said()).toContain('the master shut down this agent')
  })

  it('rejects every attempt to reconnect', async () => {
    const port = await lossyMaster((socket) => socket.write(answer(403, 'Forbidden')))
    const agent = start({
      DET_MASTER_PORT: port,
      DET_AGENT_RECONNECT_BACKOFF: 0,
      DET_AGENT_RECONNECT_ATTEMPTS: 2,
    })
    expect(await agent.end(inTime), agent.said()).toBe(1)
    expect(agent.said()).toContain('gave up reconnecting')
  })

  it('orders it to stop and does not close', async () => {
    const master = await scriptedMaster()
    cleanUps.push(() => master.close())
    master.greet = ({ connection }) => {
      connection.send(options)
      connection.send({ AgentShutdown: { ErrMsg: 'go' } })
    }
    const agent = start({ DET_MASTER_PORT: master.port })
    expect(await agent.end(inTime), agent.said()).toBe(1)
  })
})

describe.concurrent('the agent exits on SIGTERM', { timeout: 240_000 }, () => {
  async function endsOnTerm(agent: AgentProcess): Promise<void> {
    agent.process.kill('SIGTERM')
    expect(await agent.end(inTime), agent.said()).toBe(0)
  }

  it('while the master does not respond to its dial', async () => {
    let asked = 0
    const agent = start({ DET_MASTER_PORT: await tcp(() => asked++) })
    await until(() => asked, 'a dial', inTime)
    await endsOnTerm(agent)
  })

  it('during a TLS handshake that hangs', async () => {
    let asked = 0
    const agent = start({ DET_MASTER_PORT: await tcp(() => asked++), ...overTls })
    await until(() => asked, 'a dial', inTime)
    await endsOnTerm(agent)
  })

  it('while a proxy does not respond', async () => {
    let asked = 0
    const port = await tcp(() => asked++)
    const agent = start({ DET_MASTER_HOST: 'master.invalid', HTTP_PROXY: `http://127.0.0.1:${port}` })
    await until(() => asked, 'a request', inTime)
    await endsOnTerm(agent)
  })

  it('during a refusal whose body never ends', async () => {
    let asked = 0
    const port = await tcp((socket) => {
      asked++
      socket.write('HTTP/1.1 403 No\r\nContent-Length: 90\r\n\r\n{"mess')
    })
    const agent = start({ DET_MASTER_PORT: port })
    await until(() => asked, 'a dial', inTime)
    await endsOnTerm(agent)
  })

  it('while it waits to dial again', async () => {
    const port = await lossyMaster((socket) => socket.write(answer(403, 'no')))
    const agent = start({ DET_MASTER_PORT: port, DET_AGENT_RECONNECT_BACKOFF: 600 })
    await until(() => agent.said().includes('lost the connection'), 'the loss', inTime)
    await endsOnTerm(agent)
  })

  it('while a master that keeps the connection open asks it to wait', async () => {
    const port = await tcp((socket) => socket.write(answer(503, 'not yet')))
    const agent = start({ DET_MASTER_PORT: port, DET_AGENT_RECONNECT_BACKOFF: 600 })
    await until(() => agent.said().includes('asks the agent to retry'), 'the answer', inTime)
    await endsOnTerm(agent)
  })

  it('when it is connected without jobs', async () => {
    const master = await scriptedMaster()
    cleanUps.push(() => master.close())
    const agent = start({ DET_MASTER_PORT: master.port })
    await until(() => master.visits[0]?.heard[0]?.AgentStarted, 'it to join', inTime)
    await endsOnTerm(agent)
  })

  it('when its master does not respond to the goodbye', async () => {
    let socket: Duplex | undefined
    const acceptor = createAcceptor({ clock: systemClock })
    const server = createServer().on('upgrade', (request: IncomingMessage, duplex: Duplex, head: Buffer) =>
      acceptor.accept(request, duplex, head, (open) => {
        const connection = open({
          onMessage: () => {
            socket = duplex.pause()
          },
          onEnd: () => {},
        })
        connection.send(options)
      }),
    )
    const agent = start({ DET_MASTER_PORT: await listen(server) })
    await until(() => socket, 'it to join', inTime)
    await endsOnTerm(agent)
  })

  it('with a task that ignores SIGTERM, which continues', async () => {
    const master = await scriptedMaster()
    cleanUps.push(() => master.close())
    const dir = folder()
    const agent = start({ DET_MASTER_PORT: master.port }, dir)
    await until(() => master.visits[0]?.heard[0]?.AgentStarted, 'it to join', inTime)
    const script = `trap '' TERM; echo $$ >'${join(dir, 'pid')}'; while :; do sleep 0.1; done`
    master.visits[0]!.connection.send(order(script))
    const pid = () => existsSync(join(dir, 'pid')) && Number(readFileSync(join(dir, 'pid'), 'utf8'))
    await until(pid, 'the task to run', inTime)
    await endsOnTerm(agent)
    expect(processStart(Number(pid()))).toBeDefined()
  })

  it('while the tool that lists its devices hangs and ignores SIGTERM', async () => {
    const master = await scriptedMaster()
    cleanUps.push(() => master.close())
    const dir = folder()
    hanging(dir, 'nvidia-smi')
    const PATH = `${dir}:${process.env['PATH']}`
    const env = { DET_MASTER_PORT: master.port, DET_ARTIFICIAL_SLOTS: 0, DET_SLOT_TYPE: 'cuda', PATH }
    const agent = start(env, dir)
    await until(() => existsSync(join(dir, 'asked')), 'the tool to run', inTime)
    await endsOnTerm(agent)
  })

  it('while hooks.on_connection_lost hangs and ignores SIGTERM', async () => {
    const dir = folder()
    // Nothing listens on port 1.
    const agent = start(
      { DET_MASTER_PORT: 1 },
      dir,
      `hooks:\n  on_connection_lost: [${hanging(dir, 'hook')}]\n`,
    )
    await until(() => existsSync(join(dir, 'asked')), 'the hook to run', inTime)
    agent.process.kill('SIGTERM')
    expect(await agent.end(inTime), agent.said()).not.toBe('alive')
  })
})

it('an agent that is asked to wait has one connection at a time', { timeout: 240_000 }, async () => {
  let [dials, open] = [0, 0]
  let most = 0
  const port = await tcp((socket) => {
    dials++
    most = Math.max(most, ++open)
    socket.on('close', () => open--)
    socket.write(answer(503, 'not yet'))
  })
  const agent = start({ DET_MASTER_PORT: port, DET_AGENT_RECONNECT_BACKOFF: 0 })
  await until(() => dials > 5, 'it to dial again', inTime)
  agent.process.kill('SIGTERM')
  expect(await agent.end(inTime), agent.said()).toBe(0)
  expect(most).toBeLessThan(3)
})
