// A listener: TLS or plain, bounded in every direction, with a certificate that can be replaced while it serves.

import { constants } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs'
import { createServer as createPlainServer, type Server } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { dirname, join } from 'node:path'
import type { Duplex } from 'node:stream'
import { createSecureContext, type SecureContextOptions, type TLSSocket } from 'node:tls'
import type { Handler, Logger, UpgradeHandler } from '../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../problems/index.ts'
import { type ClientCas, type ClientCaTexts, createClientCas } from './client-cas.ts'
import { dispatch, dispatchUpgrade } from './router.ts'

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
  /** Called for each failed TLS handshake. */
  onHandshakeFailure?: (failure: HandshakeFailure & { remoteAddress?: string }) => void
  /** Milliseconds since the epoch, for the dates of client certificates; default: this machine's clock. */
  now?: () => number
}

export interface Listener {
  readonly address: string
  readonly port: number
  readonly secure: boolean
  /** Uses this certificate and key for new connections; open ones stay. An unusable pair changes nothing. */
  useCertificate(pair: CertificatePair): Problem | undefined
  /**
   * Verifies clients with these CAs from now on; those not named stay. On open connections certificates of removed CAs no
   * longer count. A text without a certificate changes nothing, nor does a listener that asks for no client certificates.
   */
  useClientCas(change: ClientCaTexts): Problem | undefined
  /** Accepts no more connections, gives running requests `grace` milliseconds, then closes what is left. */
  close(grace?: number): Promise<void>
}

/**
 * Resolves when it listens. Throws a ProvisionError: LISTEN_… when it cannot listen on the port, CERTIFICATE_NOT_SERVED,
 * CLIENT_CA_EMPTY.
 */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { handlers, upgrades = [], logger, now = Date.now } = options
  let tls = options.tls
  const clientCas = tls?.clientCas && createClientCas(now)
  const unusable = (tls && unusablePair(tls)) ?? clientCas?.use(tls!.clientCas!)
  if (unusable) throw new ProvisionError(unusable)
  const server = serverFor(options, clientCas)
  const close = closing(server)
  server.on('request', (request, response) => void dispatch(handlers, logger, request, response))
  server.on('upgrade', (request, socket, head) => dispatchUpgrade(upgrades, logger, request, socket, head))
  server.on('clientError', answerClientError)
  await started(server, options)
  // After start-up a listening socket fails only when file descriptors run out; it resumes when some are free.
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
      ;(server as TlsServer).setSecureContext(contextOptions(next, clientCas))
      tls = next
    },
    useClientCas(change) {
      if (!tls || !clientCas) return undefined
      const problem = clientCas.use(change)
      if (!problem) (server as TlsServer).setSecureContext(contextOptions(tls, clientCas))
      return problem
    },
    close: (grace = 5000) => close(grace),
  }
}

function serverFor(
  { tls, limits: given, onHandshakeFailure }: ListenOptions,
  clientCas: ClientCas | undefined,
): Server | TlsServer {
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
        ...contextOptions(tls, clientCas),
        handshakeTimeout: limits.handshake,
        requestCert: clientCas !== undefined,
        rejectUnauthorized: false,
      })
    : createPlainServer(common)
  clientCas?.watch(server as TlsServer)
  server.maxConnections = limits.connections
  server.setTimeout(limits.idle)
  // Read now, because a destroyed socket no longer has it.
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

/** Returns the function that stops the server: open connections get `grace` milliseconds. Call it before the server listens. */
function closing(server: Server | TlsServer): (grace: number) => Promise<void> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  return async (grace) => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    const cut = setTimeout(() => {
      for (const socket of sockets) socket.destroy()
    }, grace)
    await closed
    clearTimeout(cut)
  }
}

const statusOfError: Record<string, string> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

/** Failed handshakes end here, too: only errors of the HTTP parser can be answered. */
function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  const status = statusOfError[error.code ?? ''] ?? (error.code?.startsWith('HPE_') && '400 Bad Request')
  if (!status || !socket.writable) socket.destroy()
  else
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy())
}

