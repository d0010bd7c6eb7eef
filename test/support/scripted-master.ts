// A master controlled by a test, with the real protocol.
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TlsOptions } from 'node:tls'
import { refuseUpgrade } from '../../src/http/router.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { createAcceptor, type MasterConnection } from '../../src/standalone/protocol/accept.ts'
import { type JoinRequest, parseJoin } from '../../src/standalone/protocol/dial.ts'
import type { AgentMessage, MasterMessage } from '../../src/standalone/protocol/messages.ts'

export interface Visit {
  join: JoinRequest
  connection: MasterConnection
  heard: MasterMessage[]
}

export interface ScriptedMaster {
  port: number
  /** Every connection, oldest first. */
  visits: Visit[]
  /** Called for each new connection; by default it sends the options. */
  greet: (visit: Visit) => void
  /** If set, agents are rejected with this message, and with status 500 unless `refusalStatus` is another. */
  refusal?: string
  refusalStatus?: number
  /** Number of rejections. */
  refusals: number
  close(): Promise<void>
}

export const options: Partial<AgentMessage> = {
  MasterSetAgentOptions: {
    MasterInfo: {
      version: '0.38.1',
      master_id: 'm',
      cluster_id: 'c',
      cluster_name: 'scripted',
      telemetry: { enabled: false, otel_enabled: false, otel_endpoint: '' },
    },
    LoggingOptions: { type: 'default' },
    ContainersToReattach: [],
  },
}

export async function scriptedMaster(tls?: TlsOptions): Promise<ScriptedMaster> {
  const server = tls ? createTlsServer(tls) : createServer()
  const acceptor = createAcceptor({ clock: systemClock })
  // As a master answers on every other path.
  server.on('request', (_, response) => response.writeHead(404).end())
  server.on('upgrade', (request, socket, head) => {
    if (master.refusal) {
      master.refusals++
      return refuseUpgrade(socket, master.refusalStatus ?? 500, master.refusal)
    }
    const parsed = parseJoin(request.url ?? '')
    if (!parsed.ok) return refuseUpgrade(socket, 500, parsed.message)
    acceptor.accept(request, socket, head, (open) => {
      const heard: MasterMessage[] = []
      const connection = open({ onMessage: (message) => heard.push(message), onEnd: () => {} })
      const visit = { join: parsed.join, connection, heard }
      master.visits.push(visit)
      master.greet(visit)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const master: ScriptedMaster = {
    port: (server.address() as AddressInfo).port,
    visits: [],
    refusals: 0,
    greet: ({ connection }) => connection.send(options),
    async close() {
      for (const { connection } of master.visits) connection.terminate()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return master
}
