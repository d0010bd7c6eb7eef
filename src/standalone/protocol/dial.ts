// The agent's side: dials a master's agent socket and returns an open connection, or throws the reason.
import type { Agent, ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket, ConnectionOptions as TlsOptions } from 'node:tls'
import { WebSocket } from 'ws'
import { type MasterAddress, masterUrl } from '../../pki/index.ts'
import type { Clock } from '../../platform/index.ts'
import { ProvisionError, problem } from '../../problems/index.ts'
import {
  type Connection,
  type ConnectionEnd,
  dialTimeout,
  type Keepalive,
  largestAgentFrame,
  openConnection,
  socketOptions,
} from './connection.ts'
import { type AgentMessage, decodeAgentMessage, encodeMasterMessage, type MasterMessage } from './messages.ts'

/** The agent's end of the connection. */
export type AgentConnection = Connection<MasterMessage>

export interface DialOptions {
  master: MasterAddress
  join: JoinRequest
  /** `ca`, `servername`, `checkServerIdentity`, `cert`, `key`, …; TLS 1.2 is the minimum by default. */
  tls?: TlsOptions
  /** HTTP agent, for proxies. */
  agent?: Agent
  clock: Clock
  signal?: AbortSignal
  /** Milliseconds without a byte. */
  timeout?: number
  /** Milliseconds until the connection, with TLS if there is any, is open; default: no limit of its own. */
  openTimeout?: number | undefined
  keepalive?: Keepalive | undefined
  onMessage: (message: AgentMessage, connection: AgentConnection) => void
  onEnd: (end: ConnectionEnd) => void
}

/**
 * Connects once. Throws a ProvisionError: AGENT_REFUSED when a master answered (its message is in `details.message`, the
 * HTTP status in `details.status`), else AGENT_DIAL_FAILED with the socket's or TLS's own error as `cause`.
 */
export async function connectAgentSocket(options: DialOptions): Promise<AgentConnection> {
  options.signal?.throwIfAborted()
  const socket = new WebSocket(agentsUrl(options.master, options.join), {
    minVersion: 'TLSv1.2',
    ...options.tls,
    ...socketOptions,
    agent: options.agent,
    handshakeTimeout: options.timeout ?? dialTimeout,
    maxPayload: largestAgentFrame,
    followRedirects: false,
    finishRequest(request: ClientRequest) {
      if (options.openTimeout !== undefined) limitOpening(request, options.openTimeout, options.clock)
      request.end()
    },
  })
  // An error after the outcome is known must not become an uncaught exception.
  socket.on('error', () => {})
  const abort = () => socket.terminate()
  options.signal?.addEventListener('abort', abort, { once: true })
  try {
    return await outcome(socket, options)
  } catch (error) {
    throw options.signal?.aborted ? options.signal.reason : error
  } finally {
    options.signal?.removeEventListener('abort', abort)
  }
}

/** A server that accepts connections may not answer the handshake of TLS; one that has answered it may hold the dial. */
function limitOpening(request: ClientRequest, ms: number, clock: Clock): void {
  const opened = new AbortController()
  clock.sleep(ms, opened.signal).then(
    () =>
      request.destroy(Object.assign(new Error(`no connection within ${ms / 1000} s`), { code: 'ETIMEDOUT' })),
    () => {},
  )
  const done = () => opened.abort()
  request.once('close', done)
  request.once('socket', (socket: Socket | TLSSocket) => {
    if ('encrypted' in socket) socket.once('secureConnect', done)
    else if (socket.connecting) socket.once('connect', done)
    else done()
  })
}

function outcome(socket: WebSocket, options: DialOptions): Promise<AgentConnection> {
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => reject(dialFailed(options.master, error)))
    socket.once('unexpected-response', (_request, response) => {
      const connection = response.socket
      readRefusal(response, (message) => {
        reject(refused(options.master, response.statusCode ?? 0, message))
        // Go and every proxy keep the connection of a completed response open, and destroying the request has no effect on it.
        socket.terminate()
        connection.destroy()
      })
    })
    // In the same event-loop turn: the first frame may already be in the socket.
    socket.once('open', () => {
      resolve(
        openConnection<AgentMessage, MasterMessage>(socket, {
          clock: options.clock,
          decode: decodeAgentMessage,
          encode: encodeMasterMessage,
          onMessage: options.onMessage,
          onEnd: options.onEnd,
          keepalive: options.keepalive,
        }),
      )
    })
  })
}

