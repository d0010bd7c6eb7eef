// Requests to one master over connections that stay open: each with a timeout, bounded responses, and no redirects.
import { Agent, type ClientRequest, type ClientRequestArgs, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { planTrust } from '../../agent-setup/index.ts'
import type { MasterConfig } from '../../config/index.ts'
import {
  type AgentDialOptions,
  anchorsOf,
  connectAsAgent,
  dialOptions,
  loadTlsCredentials,
  loadTrustAnchors,
  type MasterAddress,
} from '../../pki/index.ts'
import {
  authorityOf,
  checkMayAct,
  dropIdle,
  type Environment,
  type MayAct,
  type Opened,
  type Route,
  readAll,
  refusedForward,
  routeTo,
  timedOut,
} from '../../platform/index.ts'
import { isError, type Problem, ProvisionError, problem } from '../../problems/index.ts'

export interface Order {
  method: 'GET' | 'POST'
  path: string
  token?: string
  /** Sent as JSON. */
  body?: unknown
  /** Milliseconds without a byte of an answer; default: those of the connections. */
  timeoutMs?: number
  signal?: AbortSignal
  /** Of a request that changes something; asked for each attempt, once the connection is there. */
  mayAct?: MayAct | undefined
}

export interface HttpAnswer {
  status: number
  text: string
}

export interface Connections {
  /** Resolves for any status. Rejects with the signal's reason, or with the error of the network or of TLS. */
  send(order: Order): Promise<HttpAnswer>
  /** Closes connections as soon as they are idle; no further request is sent. */
  retire(): void
  close(): void
}

/** Milliseconds for a response that arrives slowly, but arrives: that of a large cluster over a slow link. */
const longest = 60_000
/** Bytes. A hundred thousand tasks fit; a longer response is not from a master. */
const longestAnswer = 256 * 1024 * 1024

/** Throws PROXY_INVALID. */
export function openConnections(
  { address, trust, env }: Endpoint,
  { timeoutMs: usual, userAgent }: { timeoutMs: number; userAgent: string },
): Connections {
  const { host, port } = address
  const route = routeTo(address, env ?? {}, usual)
  const agent = new DiallingAgent(route, (tunnel) =>
    trust
      ? connectAsAgent({ ...(tunnel ? { socket: tunnel } : { host, port }), ...trust.options })
      : connect({ host, port }),
  )

  function once(order: Order): Promise<HttpAnswer> {
    const { method, path, token, body, timeoutMs = usual, signal, mayAct } = order
    const longestMs = Math.max(longest, timeoutMs)
    const deadline = AbortSignal.timeout(longestMs)
    const text = body === undefined ? undefined : JSON.stringify(body)
    const headers = {
      Host: authorityOf(address),
      ...route.headers,
      Accept: 'application/json',
      'User-Agent': userAgent,
      ...(token && { Authorization: `Bearer ${token}` }),
      ...(text !== undefined && {
        'Content-Type': 'application/json',
        'Content-Length': String(Buffer.byteLength(text)),
      }),
    }
    return new Promise((resolve, reject) => {
      let isSilent = false
      const sent = request(
        {
          agent,
          host,
          port,
          method,
          path: route.prefix + path,
          headers,
          signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
          timeout: timeoutMs,
        },
        (response) => {
          const refused = refusedForward(route, response.statusCode)
          if (refused) {
            response.resume()
            return reject(refused)
          }
          readAll(response, longestAnswer).then(
            (answer) => resolve({ status: response.statusCode ?? 0, text: answer }),
            fail,
          )
        },
      )
      function fail(error: Error): void {
        if (signal?.aborted) reject(signal.reason)
        else if (deadline.aborted) reject(timedOut(longestMs))
        // The response's own error does not say why its connection was closed.
        else if (isSilent) reject(timedOut(timeoutMs))
        else reject(Object.assign(error, { reused: sent.reusedSocket }))
      }
      // Also while the connection is opened.
      sent.on('timeout', () => {
        isSilent = true
        sent.destroy(timedOut(timeoutMs))
      })
      sent.on('error', fail)
      if (!mayAct) return void sent.end(text)
      whenConnected(sent, trust !== undefined, () => {
        try {
          checkMayAct(mayAct, `${method} ${path}`)
          sent.end(text)
        } catch (error) {
          sent.destroy(error as Error)
        }
      })
    })
  }

  return {
    async send(order) {
      try {
        return await once(order)
      } catch (error) {
        // A master that restarted, or a proxy, has closed the idle connection, and others that were idle for as long: that
        // shows nothing about its current state.
        const { reused, code } = error as NodeJS.ErrnoException & { reused?: boolean }
        if (!reused || (code !== 'ECONNRESET' && code !== 'EPIPE')) throw error
        dropIdle(agent)
        return await once(order)
      }
    },
    retire: () => agent.retire(),
    close: () => agent.destroy(),
  }
}

/** Waiting for a free connection and opening one take time, in which a lease may end. Nothing is written before. */
function whenConnected(sent: ClientRequest, overTls: boolean, go: () => void): void {
  sent.once('socket', (socket) => {
    if (sent.reusedSocket) go()
    else if (overTls) socket.once('secureConnect', go)
    else if (socket.connecting) socket.once('connect', go)
    else go()
  })
}

class DiallingAgent extends Agent {
  readonly #route: Route
  readonly #dial: (tunnel?: Socket) => Duplex

  constructor(route: Route, dial: (tunnel?: Socket) => Duplex) {
    super({ keepAlive: true, maxSockets: 8, scheduling: 'lifo' })
    this.#route = route
    this.#dial = dial
  }

  retire(): void {
    this.maxFreeSockets = 0
    dropIdle(this)
  }

  override createConnection(_: ClientRequestArgs, opened: Opened): Duplex | undefined {
    return this.#route.open(this.#dial, opened)
  }
}

// The address of the Determined master and the trust for it: the same rules as for agents, but never without
// verification.

export interface Endpoint {
  address: MasterAddress
  /** undefined: plain http. */
  trust?: EndpointTrust
  /** Variables that may name a proxy. */
  env?: Environment
  /** About the connection to the master only. */
  warnings: Problem[]
}

export interface EndpointTrust {
  options: AgentDialOptions
  /** The name that is verified. */
  name: string
  /** For messages. */
  anchors: string
}

type Wanted = Pick<MasterConfig, 'locate' | 'port' | 'security' | 'demand'>

/** Reads the certificate files. Throws a ProvisionError for each file that cannot be used. */
export function endpointOf(config: Wanted, now: number, env: Environment = {}): Endpoint {
  const address = addressOf(config)
  if (address.scheme === 'http') return { address, env, warnings: plainHttp(address, config) }
  const { demand, locate, security } = config
  const cert = demand.ca_file === undefined ? security.tls?.cert : undefined
  const where = locate(
    cert ? 'security.tls.cert' : demand.ca_file === undefined ? 'demand' : 'demand.ca_file',
  )
  const material = cert ? loadTlsCredentials({ certFile: cert }, { now, where: { cert: where } }) : undefined
  const ca = demand.ca_file ? loadTrustAnchors(demand.ca_file, { now, where }) : undefined
  const problems = [...(material?.problems ?? []), ...(ca?.problems ?? [])]
  if (problems.some(isError)) throw new ProvisionError(problems)
  const { plan, problems: doubts } = planTrust({
    address,
    // Names that Fluent Bit cannot verify do not matter here: it is not used on this side.
    options: { trust: 'auto', allow_ip_only: true, ...(demand.ca_file && { ca_file: demand.ca_file }) },
    certificateName: demand.master_cert_name ?? '',
    material: material?.material,
    caMaterial: ca?.anchors,
    now,
    where,
  })
  if (!plan) throw new ProvisionError([...problems, ...doubts])
  const name = plan.certificateName ?? address.host
  const embedded = plan.mode === 'embed'
  return {
    address,
    env,
    trust: {
      options: dialOptions({ name, ca: embedded ? anchorsOf(plan) : undefined }),
      name,
      anchors: embedded ? (demand.ca_file ?? cert ?? '') : 'the well-known CAs',
    },
    // Problems of `security.tls.cert` are reported where agents get it.
    warnings: ca?.problems ?? [],
  }
}

/** Without `demand.url`: the master in this file, on this machine. */
function addressOf({ demand, port, security }: Wanted): MasterAddress {
  if (demand.url === undefined) return { scheme: security.tls ? 'https' : 'http', host: '127.0.0.1', port }
  const url = new URL(demand.url)
  const scheme = url.protocol === 'https:' ? 'https' : 'http'
  return {
    scheme,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    // URL drops the default port of a scheme.
    port: url.port === '' ? (scheme === 'https' ? 443 : 80) : Number(url.port),
  }
}

function plainHttp({ host }: MasterAddress, { locate }: Wanted): Problem[] {
  if (host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)) return []
  const where = locate('demand.url')
  return [problem('DETERMINED_PLAIN_HTTP', `the login goes to ${host} in plain text`, { where })]
}
