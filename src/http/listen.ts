// A listener: TLS or plain, bounded in every direction, with a certificate that can be replaced while it serves.
import { createServer as createPlainServer, type Server } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Handler, Logger, UpgradeHandler } from '../platform/ports.ts'
import type { Problem } from '../problems/problem.ts'
import { ProvisionError } from '../problems/problem.ts'
import { dispatch, dispatchUpgrade } from './dispatch.ts'
import { type HandshakeFailure, handshakeFailure } from './handshake-failure.ts'
import { defaultLimits, type ServerLimits } from './limits.ts'
import { listenProblem } from './listen-problem.ts'
import { type CertificatePair, contextOptions, type ServerTls, unusablePair } from './tls-context.ts'

export interface ListenOptions {
  /** An IP address or name of this machine; '' is every address, IPv6 too where there is any. */
  address: string
  /** 0 takes any free port. */
  port: number
  /** undefined: plain HTTP. */
  tls?: ServerTls
  handlers: Handler[]
  upgrades?: UpgradeHandler[]
  logger: Logger
  limits?: Partial<ServerLimits>
  /** Called for each client that did not get through the TLS handshake. */
  onHandshakeFailure?: (failure: HandshakeFailure & { remoteAddress?: string }) => void
}

export interface Listener {
  readonly address: string
  readonly port: number
  readonly secure: boolean
  /** Serves new connections with this pair; open ones stay. A pair that cannot be used changes nothing. */
  useCertificate(pair: CertificatePair): Problem | undefined
  /** Takes no more connections, lets requests under way end for `grace` milliseconds, then cuts what is left. */
  close(grace?: number): Promise<void>
}

/** Resolves when it listens. Throws a ProvisionError: LISTEN_… when the port cannot be had, CERTIFICATE_NOT_SERVED. */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { handlers, upgrades = [], logger } = options
  let tls = options.tls
  const unusable = tls && unusablePair(tls)
  if (unusable) throw new ProvisionError(unusable)
  const server = serverFor(options)
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('request', (request, response) => void dispatch(handlers, logger, request, response))
  server.on('upgrade', (request, socket, head) => dispatchUpgrade(upgrades, logger, request, socket, head))
  server.on('clientError', answerClientError)
  await started(server, options)
  // After start-up a listening socket fails only for want of file descriptors; it goes on when there are some again.
  server.on('error', (error) => logger.error('the listener failed', { error }))
  const { address, port } = server.address() as AddressInfo

  return {
    address,
    port,
    secure: tls !== undefined,
    useCertificate(pair) {
      if (!tls) return undefined
      const next = { ...tls, cert: pair.cert, key: pair.key }
      const problem = unusablePair(next)
      if (problem) return problem
      ;(server as TlsServer).setSecureContext(contextOptions(next))
      tls = next
    },
    async close(grace = 5000) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      const cut = setTimeout(() => {
        for (const socket of sockets) socket.destroy()
      }, grace)
      await closed
      clearTimeout(cut)
    },
  }
}

function serverFor({ tls, limits: given, onHandshakeFailure }: ListenOptions): Server | TlsServer {
  const limits = { ...defaultLimits, ...given }
  const common = {
    headersTimeout: limits.headers,
    requestTimeout: limits.request,
    keepAliveTimeout: limits.keepAlive,
    maxHeaderSize: limits.headerSize,
    connectionsCheckingInterval: Math.min(limits.headers, 5000),
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
    noDelay: true,
  }
  const server = tls
    ? createTlsServer({
        ...common,
        ...contextOptions(tls),
        handshakeTimeout: limits.handshake,
        requestCert: tls.clientCa !== undefined,
        rejectUnauthorized: false,
      })
    : createPlainServer(common)
  server.maxConnections = limits.connections
  server.setTimeout(limits.idle)
  // Asked for now, because a socket that has been destroyed no longer knows.
  server.on('connection', (socket: Socket) => socket.remoteAddress)
  server.on('tlsClientError', (error: Error, socket: TLSSocket & { _parent?: Socket }) => {
    // Node leaves a socket open whose handshake timed out.
    socket.destroy()
    onHandshakeFailure?.({ ...handshakeFailure(error), remoteAddress: socket._parent?.remoteAddress })
  })
  return server
}

function started(server: Server | TlsServer, { address, port }: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new ProvisionError(listenProblem(error, address, port))))
    server.listen({ host: address || undefined, port }, () => {
      server.removeAllListeners('error')
      resolve()
    })
  })
}

const statusOfError: Record<string, string> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

/** Failed handshakes come here, too: only what the HTTP parser found can be answered. */
function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  const status = statusOfError[error.code ?? ''] ?? (error.code?.startsWith('HPE_') && '400 Bad Request')
  if (!status || !socket.writable) socket.destroy()
  else
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy())
}
