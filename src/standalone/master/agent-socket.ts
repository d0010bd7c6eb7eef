// GET /agents: the endpoint of the agent socket, with every answer an agent can get there (Determined: agentrm/agents.go).

import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { pathOf, refuseUpgrade, sendJson } from '../../http/index.ts'
import { probeId } from '../../pki/index.ts'
import type { Clock, Handler, UpgradeHandler } from '../../platform/index.ts'
import { createAcceptor, foreignOrigin } from '../protocol/accept.ts'
import { parseJoin } from '../protocol/dial.ts'
import type { AgentLink, Refusal, RefusedJoin } from './agent.ts'
import type { Registry } from './agents.ts'

export interface AgentSocketOptions {
  registry: Registry
  clock: Clock
  /** Agents must show a certificate of the master's client CA. */
  requireAuthentication: boolean
  onRefused: (refused: RefusedJoin) => void
}

export function agentSocket(options: AgentSocketOptions): { handler: Handler; upgrade: UpgradeHandler } {
  const { registry, clock } = options
  const acceptor = createAcceptor({ clock })

  function refuse(request: IncomingMessage, socket: Duplex, refusal: Refusal): true {
    const { status, message, retryAfter } = refusal
    const query = new URL(request.url ?? '/', 'http://x').searchParams
    // The preflight asks every minute, and joins nothing.
    if (query.get('id') !== probeId || query.has('reconnect'))
      options.onRefused({
        at: clock.now(),
        address: addressOf(request),
        id: printable(query.get('id')),
        pool: printable(query.get('resource_pool')) || 'default',
        status,
        message,
      })
    refuseUpgrade(socket, status, message, retryAfter)
    return true
  }

  return {
    handler(request, response) {
      if (pathOf(request) !== '/agents') return false
      return sendJson(response, 400, {
        message: 'this is the agent socket: it takes WebSocket upgrades only',
      })
    },

    upgrade(request, socket, head) {
      if (pathOf(request) !== '/agents') return false
      if (options.requireAuthentication && !showsCertificate(request))
        return refuse(request, socket, {
          status: 403,
          message: 'Forbidden: this master takes agents with a client certificate of its client_ca only',
        })
      if (foreignOrigin(request))
        return refuse(request, socket, { status: 403, message: 'request origin not allowed' })
      const parsed = parseJoin(request.url ?? '')
      if (!parsed.ok) return refuse(request, socket, { status: 500, message: parsed.message })
      const refused = registry.refuse(parsed.join)
      if (refused) return refuse(request, socket, refused)
      acceptor.accept(request, socket, head, (open) => registry.attach(parsed.join, linkOf(request), open))
      return true
    },
  }
}

/** Verified against the client CA. Over plain text there is nothing to show: refused, where the origin looks away. */
function showsCertificate({ socket }: IncomingMessage): boolean {
  return socket instanceof TLSSocket && socket.authorized && socket.getPeerX509Certificate() !== undefined
}

function linkOf(request: IncomingMessage): AgentLink {
  const { socket } = request
  const address = addressOf(request)
  if (!(socket instanceof TLSSocket)) return { address }
  const serverName = (socket as { servername?: string | false | null }).servername || undefined
  return {
    address,
    tls: { version: socket.getProtocol() ?? '', cipher: socket.getCipher().standardName, serverName },
  }
}

function addressOf(request: IncomingMessage): string {
  return (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '')
}

function printable(text: string | null): string {
  return (text ?? '').replace(/[^\x20-\x7e\u00a0-\uffff]/g, '?').slice(0, 256)
}
