// The master's side: turns an upgrade request into a connection, or refuses it with the JSON answer agents understand.
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

/** What a master holds of each agent. */
export type MasterConnection = Connection<AgentMessage>

export interface AcceptHandlers {
  onMessage: (message: MasterMessage, connection: MasterConnection) => void
  onEnd: (end: ConnectionEnd) => void
}

export interface Acceptor {
  /** Shakes hands. `opened` is called in the same turn as the 101 answer; not at all when the request is no WebSocket's. */
  accept(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    opened: (open: (handlers: AcceptHandlers) => MasterConnection) => void,
  ): void
}

export interface AcceptorOptions {
  clock: Clock
  /** Bytes. */
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

/** A browser names the page it runs for; only pages of this very host may talk (gorilla's default upgrader). */
export function foreignOrigin(request: IncomingMessage): boolean {
  const { origin, host } = request.headers
  if (origin === undefined) return false
  try {
    return new URL(origin).host.toLowerCase() !== host?.toLowerCase()
  } catch {
    return true
  }
}

// How our own master and agents know each other: only they run commands; for any other agent work is bookkeeping.

const mark = '+provision'

/** The version our agent announces: semantic versioning's build metadata, which no comparison looks at. */
export function ownAgentVersion(version: string): string {
  return version + mark
}

export function runsCommands(announcedVersion: string): boolean {
  return announcedVersion.endsWith(mark)
}
