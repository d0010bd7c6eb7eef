// The fake Determined master on a real socket, plain or TLS; tests can make it slow, failing, restarted or stopped.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { agentEndpoint } from './agent-endpoint.ts'
import { type Asked, answer } from './routes.ts'
import type { FakeWorld } from './world.ts'

export interface Fault {
  /** Part of the path; undefined: every request. */
  path?: string
  /** How often; undefined: always. */
  times?: number
  /** `garbage`: 200 with invalid JSON; `cut`: closes the connection; `hang`: no answer; a number: that status, as from a proxy. */
  kind: 'garbage' | 'cut' | 'hang' | number
}

export interface FakeDetermined {
  readonly world: FakeWorld
  readonly url: string
  readonly port: number
  /** `GET /api/v1/tasks`, in order. */
  readonly asked: string[]
  faults: Fault[]
  /** Milliseconds before each answer. */
  latency: number
  /** Called for each answer before it is sent. */
  onAnswer: (asked: Asked) => void
  /** Closes every connection and stops listening. */
  stop(): Promise<void>
  /** Listens again on the same port, optionally with other certificates. */
  start(tls?: { cert: string; key: string }): Promise<void>
  count(path: string): number
}

export async function startFake(
  world: FakeWorld,
  tls?: { cert: string; key: string },
): Promise<FakeDetermined> {
  const sockets = new Set<Socket>()
  let server: Server
  let port = 0

  const fake: FakeDetermined = {
    world,
    get url() {
      return `${tls ? 'https' : 'http'}://127.0.0.1:${port}`
    },
    get port() {
      return port
    },
    asked: [],
    faults: [],
    latency: 0,
    onAnswer: () => {},
    count: (path) => fake.asked.filter((line) => line.includes(path)).length,
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
    async start(renewed) {
      tls = renewed ?? tls
      server = tls ? createTlsServer(tls, handle) : createServer(handle)
      server.on('upgrade', agentEndpoint(world))
      server.on('connection', (socket: Socket) => {
        sockets.add(socket)
        socket.on('error', () => {}).on('close', () => sockets.delete(socket))
      })
      await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
      port = (server.address() as AddressInfo).port
    },
  }

  /** The passwords being checked. */
  let checks: Promise<unknown> = Promise.resolve()

  function checkPassword(): Promise<unknown> {
    if (world.loginCost === 0) return checks
    checks = checks.then(() => new Promise((resolve) => setTimeout(resolve, world.loginCost)))
    return checks
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://fake')
    fake.asked.push(`${request.method} ${url.pathname}`)
    const body = await bodyOf(request)
    if (fake.latency > 0) await new Promise((resolve) => setTimeout(resolve, fake.latency))
    if (url.pathname === '/api/v1/auth/login') await checkPassword()
    const fault = takeFault(fake, url.pathname)
    if (fault === 'hang') return
    if (fault === 'cut') return void request.socket.destroy()
    if (fault === 'garbage') return void response.end('<html>')
    if (fault !== undefined) return void response.writeHead(fault).end('upstream connect error')
    const asked: Asked = {
      method: request.method ?? 'GET',
      path: url.pathname,
      query: url.searchParams,
      body,
      token: /^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1],
    }
    const { status, value } = answer(world, asked)
    fake.onAnswer(asked)
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value))
  }

  await fake.start()
  return fake
}

function takeFault({ faults }: FakeDetermined, path: string): Fault['kind'] | undefined {
  const fault = faults.find((each) => path.includes(each.path ?? '') && each.times !== 0)
  if (fault?.times !== undefined) fault.times--
  return fault?.kind
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text === '' ? {} : JSON.parse(text)
}
