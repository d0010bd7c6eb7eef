// The agent's side: dials a master's agent socket and hands back an open connection, or why there is none.
import type { Agent, IncomingMessage } from 'node:http'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { WebSocket } from 'ws'
import { type MasterAddress, masterUrl } from '../../pki/index.ts'
import type { Clock } from '../../platform/index.ts'
import { ProvisionError, problem } from '../../problems/index.ts'
import {
  type Connection,
  type ConnectionEnd,
  dialTimeout,
  largestAgentFrame,
  openConnection,
  socketOptions,
} from './connection.ts'
import { type AgentMessage, decodeAgentMessage, encodeMasterMessage, type MasterMessage } from './messages.ts'

/** What an agent holds once it is connected. */
export type AgentConnection = Connection<MasterMessage>

export interface DialOptions {
  master: MasterAddress
  join: JoinRequest
  /** `ca`, `servername`, `checkServerIdentity`, `cert`, `key`, …; TLS 1.2 is the least unless it says more. */
  tls?: TlsOptions
  /** For proxies. */
  agent?: Agent
  clock: Clock
  signal?: AbortSignal
  /** Milliseconds. */
  timeout?: number
  onMessage: (message: AgentMessage, connection: AgentConnection) => void
  onEnd: (end: ConnectionEnd) => void
}

/**
 * Connects once. Throws a ProvisionError: AGENT_REFUSED when a master answered (its words are in `details.message`, the
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
  })
  // A late error, after the outcome is known, must not become an uncaught one.
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

function outcome(socket: WebSocket, options: DialOptions): Promise<AgentConnection> {
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => reject(dialFailed(options.master, error)))
    socket.once('unexpected-response', (_request, response) => {
      const connection = response.socket
      readRefusal(response, (message) => {
        reject(refused(options.master, response.statusCode ?? 0, message))
        // Go and every proxy keep the connection of an answer that has ended, where destroying the request does nothing.
        socket.terminate()
        connection.destroy()
      })
    })
    // In the same turn as the event: the first frame may already be in the socket.
    socket.once('open', () => {
      resolve(
        openConnection<AgentMessage, MasterMessage>(socket, {
          clock: options.clock,
          decode: decodeAgentMessage,
          encode: encodeMasterMessage,
          onMessage: options.onMessage,
          onEnd: options.onEnd,
        }),
      )
    })
  })
}

/** At most 16 KiB of the answer; its `message` when it is JSON, else the text. Cut off after 5 s. */
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
  // What ends it too early is an error, and a `close` where nobody listens for one.
  response.on('error', finish)
  response.on('close', finish)
}

function messageOf(body: string): string {
  try {
    const { message } = JSON.parse(body) as { message?: unknown }
    if (typeof message === 'string') return message
  } catch {
    // Not a master's JSON: a proxy's page, perhaps. The text says more than a parse error.
  }
  return body.trim().slice(0, 300)
}

function refused(master: MasterAddress, status: number, message: string): ProvisionError {
  const words = message || 'no reason given'
  return new ProvisionError(
    problem(
      'AGENT_REFUSED',
      `${master.host}:${master.port} refused the agent with status ${status}: ${words}`,
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

/** Node 24 adds advice about its own flags to TLS messages, and an AggregateError has no message at all. */
function reasonOf(error: Error & { errors?: Error[] }): string {
  const text = error.message || error.errors?.map((e) => e.message).join('; ') || error.name
  return text.split('; if the root CA')[0]!
}

// The address agents dial, and what its query says. Everything is escaped: the origin forgot that, so a pool named
// "a&b" or an IPv6 master could never be joined.

export interface JoinRequest {
  id: string
  version: string
  /** '' asks for the pool `default`. */
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

/** Texts Go's strconv.ParseBool takes. */
const bools = new Map([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text) => [text, false] as const),
])

export type ParsedJoin = { ok: true; join: JoinRequest } | { ok: false; message: string }

/** Longest id, pool or name that is looked at; cloud ids are below 64. */
const longest = 256

/**
 * Reads the request target of `GET /agents`. The messages are the origin's (master/internal/rm/agentrm/agents.go), which
 * agents print.
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
  // They become lines of logs, tables and terminals. A pool is one of the configuration, or the agent is refused.
  const unprintable = (['id', 'version', 'hostname'] as const).find((name) => notPrintable.test(join[name]))
  if (unprintable) return { ok: false, message: `agent ${unprintable} holds control characters` }
  return { ok: true, join }
}

/** Controls (C0, C1), marks that turn the direction of text, other invisible ones, line breaks, half pairs. */
const notPrintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u
const eachNotPrintable = new RegExp(notPrintable.source, 'gu')

/** What a stranger has said, for a log: printable, and no longer than `most` characters. */
export function shownText(text: string | null, most = 64): string {
  const printable = (text ?? '').slice(0, 4 * most).replace(eachNotPrintable, '?')
  return printable.length > most ? `${printable.slice(0, most)}…` : printable
}
