// The master's side: turns an upgrade request into a connection, or rejects it with the JSON response agents understand.
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { refuseUpgrade } from '../../http/index.ts'
import type { Clock } from '../../platform/index.ts'
import {
  agentFlow,
  type Connection,
  type ConnectionEnd,
  largestMasterFrame,
  openConnection,
  socketOptions,
} from './connection.ts'
import { type AgentMessage, decodeMasterMessage, encodeAgentMessage, type MasterMessage } from './messages.ts'

/** The master's end of an agent's connection. */
export type MasterConnection = Connection<AgentMessage>

export interface AcceptHandlers {
  onMessage: (message: MasterMessage, connection: MasterConnection) => void
  onEnd: (end: ConnectionEnd) => void
}

export interface Acceptor {
  /** Completes the handshake. Calls `opened` in the same event-loop turn as the 101 response; never for a request that is not WebSocket. */
  accept(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    opened: (open: (handlers: AcceptHandlers) => MasterConnection) => void,
  ): void
}

export interface AcceptorOptions {
  clock: Clock
  /** In bytes. */
  largestFrame?: number
  mostUnread?: number
}

export function createAcceptor({ clock, largestFrame, mostUnread }: AcceptorOptions): Acceptor {
  const server = new WebSocketServer({
    ...socketOptions,
    noServer: true,
    clientTracking: false,
    maxPayload: largestFrame ?? largestMasterFrame,
  })
  server.on('wsClientError', (error, socket) => refuseUpgrade(socket, 400, error.message))

  return {
    accept(request, socket, head, opened) {
      server.handleUpgrade(request, socket, head, (webSocket: WebSocket) => {
        opened((handlers) =>
          openConnection<MasterMessage, AgentMessage>(webSocket, {
            clock,
            decode: decodeMasterMessage,
            encode: encodeAgentMessage,
            mostUnread,
            flow: agentFlow,
            ...handlers,
          }),
        )
      })
    },
  }
}

/** A browser sends the page's origin; only pages of this host may connect (gorilla's default upgrader). */
export function foreignOrigin(request: IncomingMessage): boolean {
  const { origin, host } = request.headers
  if (origin === undefined) return false
  try {
    return new URL(origin).host.toLowerCase() !== host?.toLowerCase()
  } catch {
    return true
  }
}

// How the built-in master recognizes the built-in agent: only that one runs commands. On other agents, jobs only use slots.

const mark = '+provision'

/** The version that the built-in agent reports, with semver build metadata, which comparisons ignore. */
export function ownAgentVersion(version: string): string {
  return version + mark
}

export function runsCommands(announcedVersion: string): boolean {
  return announcedVersion.endsWith(mark)
}
