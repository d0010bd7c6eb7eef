// Connections through a proxy: https by CONNECT (RFC 9110 section 9.3.6), plain http by requests with an absolute URL.

import { Agent as PlainAgent, request as plainRequest } from 'node:http'
import { Agent as TlsAgent, request as tlsRequest } from 'node:https'
import { connect, isIP, type Socket } from 'node:net'
import { type Duplex, Readable } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import type { Fetch } from './http-client.ts'
import {
  authorityOf,
  type Destination,
  destinationOf,
  type Environment,
  type ProxyServer,
  proxyErrorCode,
  proxyFor,
  shownProxy,
} from './proxy.ts'
import { endSilent } from './silent-sockets.ts'

/** The largest head of a proxy's response, in bytes. */
const largestAnswer = 16_384
/** Milliseconds to open a tunnel. */
const tunnelTimeout = 10_000

/** Node's callback for `createConnection`. */
export type Opened = (error: Error | null, socket: Duplex) => void

/** Passes an error on; Node's type asks for a socket in that case, too, and Node ignores it. */
export function failing(opened: Opened | undefined): (error: Error) => void {
  const fail = opened as ((error: Error) => void) | undefined
  return (error) => fail?.(error)
}

/** A connection to the proxy itself. */
function connectProxy({ scheme, host, port }: ProxyServer): Socket {
  if (scheme === 'http') return connect({ host, port })
  return connectTls({
    host,
    port,
    ...(isIP(host) === 0 && { servername: host }),
    ALPNProtocols: ['http/1.1'],
  })
}

/** A tunnel to the destination. Rejects with a `proxyErrorCode` error. */
export function openTunnel(
  proxy: ProxyServer,
  destination: Pick<Destination, 'host' | 'port'>,
  timeoutMs = tunnelTimeout,
): Promise<Socket> {
  const target = authorityOf(destination)
  return new Promise((resolve, reject) => {
    const socket = connectProxy(proxy)
    const fail = (why: string) => {
      clearTimeout(deadline)
      socket.destroy()
      const message = `proxy ${shownProxy(proxy)} (${proxy.variable}) ${why}`
      reject(Object.assign(new Error(message), { code: proxyErrorCode }))
    }
    // Of the whole exchange: a proxy may send its response byte by byte.
    const deadline = setTimeout(() => fail('timed out'), timeoutMs)
    const failed = (error: Error) => fail(`cannot be reached: ${error.message}`)
    const closed = () => fail('closed the connection')
    let answer = ''
    const read = (chunk: Buffer) => {
      answer += chunk.toString('latin1')
      const end = answer.indexOf('\r\n\r\n')
      if (end < 0) return answer.length > largestAnswer && fail('returned a response that is not HTTP')
      const status = /^HTTP\/1\.[01] (\d{3})[^\r]*/.exec(answer)
      if (!/^2/.test(status?.[1] ?? ''))
        return fail(`refused the tunnel to ${target}: ${status?.[0].trim() ?? 'not HTTP'}`)
      clearTimeout(deadline)
      // Only these: those of Node itself close the socket when the other side does.
      socket.off('error', failed).off('close', closed).off('data', read)
      // The server sends nothing before the request, so nothing should follow the head; if there are bytes, they are put back.
      if (answer.length > end + 4) socket.unshift(Buffer.from(answer.slice(end + 4), 'latin1'))
      resolve(socket)
    }
    socket.on('error', failed)
    socket.on('close', closed)
    socket.on('data', read)
    socket.on(proxy.scheme === 'https' ? 'secureConnect' : 'connect', () => {
      const lines = [`CONNECT ${target} HTTP/1.1`, `Host: ${target}`]
      for (const [name, value] of Object.entries(authorization(proxy))) lines.push(`${name}: ${value}`)
      socket.write(`${lines.join('\r\n')}\r\n\r\n`)
    })
  })
}

function authorization({ credentials }: ProxyServer): Record<string, string> {
  if (!credentials) return {}
  return { 'Proxy-Authorization': `Basic ${Buffer.from(credentials).toString('base64')}` }
}

/** A connection to the proxy for requests that it forwards. Rejects with a `proxyErrorCode` error. */
function openProxy(proxy: ProxyServer): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectProxy(proxy)
    const failed = ({ message: why }: Error) => {
      const message = `proxy ${shownProxy(proxy)} (${proxy.variable}) cannot be reached: ${why}`
      reject(Object.assign(new Error(message), { code: proxyErrorCode }))
    }
    socket.setTimeout(tunnelTimeout, () => socket.destroy(new Error('timed out')))
    socket.once('error', failed)
    socket.once(proxy.scheme === 'https' ? 'secureConnect' : 'connect', () => {
      socket.off('error', failed).setTimeout(0).removeAllListeners('timeout')
      resolve(socket)
    })
  })
}

/** How the requests of one client reach their destination. */
export interface Route {
  /** undefined: directly. */
  proxy?: ProxyServer
  /** Precedes the path of each request, and headers to add: a proxy forwards plain http by the absolute URL. */
  prefix: string
  headers: Record<string, string>
  /**
   * A socket for `createConnection`: returned, or passed to `opened`. `direct` connects to the destination; of an https
   * destination it gets the tunnel to use.
   */
  open(direct: (tunnel?: Socket) => Duplex, opened: Opened): Duplex | undefined
}

