// Masters for tests, right and wrong, on loopback, and the trust plans of their agents.
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import net, { type AddressInfo, type Socket } from 'node:net'
import tls from 'node:tls'
import { presentedFacts } from '../../src/pki/presented.ts'
import type { CertificateRole, TrustPlan } from '../../src/pki/trust-plan.ts'

/** Port of a service that has been obsolete for decades (RFC 1078). */
const tcpmux = 1

export const infoBody = JSON.stringify({
  version: '0.38.1',
  master_id: 'm',
  cluster_id: 'c-1',
  cluster_name: 'dev',
})

/** The answer of a Determined master to the upgrade of an agent that does not report whether it reconnects. */
const noReconnect = { status: 500, body: '{"message":"parsing reconnect query param: invalid syntax"}' }

/** Answers `GET /info` like a master, and the upgrade of an agent, on every given socket. */
export function answerInfo(
  body = infoBody,
  status = 200,
  upgrade: { status: number; body: string; headers?: http.OutgoingHttpHeaders } = noReconnect,
): (socket: Socket) => void {
  const server = http.createServer((request, response) => {
    const isUpgrade = request.headers.upgrade === 'websocket' && request.url?.startsWith('/agents?')
    if (isUpgrade) response.writeHead(upgrade.status, upgrade.headers).end(upgrade.body)
    else
      response
        .writeHead(request.url === '/info' ? status : 404, { 'content-type': 'application/json' })
        .end(body)
  })
  return (socket) => {
    server.emit('connection', socket)
  }
}

/** Servers that are closed with all sockets at the end of a test. */
export class Masters {
  #open: { server: net.Server; sockets: Set<Socket> }[] = []

  /** A master with TLS; returns its port. */
  secure(options: tls.TlsOptions, serve = answerInfo()): Promise<number> {
    const server = tls.createServer(options, serve)
    server.on('tlsClientError', () => {})
    return this.#listen(server)
  }

  /** A TCP server; returns its port. */
  tcp(serve: (socket: Socket) => void): Promise<number> {
    return this.#listen(net.createServer(serve))
  }

  /** A port on which nothing listens. Not one that was free a moment ago, which another test may now use. */
  async closedPort(): Promise<number> {
    return tcpmux
  }

  async close(): Promise<void> {
    for (const { server, sockets } of this.#open.splice(0)) {
      server.close()
      for (const socket of sockets) socket.destroy()
    }
  }

  async #listen(server: net.Server): Promise<number> {
    const sockets = new Set<Socket>()
    server.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    })
    this.#open.push({ server, sockets })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return (server.address() as AddressInfo).port
  }
}

/** A plan that embeds these certificates, in this order. */
export function embed(certificateName: string, ...chain: [role: CertificateRole, pem: string][]): TrustPlan {
  return plan('embed', certificateName, chain)
}

export function plan(
  mode: TrustPlan['mode'],
  certificateName: string,
  chain: [role: CertificateRole, pem: string][] = [],
): TrustPlan {
  return {
    mode,
    modeReason: 'a test',
    certificateName,
    certificateNameReason: 'a test',
    chain: chain.map(([role, pem]) => ({ role, pem, ...presentedFacts(new X509Certificate(pem)) })),
  }
}

/** An event that a test waits for. */
export function latch(): { open: () => void; opened: Promise<void> } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}
