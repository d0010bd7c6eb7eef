// GET /agents: the endpoint of the agent socket, with all its answers to agents (Determined: agentrm/agents.go).

import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { pathOf, refuseUpgrade, sendJson } from '../../http/index.ts'
import { probeId } from '../../pki/index.ts'
import type { Clock, Handler, UpgradeHandler } from '../../platform/index.ts'
import { createAcceptor, foreignOrigin } from '../protocol/accept.ts'
import { parseJoin, shownText } from '../protocol/dial.ts'
import type { AgentLink, Refusal, RefusedJoin } from './agent.ts'
import type { Registry } from './agents.ts'
import { createHeldDials, isUndecided } from './held-dials.ts'

export interface AgentSocketOptions {
  registry: Registry
  clock: Clock
  /** Agents must present a certificate of the master's client CA. */
  requireAuthentication: boolean
  onRefused: (refused: RefusedJoin) => void
  /** Milliseconds a dial is held while the answer is not known yet. */
  longestHold?: number
}

export interface AgentSocket {
  handler: Handler
  upgrade: UpgradeHandler
  /** Answers the dials that are still held. */
  close(): void
}

export function agentSocket(options: AgentSocketOptions): AgentSocket {
  const { registry, clock } = options
  const acceptor = createAcceptor({ clock })
  const held = createHeldDials({ clock, longest: options.longestHold })

  function refuse(request: IncomingMessage, socket: Duplex, refusal: Refusal): true {
    const { kind, status, message, retryAfter } = refusal
    const query = new URL(request.url ?? '/', 'http://x').searchParams
    // The preflight dials every minute without joining; it is not reported.
    if (query.get('id') !== probeId || query.has('reconnect'))
      options.onRefused({
        at: clock.now(),
        address: addressOf(request),
        id: shownText(query.get('id')),
        pool: shownText(query.get('resource_pool')) || 'default',
        kind,
        status,
        message: shownText(message, 512),
      })
    refuseUpgrade(socket, status, message, retryAfter)
    return true
  }

  return {
    handler(request, response) {
      if (pathOf(request) !== '/agents') return false
      return sendJson(response, 400, {
        message: 'this is the agent socket: only WebSocket upgrades are supported',
      })
    },

    upgrade(request, socket, head) {
      if (pathOf(request) !== '/agents') return false
      if (options.requireAuthentication && !showsCertificate(request))
        return refuse(request, socket, {
          kind: 'no certificate',
          status: 403,
          message: 'forbidden: this master accepts only agents with a client certificate of its client_ca',
        })
      if (foreignOrigin(request))
        return refuse(request, socket, { kind: 'a page', status: 403, message: 'request origin not allowed' })
      const parsed = parseJoin(request.url ?? '')
      if (!parsed.ok)
        return refuse(request, socket, { kind: 'malformed', status: 500, message: parsed.message })
      const { join } = parsed
      const judge = () => registry.refuse(join)
      const answer = (refused: Refusal | undefined) => {
        if (refused) refuse(request, socket, refused)
        else acceptor.accept(request, socket, head, (open) => registry.attach(join, linkOf(request), open))
      }
      const refused = judge()
      const dial = { socket: request.socket, address: addressOf(request), judge, answer }
      if (!isUndecided(refused) || !held.hold(dial)) answer(refused)
      return true
    },

    close: held.close,
  }
}

/** Verified against the client CA. Plain-text connections have no certificate and are rejected; Determined's master accepts them. */
function showsCertificate({ socket }: IncomingMessage): boolean {
  return socket instanceof TLSSocket && socket.authorized && socket.getPeerX509Certificate() !== undefined
}

function linkOf(request: IncomingMessage): AgentLink {
  const { socket } = request
  const address = addressOf(request)
  if (!(socket instanceof TLSSocket)) return { address }
  const { servername } = socket as { servername?: string | false | null }
  // OpenSSL accepts any bytes as a name. DNS names have at most 253 characters.
  const serverName = servername ? shownText(servername, 253) : undefined
  return {
    address,
    tls: { version: socket.getProtocol() ?? '', cipher: socket.getCipher().standardName, serverName },
  }
}

function addressOf(request: IncomingMessage): string {
  return (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '')
}
