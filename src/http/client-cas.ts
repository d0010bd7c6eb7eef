// Client certificates: the named CAs whose certificates a listener asks for, and which of them signed that of a client.
// What a certificate permits follows from the CA that signed it, never from the fact that some CA did.

import type { X509Certificate } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Server, TLSSocket } from 'node:tls'
import {
  authoritiesIn,
  type ClientAuthorities,
  isSignedByOneOf,
  isValidAt,
  presentedBy,
} from '../pki/index.ts'
import { type Problem, problem } from '../problems/index.ts'

/**
 * `admin`: listen.client_ca, the only one that grants the rights of the API. `agents`: the CA of the provisioner, whose
 * certificates identify instances. `master`: resource_manager.client_ca, for agents with certificates of their owner.
 */
export type ClientCaName = 'admin' | 'agents' | 'master'

/** PEM with the certificates of each CA. */
export type ClientCaTexts = Readonly<Partial<Record<ClientCaName, string>>>

export interface ClientCertificate {
  /** The client's own. */
  certificate: X509Certificate
  /** Not empty. A certificate has several if they list the same CA. */
  signers: ReadonlySet<ClientCaName>
}

/** The CAs of one listener. */
export interface ClientCas {
  /** All certificates, as PEM: what the TLS library verifies with, and names to clients. */
  certificates(): string[]
  /** Replaces the named CAs; those not named stay. A text without a certificate changes nothing. */
  use(change: ClientCaTexts): Problem | undefined
  /** Watches the connections of this server, so that `clientCertificateOf` knows them. Call it before it listens. */
  watch(server: Server): void
}

type Authorities = ReadonlyMap<ClientCaName, ClientAuthorities>

interface Peer {
  socket: TLSSocket
  presented: X509Certificate[]
  /** With which OpenSSL verified it. */
  atHandshake: Authorities
  current: () => Authorities
  now: () => number
}

/** The connections of all listeners on which a client has presented a certificate. */
const peers = new WeakMap<object, Peer>()

/** @param now milliseconds since the epoch */
export function createClientCas(now: () => number): ClientCas {
  let authorities: Authorities = new Map()
  return {
    certificates() {
      const all = [...authorities.values()].flatMap(({ certificates }) => certificates)
      return [...new Set(all.map((one) => one.toString()))]
    },
    use(change) {
      const next = new Map(authorities)
      for (const [name, pem] of Object.entries(change)) next.set(name as ClientCaName, authoritiesIn(pem))
      const empty = [...next].find(([, { certificates }]) => certificates.length === 0)
      if (empty) return problem('CLIENT_CA_EMPTY', `${whose[empty[0]]} contains no certificate`)
      authorities = next
    },
    watch(server) {
      server.on('secureConnection', (socket: TLSSocket) => {
        const presented = presentedBy(socket)
        const common = { socket, presented, atHandshake: authorities, now }
        if (presented.length > 0) peers.set(socket, { ...common, current: () => authorities })
      })
    },
  }
}

const whose: Record<ClientCaName, string> = {
  admin: 'listen.client_ca',
  agents: "the agents' CA",
  master: 'resource_manager.client_ca',
}

/**
 * The certificate of the client that sent this request, if a CA of the listener signed it: verified against the list that each
 * CA has now, and with the dates of now, also on a connection that is older. OpenSSL's verdict alone (`authorized`) is not
 * enough: it does not name the CA, it stays as it was at the handshake, and it has also been positive for a resumed session
 * without any certificate.
 */
export function clientCertificateOf({
  socket,
}: Pick<IncomingMessage, 'socket'>): ClientCertificate | undefined {
  const peer = peers.get(socket)
  if (!peer?.socket.authorized) return undefined
  const { presented, current, now } = peer
  const signed = [...current()].filter(([, list]) => isSignedByOneOf(list.certificates, presented, now()))
  const signers = signed.length > 0 ? signed.map(([name]) => name) : signerByExclusion(peer)
  return signers.length > 0 ? { certificate: presented[0]!, signers: new Set(signers) } : undefined
}

/**
 * Where Node has lost the CAs that the client sent, none of the lists leads to the client's certificate. OpenSSL has verified
 * it with them, so it is below the one CA that can have further CAs below it. If several can, the CAs in between must be
 * listed.
 */
function signerByExclusion({ presented, atHandshake, current, now }: Peer): ClientCaName[] {
  if (presented.length > 1 || current() !== atHandshake || !isValidAt(presented[0]!, now())) return []
  const possible = [...atHandshake].filter(([, { haveNoCaBelow }]) => !haveNoCaBelow).map(([name]) => name)
  return possible.length === 1 ? possible : []
}

/**
 * Whether the client's certificate grants the rights of the API. That of an instance never does, even where the agents' CA,
 * or the CA above it, is listed in listen.client_ca.
 */
export function isAdmin(request: Pick<IncomingMessage, 'socket'>): boolean {
  const shown = clientCertificateOf(request)
  if (!shown?.signers.has('admin') || shown.signers.has('agents')) return false
  // Of an agents' CA that is no longer in use.
  return !shown.certificate.subjectAltName?.includes('URI:provision:instance:')
}
