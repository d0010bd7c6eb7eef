// GET /agents: the endpoint of the agent socket, with all its answers to agents (Determined: agentrm/agents.go).

import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import {
  type ClientCertificate,
  clientCertificateOf,
  pathOf,
  refuseUpgrade,
  sendJson,
} from '../../http/index.ts'
import { probeId, proofProbeId } from '../../pki/index.ts'
import type { Clock, Handler, UpgradeHandler } from '../../platform/index.ts'
import { createAcceptor, foreignOrigin } from '../protocol/accept.ts'
import { type JoinRequest, parseJoin, shownText } from '../protocol/dial.ts'
import type { AgentLink, Refusal, RefusedJoin } from './agent.ts'
import type { Registry } from './agents.ts'
import { createHeldDials, isUndecided } from './held-dials.ts'
import { type ClaimedIdentity, type JoinProofRules, probeRefusal, proofRefusal } from './join-proof.ts'

export interface AgentSocketOptions {
  registry: Registry
  clock: Clock
  /** Agents must present a certificate of resource_manager.client_ca, or that of their instance. */
  requireAuthentication: boolean
  /** Undefined: no pool requires the certificates of instances. */
  joinProof?: JoinProofRules
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
    // The preflight and `check` dial without joining; that is not reported.
    if (!probeIds.has(query.get('id')) || query.has('reconnect'))
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

  function unprovenIn(join: JoinRequest, shown: ClientCertificate | undefined): Refusal | undefined {
    if (!options.joinProof) return undefined
    const { id, resourcePool } = join
    const known = registry.get(id)
    const pools = [...new Set(known ? [resourcePool, known.pool] : [resourcePool])]
    return proofRefusal({ id, pools, shown }, options.joinProof)
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
      const shown = clientCertificateOf(request)
      const isMember = shown?.signers.has('master') || shown?.signers.has('agents')
      if (options.requireAuthentication && !isMember)
        return refuse(request, socket, {
          kind: 'no certificate',
          status: 403,
          message: 'forbidden: this master accepts only agents with a client certificate of its client_ca',
        })
      if (foreignOrigin(request))
        return refuse(request, socket, { kind: 'a page', status: 403, message: 'request origin not allowed' })
      const parsed = parseJoin(request.url ?? '')
      if (!parsed.ok) {
        const unproven = options.joinProof && probeRefusal(probedIn(request, shown), options.joinProof)
        const malformed = { kind: 'malformed', status: 500, message: parsed.message } as const
        return refuse(request, socket, unproven ?? malformed)
      }
      const { join } = parsed
      // A held dial is judged many times, its certificate once.
      const judge = () => unprovenIn(join, shown) ?? registry.refuse(join)
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

const probeIds: ReadonlySet<string | null> = new Set([probeId, proofProbeId])

/** Only a dial that names its pool is judged: the preflight names none. */
function probedIn(request: IncomingMessage, shown: ClientCertificate | undefined): ClaimedIdentity {
  const query = new URL(request.url ?? '/', 'http://x').searchParams
  const pool = query.get('resource_pool')
  const pools = pool === null ? [] : [pool || 'default']
  return { id: query.get('id') ?? '', pools, shown }
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