/** At most 16 KiB of the response; its `message` when it is JSON, else the text. Truncated after 5 s. */
function readRefusal(response: IncomingMessage, done: (message: string) => void): void {
  let body = ''
  const finish = () => {
    clearTimeout(timer)
    done(messageOf(body))
  }
  const timer = setTimeout(finish, 5000)
  response.setEncoding('utf8')
  response.on('data', (chunk: string) => {
    body += chunk
    if (body.length > 16_384) finish()
  })
  response.on('end', finish)
  // A premature end emits an error, or only `close`.
  response.on('error', finish)
  response.on('close', finish)
}

function messageOf(body: string): string {
  try {
    const { message } = JSON.parse(body) as { message?: unknown }
    if (typeof message === 'string') return message
  } catch {
    // Not a master's JSON, perhaps a proxy's page. The text helps more than a parse error.
  }
  return body.trim().slice(0, 300)
}

function refused(master: MasterAddress, status: number, message: string): ProvisionError {
  const reason = message || 'no reason given'
  return new ProvisionError(
    problem(
      'AGENT_REFUSED',
      `${master.host}:${master.port} rejected the agent with status ${status}: ${reason}`,
      {
        details: { status, message },
      },
    ),
  )
}

function dialFailed(master: MasterAddress, cause: Error): ProvisionError {
  const code = (cause as NodeJS.ErrnoException).code
  return new ProvisionError(
    problem('AGENT_DIAL_FAILED', `no agent socket at ${master.host}:${master.port}: ${reasonOf(cause)}`, {
      details: { code },
      cause,
    }),
  )
}

/** Node 24 adds advice about its own flags to TLS messages, and an AggregateError has no message. */
function reasonOf(error: Error & { errors?: Error[] }): string {
  const text = error.message || error.errors?.map((e) => e.message).join('; ') || error.name
  return text.split('; if the root CA')[0]!
}

// The URL agents dial, and its query. Everything is escaped; Determined's agent does not escape, so it cannot join a pool
// named "a&b" or an IPv6 master.

export interface JoinRequest {
  id: string
  version: string
  /** '' means the pool `default`. */
  resourcePool: string
  reconnect: boolean
  hostname: string
}

/** `wss://[::1]:8443/agents?id=…`, or `ws:` for a master without TLS. */
export function agentsUrl(master: MasterAddress, join: JoinRequest): string {
  const query = new URLSearchParams({
    id: join.id,
    version: join.version,
    resource_pool: join.resourcePool,
    reconnect: String(join.reconnect),
    hostname: join.hostname,
  })
  return `${masterUrl(master).replace(/^http/, 'ws')}/agents?${query}`
}

/** Strings that Go's strconv.ParseBool accepts. */
const bools = new Map([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text) => [text, false] as const),
])

export type ParsedJoin = { ok: true; join: JoinRequest } | { ok: false; message: string }

/** Most characters of an id, pool or name; cloud ids have fewer than 64. */
const longest = 256

/**
 * Reads the request target of `GET /agents`. The messages are those of Determined's master
 * (master/internal/rm/agentrm/agents.go), which agents print.
 */
export function parseJoin(target: string): ParsedJoin {
  const mark = target.indexOf('?')
  const query = new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1))
  const id = query.get('id') ?? ''
  const given = query.get('reconnect') ?? ''
  const reconnect = bools.get(given)
  if (reconnect === undefined)
    return {
      ok: false,
      message: `parsing reconnect query param: invalid syntax: ${JSON.stringify(given.slice(0, 40))}`,
    }
  if (id === '') return { ok: false, message: 'invalid agent id specified: ' }
  const join = {
    id,
    version: query.get('version') ?? '',
    resourcePool: query.get('resource_pool') || 'default',
    reconnect,
    hostname: query.get('hostname') ?? '',
  }
  const tooLong = Object.entries(join).find(
    ([, value]) => typeof value === 'string' && value.length > longest,
  )
  if (tooLong) return { ok: false, message: `${tooLong[0]} is longer than ${longest} characters` }
  // They are printed in logs, tables and terminals. A pool must be in the configuration, or the agent is rejected.
  const unprintable = (['id', 'version', 'hostname'] as const).find((name) => notPrintable.test(join[name]))
  if (unprintable) return { ok: false, message: `agent ${unprintable} contains control characters` }
  return { ok: true, join }
}

/** Control characters (C0, C1), bidirectional marks, other invisible characters, line breaks, lone surrogates. */
const notPrintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u
const eachNotPrintable = new RegExp(notPrintable.source, 'gu')

/** Untrusted input for a log: printable, and at most `most` characters. */
export function shownText(text: string | null, most = 64): string {
  const printable = (text ?? '').slice(0, 4 * most).replace(eachNotPrintable, '?')
  return printable.length > most ? `${printable.slice(0, most)}…` : printable
}