/** Throws PROXY_INVALID. */
export function routeTo(destination: Destination, env: Environment, timeoutMs?: number): Route {
  const proxy = proxyFor(destination, env)
  if (!proxy) return { prefix: '', headers: {}, open: (direct) => direct() }
  if (destination.scheme === 'http')
    return {
      proxy,
      prefix: new URL(`http://${authorityOf(destination)}`).origin,
      headers: authorization(proxy),
      open(_, opened) {
        openProxy(proxy).then((socket) => opened(null, socket), failing(opened))
        return undefined
      },
    }
  return {
    proxy,
    prefix: '',
    headers: {},
    open(direct, opened) {
      openTunnel(proxy, destination, timeoutMs).then(
        (tunnel) => opened(null, direct(tunnel)),
        failing(opened),
      )
      return undefined
    },
  }
}

/**
 * The `proxyErrorCode` error for a proxy's 407 in place of the destination's answer to a forwarded request; only proxies send that
 * status (RFC 9110 section 15.5.8). What else a proxy refuses cannot be told from an answer of the destination.
 */
export function refusedForward(
  { proxy, prefix }: Pick<Route, 'proxy' | 'prefix'>,
  status: number | undefined,
): Error | undefined {
  if (!proxy || prefix === '' || status !== 407) return undefined
  const message = `proxy ${shownProxy(proxy)} (${proxy.variable}) refused the request to ${prefix}: HTTP 407 Proxy Authentication Required`
  return Object.assign(new Error(message), { code: proxyErrorCode })
}

interface ConnectionTarget {
  host?: string | null | undefined
  port?: number | string | null | undefined
}

function destinationIn({ host, port }: ConnectionTarget, scheme: Destination['scheme']): Destination {
  return { scheme, host: host ?? 'localhost', port: Number(port ?? (scheme === 'https' ? 443 : 80)) }
}

class TunnelTlsAgent extends TlsAgent {
  readonly #env: Environment

  constructor(env: Environment) {
    super({ keepAlive: true, maxSockets: 50 })
    this.#env = env
  }

  override createConnection(...[options, opened]: Parameters<TlsAgent['createConnection']>) {
    const proxy = proxyFor(destinationIn(options, 'https'), this.#env)
    if (!proxy) return endSilent(this, super.createConnection(options, opened))
    openTunnel(proxy, destinationIn(options, 'https')).then((socket) => {
      const secured = super.createConnection(Object.assign({}, options, { socket }))
      if (secured) opened?.(null, endSilent(this, secured))
    }, failing(opened))
    return undefined
  }
}

class TunnelPlainAgent extends PlainAgent {
  readonly #env: Environment

  constructor(env: Environment) {
    super({ keepAlive: true, maxSockets: 50 })
    this.#env = env
  }

  override createConnection(...[options, opened]: Parameters<PlainAgent['createConnection']>) {
    const proxy = proxyFor(destinationIn(options, 'http'), this.#env)
    if (!proxy) return endSilent(this, super.createConnection(options, opened))
    openTunnel(proxy, destinationIn(options, 'http')).then(
      (socket) => opened?.(null, endSilent(this, socket)),
      failing(opened),
    )
    return undefined
  }
}

/**
 * Agents for a library that sends requests to several hosts: each connection goes by `proxyFor`; always by a tunnel. A request
 * whose timeout passes without a byte ends, and idle connections with it.
 */
export function outgoingAgents(env: Environment): { httpAgent: PlainAgent; httpsAgent: TlsAgent } {
  return { httpAgent: new TunnelPlainAgent(env), httpsAgent: new TunnelTlsAgent(env) }
}

/** `fetch` by `proxyFor`: requests without a proxy go through `direct`. Redirects are never followed through a proxy. */
export function outgoingFetch(env: Environment, direct: Fetch = globalThis.fetch): Fetch {
  const { httpsAgent } = outgoingAgents(env)
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input)
    const route = routeTo(destinationOf(url), env)
    const { proxy } = route
    if (!proxy) return direct(input, init)
    const asked = new Request(input, init)
    const body = Buffer.from(await asked.arrayBuffer())
    const headers = {
      host: url.host,
      ...Object.fromEntries(asked.headers),
      ...route.headers,
      ...(body.length > 0 && { 'content-length': String(body.length) }),
    }
    const { method, signal } = asked
    return new Promise((resolve, reject) => {
      const options = { method, headers, signal }
      const sent =
        url.protocol === 'https:'
          ? tlsRequest(url, { ...options, agent: httpsAgent })
          : plainRequest({
              ...options,
              path: route.prefix + url.pathname + url.search,
              createConnection: (_, opened) => {
                openProxy(proxy).then((socket) => opened(null, socket), failing(opened))
                return undefined
              },
            })
      sent.on('error', reject)
      sent.on('response', (response) => {
        const { statusCode = 0 } = response
        const refused = refusedForward(route, statusCode)
        if (refused) {
          response.resume()
          return reject(refused)
        }
        if (asked.redirect === 'error' && statusCode >= 300 && statusCode < 400) {
          response.resume()
          return reject(new TypeError(`unexpected redirect of ${url.host}`))
        }
        const hasBody = ![204, 205, 304].includes(statusCode)
        const fields = Object.entries(response.headersDistinct).flatMap(([name, values = []]) =>
          values.map((value): [string, string] => [name, value]),
        )
        if (!hasBody) response.resume()
        const content = hasBody ? (Readable.toWeb(response) as ReadableStream<Uint8Array>) : null
        resolve(new Response(content, { status: statusCode, headers: fields }))
      })
      sent.end(body)
    })
  }
}