/** Limits for each client. Times in milliseconds, sizes in bytes. */
export interface ServerLimits {
  /** Sockets at once; more are closed at once. */
  connections: number
  /** From the first byte of TCP to the end of the TLS handshake. */
  handshake: number
  /** Until the last header has arrived; also the timeout of a silent connection. */
  headers: number
  /** Until the last byte of the body has arrived. */
  request: number
  /** Between two requests on one connection. */
  keepAlive: number
  /** Without a byte in either direction while a request is answered. */
  idle: number
  headerSize: number
}

export const defaultLimits: ServerLimits = {
  connections: 20_000,
  handshake: 10_000,
  headers: 10_000,
  request: 30_000,
  keepAlive: 15_000,
  idle: 60_000,
  headerSize: 16_384,
}

/** A certificate chain, leaf first, and its private key, both PEM. */
export interface CertificatePair {
  cert: string
  key: string
}

export interface ServerTls extends CertificatePair {
  /** When set, clients are asked for a certificate of these CAs; each handler decides whether one is required. */
  clientCas?: ClientCaTexts
}

/**
 * TLS 1.2 is the minimum (Determined: master/internal/core.go). Renegotiation is off: none of our clients uses it, and it
 * lets a client make the server do expensive handshakes on one connection. Where clients present certificates, sessions are
 * not resumed: a resumed one repeats the verdict of the first handshake, and lacks the issuers that the client sent.
 */
export function contextOptions(tls: CertificatePair, clientCas?: ClientCas): SecureContextOptions {
  const { SSL_OP_NO_RENEGOTIATION: noRenegotiation, SSL_OP_NO_TICKET: noTicket } = constants
  return {
    cert: tls.cert,
    key: tls.key,
    ca: clientCas?.certificates(),
    minVersion: 'TLSv1.2',
    secureOptions: clientCas ? noRenegotiation | noTicket : noRenegotiation,
  }
}

/** Why OpenSSL cannot serve with this pair, or undefined. Never a byte of the key. */
export function unusablePair(tls: CertificatePair): Problem | undefined {
  // Node treats an empty string as "none" and then serves without a certificate.
  if (!tls.cert.trim() || !tls.key.trim())
    return problem('CERTIFICATE_NOT_SERVED', `the ${tls.cert.trim() ? 'key' : 'certificate'} is empty`)
  try {
    createSecureContext(contextOptions(tls))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return problem('CERTIFICATE_NOT_SERVED', `the certificate and key cannot be used: ${message}`, {
      details: { code },
    })
  }
}

/** Why listening failed, and what to do. `error` is what `server.listen` emitted. */
export function listenProblem(error: NodeJS.ErrnoException, address: string, port: number): Problem {
  const host = address.includes(':') ? `[${address}]` : address
  const place = `${host || 'every address'}, port ${port}`
  const rest = { details: { address, port, code: error.code }, cause: error }
  switch (error.code) {
    case 'EADDRINUSE':
      return problem('LISTEN_PORT_TAKEN', `another process listens on ${place}`, {
        ...rest,
        remedy: `Stop that process (\`ss -ltnp 'sport = :${port}'\` names it), or configure another port.`,
      })
    case 'EACCES':
      return problem('LISTEN_NOT_PERMITTED', `this user may not listen on ${place}`, {
        ...rest,
        remedy: `Ports below 1024 need CAP_NET_BIND_SERVICE: configure a port such as 8443, or grant it.`,
      })
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return problem('LISTEN_NO_SUCH_ADDRESS', `${host} is not an address of this machine`, rest)
    default:
      return problem('LISTEN_FAILED', `cannot listen on ${place}: ${error.message}`, rest)
  }
}

export type HandshakeFailureKind =
  | 'certificate_refused'
  | 'plain_text'
  | 'tls_too_old'
  | 'nothing_shared'
  | 'timeout'
  | 'not_tls'
  | 'broken'

/** Why a TLS handshake failed: often the only trace of an agent that cannot join. */
export interface HandshakeFailure {
  kind: HandshakeFailureKind
  /** One sentence to be shown, without a full stop. */
  message: string
}

