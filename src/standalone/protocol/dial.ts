// The agent's side: dials a master's agent socket and hands back an open connection, or why there is none.
import type { Agent, IncomingMessage } from 'node:http'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { WebSocket } from 'ws'
import type { MasterAddress } from '../../pki/master-address.ts'
import type { Clock } from '../../platform/ports.ts'
import { ProvisionError, problem } from '../../problems/problem.ts'
import { type AgentMessage, decodeAgentMessage } from './agent-message.ts'
import { agentsUrl, type JoinRequest } from './agents-url.ts'
import { type Connection, type ConnectionEnd, openConnection } from './connection.ts'
import { dialTimeout, largestAgentFrame, socketOptions } from './limits.ts'
import { encodeMasterMessage, type MasterMessage } from './messages.ts'

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
    socket.once('unexpected-response', (request, response) => {
      readRefusal(response, (message) => {
        reject(refused(options.master, response.statusCode ?? 0, message))
        request.destroy()
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
  response.on('error', finish)
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