/** Alerts a client sends about our certificate (RFC 8446 6.2); Go sends bad_certificate for every fault of a chain. */
const refusals: [RegExp, string][] = [
  [/ALERT_UNKNOWN_CA/, 'the client does not trust the CA of the server certificate'],
  [/ALERT_CERTIFICATE_EXPIRED/, 'the client reports that the server certificate is not valid now'],
  [
    /ALERT_(BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|UNSUPPORTED_CERTIFICATE)/,
    'the client rejects the server certificate: wrong CA, name or date',
  ],
]

/** Reads the error of `tlsClientError`, the only source Node has. */
export function handshakeFailure(error: NodeJS.ErrnoException): HandshakeFailure {
  const code = error.code ?? ''
  const refusal = refusals.find(([alert]) => alert.test(code))
  if (refusal) return { kind: 'certificate_refused', message: refusal[1] }
  if (/HTTP_REQUEST|HTTPS_PROXY_REQUEST/.test(code))
    return {
      kind: 'plain_text',
      message: 'the client sent plain HTTP to the TLS port: TLS is off on its side',
    }
  if (/UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION|VERSION_TOO_LOW/.test(code))
    return { kind: 'tls_too_old', message: 'the client supports no TLS version above 1.1' }
  if (/NO_SHARED_CIPHER|NO_SUITABLE|NO_SHARED_GROUP|HANDSHAKE_FAILURE/.test(code))
    return {
      kind: 'nothing_shared',
      message: 'no cipher, curve or signature algorithm in common with the client',
    }
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT')
    return { kind: 'timeout', message: 'timed out waiting for the TLS handshake' }
  if (/^ERR_SSL_/.test(code)) return { kind: 'not_tls', message: `the client does not speak TLS (${code})` }
  return {
    kind: 'broken',
    message: `the client closed the connection during the TLS handshake (${code || error.message})`,
  }
}

export interface LocalListener {
  close(): Promise<void>
}

/** The kernel's limit (sockaddr_un: 108 bytes with the final NUL on Linux, 104 on macOS). */
const longestPath = process.platform === 'darwin' ? 103 : 107

/**
 * Listens on a Unix socket and replaces one left by an earlier process. Anyone who can open the file has full access, so
 * its mode is 0600 from the start. Throws CONTROL_SOCKET_UNUSABLE.
 */
export async function listenLocally(
  path: string,
  handlers: Handler[],
  logger: Logger,
): Promise<LocalListener> {
  const server = createPlainServer({
    headersTimeout: defaultLimits.headers,
    requestTimeout: defaultLimits.request,
    keepAliveTimeout: defaultLimits.keepAlive,
    maxHeaderSize: defaultLimits.headerSize,
  })
  const close = closing(server)
  server.on('request', (request, response) => void dispatch(handlers, logger, request, response))
  let folder: string | undefined
  let inode: number | undefined
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    // No other user can enter this folder, so the socket's mode is set before anyone can connect.
    folder = mkdtempSync(join(dirname(path), '.s-'))
    const made = join(folder, 's')
    for (const each of [made, path])
      if (Buffer.byteLength(each) > longestPath)
        throw new Error(`the path is longer than ${longestPath} bytes`)
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(made, resolve))
    server.removeAllListeners('error')
    chmodSync(made, 0o600)
    inode = statSync(made).ino
    renameSync(made, path)
  } catch (cause) {
    server.close()
    throw new ProvisionError(
      problem('CONTROL_SOCKET_UNUSABLE', `${path}: ${(cause as Error).message}`, { cause }),
    )
  } finally {
    if (folder) rmSync(folder, { recursive: true, force: true })
  }
  server.on('error', (error) => logger.error('the control socket failed', { error }))
  return {
    async close() {
      // A process that took over the folder has its own socket there.
      if (statSync(path, { throwIfNoEntry: false })?.ino === inode) rmSync(path, { force: true })
      await close(1000)
    },
  }
}
