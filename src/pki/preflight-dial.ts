// One dial of a master: connect, TLS handshake, GET /info or an upgrade. Reports the phase it reached.
import { randomBytes, type X509Certificate } from 'node:crypto'
import { type IncomingMessage, request } from 'node:http'
import { connect as connectPlain, isIP, type LookupFunction, type Socket } from 'node:net'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import type { Clock } from '../platform/index.ts'
import { type ProblemCode, preflightCertificateCodes } from '../problems/index.ts'
import { presentedBy } from './client-signer.ts'
import { connectAsAgent, type DialTrust, dialOptions } from './dial-options.ts'
import { type HttpAnswer, probePath, proofProbePath, readInfo } from './preflight-answer.ts'
import { anchorsOf, type MasterAddress, type TrustPlan } from './trust-plan.ts'

/** The phase a dial reached; distinguishes a firewall from a wrong service. */
export type DialPhase = 'lookup' | 'connect' | 'handshake' | 'http'

/** `info`: GET /info. `upgrade`: the agents' WebSocket upgrade, by a probe that registers nothing. */
export type Asked = 'info' | 'upgrade'

export interface DialOrder {
  host: string
  port: number
  /** Undefined: dial in plain text. */
  tls?: ConnectionOptions
  /** Replaces this machine's resolver. */
  lookup?: LookupFunction
  /** For the Host header: what agents dial. */
  authority: string
  /** Default: `info`. */
  ask?: Asked
  /** Of the upgrade; default: that of the probe without a certificate. */
  upgradePath?: string
  /** Milliseconds, shared by the addresses of a host. The dial itself ends with the signal. */
  budgetMs: number
  signal: AbortSignal
  /** Opens a connection to the master through a proxy; undefined: dialled directly, as agents do. */
  tunnel?: (() => Promise<Socket>) | undefined
}

export interface DialOutcome {
  /** The phase in which it ended. */
  phase: DialPhase
  /** Undefined when there was an HTTP answer. */
  fault?: NodeJS.ErrnoException
  /** The signal ended the dial, before or after the head of an HTTP answer. */
  timedOut: boolean
  /** Such as `TLSv1.3`. */
  protocol?: string
  /** The certificates the master sent, in its order; empty when the handshake did not complete. */
  presented: X509Certificate[]
  http?: HttpAnswer
}

const maxBody = 65_536
/** Go's HTTP client accepts response heads of this size (net/http); Node's default is 16 KiB. */
const maxHead = 1_048_576

/** Never rejects: errors are in the outcome. */
export function dialMaster(order: DialOrder): Promise<DialOutcome> {
  return new Promise((resolve) => {
    const outcome: DialOutcome = {
      phase: isIP(order.host) ? 'connect' : 'lookup',
      timedOut: false,
      presented: [],
    }
    let socket: Socket | undefined
    const end = (change: Partial<DialOutcome>): void => {
      order.signal.removeEventListener('abort', expire)
      socket?.destroy()
      resolve({ ...outcome, ...change })
    }
    const expire = (): void => end({ timedOut: true })
    order.signal.addEventListener('abort', expire)
    if (order.signal.aborted) return expire()
    const broken = (fault: NodeJS.ErrnoException): void => {
      if (isTorn(outcome.http, fault)) delete outcome.http
      end(outcome.http ? {} : { fault })
    }
    const reach = (phase: DialPhase): void => {
      outcome.phase = phase
      if (phase !== 'http') return
      ask(socket!, order, (answer) => Object.assign(outcome, { http: answer })).then(() => end({}), broken)
    }
    const dial = (tunnel?: Socket): void => {
      if (order.signal.aborted) {
        tunnel?.destroy()
        return
      }
      try {
        socket = open(order, tunnel)
      } catch (fault) {
        end({ fault: fault as Error })
        return
      }
      socket.on('lookup', (fault) => fault ?? reach('connect'))
      socket.on('connect', () => reach(order.tls ? 'handshake' : 'http'))
      socket.on('secureConnect', () => {
        outcome.protocol = (socket as TLSSocket).getProtocol() ?? undefined
        outcome.presented = presentedBy(socket as TLSSocket)
        reach('http')
      })
      socket.on('error', (fault: NodeJS.ErrnoException) => {
        // A connection that was reset had been accepted, whatever the order of the events here.
        if (outcome.phase === 'connect' && isCut(fault)) outcome.phase = order.tls ? 'handshake' : 'http'
        broken(fault)
      })
      if (tunnel) reach(order.tls ? 'handshake' : 'http')
    }
    if (order.tunnel) order.tunnel().then((tunnel) => dial(tunnel), broken)
    else dial()
  })
}

/** The connection was cut inside a 200 answer, before it was clear whether a master sent it. Other statuses are conclusive. */
function isTorn(answer: HttpAnswer | undefined, fault: NodeJS.ErrnoException): boolean {
  return answer?.status === 200 && isCut(fault) && !readInfo(answer)
}

function open({ host, port, lookup, tls, budgetMs }: DialOrder, tunnel?: Socket): Socket {
  if (tunnel) return tls ? connectAsAgent({ socket: tunnel, ...tls }) : tunnel
  // By default Node allows 250 ms for each address but the last: too short for a distant master.
  const where = {
    host,
    port,
    lookup,
    autoSelectFamilyAttemptTimeout: Math.max(250, Math.floor(budgetMs / 2)),
  }
  return tls ? connectAsAgent({ ...where, ...tls }) : connectPlain(where)
}

/** Calls back with the answer as soon as its head is there. Resolves when the body is complete, a master's, or too long. */
function ask(
  socket: Socket,
  { authority, ask: asked = 'info', upgradePath = probePath }: DialOrder,
  onAnswer: (answer: HttpAnswer) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const call = request({
      createConnection: () => socket,
      path: asked === 'info' ? '/info' : upgradePath,
      headers: { Host: authority, ...(asked === 'info' ? infoHeaders : upgradeHeaders()) },
      maxHeaderSize: maxHead,
    })
    call.on('error', reject)
    // Switched to another protocol: there is no body.
    call.on('upgrade', (response: IncomingMessage) => {
      onAnswer(answerOf(response))
      resolve()
    })
    call.on('response', (response: IncomingMessage) => {
      const answer = answerOf(response)
      onAnswer(answer)
      response.setEncoding('utf8')
      response.on('error', reject)
      response.on('data', (text: string) => {
        answer.body = (answer.body + text).slice(0, maxBody)
        // A proxy may keep the connection open after the master's answer.
        if (answer.body.length >= maxBody || (text.trimEnd().endsWith('}') && readInfo(answer))) resolve()
      })
      response.on('end', resolve)
    })
    call.end()
  })
}

const infoHeaders = { Connection: 'close', Accept: 'application/json' }

function upgradeHeaders(): Record<string, string> {
  const key = randomBytes(16).toString('base64')
  return {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': key,
  }
}

function answerOf({ statusCode = 0, headers }: IncomingMessage): HttpAnswer {
  return { status: statusCode, body: '', location: headers.location, server: headers['server']?.toString() }
}

// The dials of one preflight: each as an agent would dial, or with one change to find the cause of a failure.

export interface Dials {
  dialled: { host: string; port: number }
  /** For messages: the address dialled, and what agents dial if that is another. */
  at: string
  /** The name agents verify. */
  name: string
  asAgent(change?: Partial<DialTrust>, ask?: Asked): Promise<DialOutcome>
  inPlainText(ask?: Asked): Promise<DialOutcome>
  /** Cancels the deadline and the dials in progress. */
  close(): void
}

export interface DialsOrder {
  address: MasterAddress
  dialled: { host: string; port: number }
  plan: TrustPlan
  timeoutMs: number
  clock: Clock
  signal?: AbortSignal
  wellKnown: readonly string[]
  lookup?: LookupFunction
  joinProof?: JoinProof
}

/** For a master that requires certificates of the agents' CA: one for the id of the probe, PEM, and the pool to join. */
export interface JoinProof {
  pool: string
  certificate: { cert: string; key: string }
}

export function openDials(wanted: DialsOrder): Dials {
  const { address, dialled, plan, timeoutMs, clock, signal, wellKnown, lookup, joinProof } = wanted
  // Agents replace the alias by the address they looked up; the address dialled here is the closest to it.
  const meant = address.alias ? { ...address, host: dialled.host } : address
  const name = plan.certificateName ?? meant.host
  const ended = new AbortController()
  clock.sleep(timeoutMs, ended.signal).then(
    () => ended.abort(),
    () => {},
  )
  const order = {
    ...dialled,
    authority: authorityOf(meant),
    budgetMs: timeoutMs,
    lookup,
    ...(joinProof && { upgradePath: proofProbePath(joinProof.pool) }),
    signal: signal ? AbortSignal.any([signal, ended.signal]) : ended.signal,
  }
  const trust: DialTrust = {
    name,
    ca: plan.mode === 'embed' ? anchorsOf(plan) : withRoot(wellKnown, plan),
    verify: plan.mode !== 'skip_verify',
    ...(joinProof && { clientCertificate: joinProof.certificate }),
  }
  const here = authorityOf(dialled)
  const there = authorityOf(address)
  return {
    dialled,
    at: here === there ? here : `${here} (agents dial ${there})`,
    name,
    asAgent: (change, ask) => dialMaster({ ...order, tls: dialOptions({ ...trust, ...change }), ask }),
    inPlainText: (ask) => dialMaster({ ...order, ask }),
    close: () => ended.abort(),
  }
}

/** The CAs that agents of `system` have at least; their VM may trust more. */
function withRoot(wellKnown: readonly string[], { wellKnownRoot }: TrustPlan): readonly string[] {
  return wellKnownRoot ? [...wellKnown, wellKnownRoot.pem] : wellKnown
}

function authorityOf({ host, port }: { host: string; port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

// Maps the end of a dial to a problem code. The table lists what Node 22 and 24 reported in real dials.

export type PreflightCode = Extract<ProblemCode, `PREFLIGHT_${string}`>

const byTimeout: Record<DialPhase, PreflightCode> = {
  lookup: 'PREFLIGHT_DNS_FAILED',
  connect: 'PREFLIGHT_UNREACHABLE',
  handshake: 'PREFLIGHT_NO_TLS_ANSWER',
  http: 'PREFLIGHT_NO_HTTP_ANSWER',
}

const byNetworkError: Record<string, PreflightCode> = {
  ENOTFOUND: 'PREFLIGHT_DNS_NOT_FOUND',
  ECONNREFUSED: 'PREFLIGHT_REFUSED',
  ETIMEDOUT: 'PREFLIGHT_UNREACHABLE',
  ENETUNREACH: 'PREFLIGHT_NO_ROUTE',
  EHOSTUNREACH: 'PREFLIGHT_NO_ROUTE',
  EADDRNOTAVAIL: 'PREFLIGHT_NO_ROUTE',
  // A local firewall that rejects (iptables REJECT with admin-prohibited, seccomp, sandboxes).
  EACCES: 'PREFLIGHT_NO_ROUTE',
  EPERM: 'PREFLIGHT_NO_ROUTE',
}

/** Node's names of OpenSSL's X509_V_ERR codes. */
const byVerifyError: Record<string, PreflightCode> = {
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'PREFLIGHT_UNKNOWN_CA',
  SELF_SIGNED_CERT_IN_CHAIN: 'PREFLIGHT_UNKNOWN_CA',
  // One name for three faults; the presented certificates distinguish them.
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'PREFLIGHT_MISSING_INTERMEDIATE',
  UNABLE_TO_GET_ISSUER_CERT: 'PREFLIGHT_ROOT_MISSING',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'PREFLIGHT_OTHER_SELF_SIGNED',
  CERT_HAS_EXPIRED: 'PREFLIGHT_EXPIRED',
  CERT_NOT_YET_VALID: 'PREFLIGHT_NOT_YET_VALID',
  INVALID_PURPOSE: 'PREFLIGHT_BAD_PURPOSE',
  INVALID_CA: 'PREFLIGHT_BAD_CA',
  PATH_LENGTH_EXCEEDED: 'PREFLIGHT_BAD_CA',
  CERT_CHAIN_TOO_LONG: 'PREFLIGHT_BAD_CA',
  CERT_SIGNATURE_FAILURE: 'PREFLIGHT_BAD_SIGNATURE',
  UNABLE_TO_DECRYPT_CERT_SIGNATURE: 'PREFLIGHT_BAD_SIGNATURE',
  UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY: 'PREFLIGHT_BAD_CERTIFICATE',
  ERROR_IN_CERT_NOT_BEFORE_FIELD: 'PREFLIGHT_BAD_CERTIFICATE',
  ERROR_IN_CERT_NOT_AFTER_FIELD: 'PREFLIGHT_BAD_CERTIFICATE',
  CERT_UNTRUSTED: 'PREFLIGHT_BAD_CERTIFICATE',
  CERT_REJECTED: 'PREFLIGHT_BAD_CERTIFICATE',
  ERR_TLS_CERT_ALTNAME_INVALID: 'PREFLIGHT_WRONG_NAME',
}

/** OpenSSL's reasons inside Node's ERR_SSL_ codes; Node 24 has `SSL/TLS_ALERT_…` where 22 has `SSLV3_ALERT_…`. */
const byTlsReason: [reason: RegExp, code: PreflightCode][] = [
  [/_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|UNEXPECTED_MESSAGE)$/, 'PREFLIGHT_NOT_TLS'],
  [/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/, 'PREFLIGHT_TLS_TOO_OLD'],
  [/UNRECOGNIZED_NAME/, 'PREFLIGHT_SNI_REFUSED'],
  [/CERTIFICATE_REQUIRED/, 'PREFLIGHT_CLIENT_CERT_REQUIRED'],
  // The only certificate a server can refuse is the client's.
  [
    /ALERT_(BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_|UNKNOWN_CA|ACCESS_DENIED)/,
    'PREFLIGHT_CLIENT_CERT_REQUIRED',
  ],
  [
    /ALERT_HANDSHAKE_FAILURE|INSUFFICIENT_SECURITY|NO_SHARED|WRONG_(CURVE|SIGNATURE_TYPE)/,
    'PREFLIGHT_HANDSHAKE_REFUSED',
  ],
  [/EXCESSIVE_MESSAGE_SIZE/, 'PREFLIGHT_CHAIN_TOO_LARGE'],
  [/_(EE_KEY_TOO_SMALL|CA_KEY_TOO_SMALL|CA_MD_TOO_WEAK|DH_KEY_TOO_SMALL)$/, 'PREFLIGHT_TOO_WEAK'],
]

/** The code of a dial without an HTTP answer. */
export function classify(outcome: DialOutcome): PreflightCode {
  if (outcome.timedOut) return byTimeout[outcome.phase]
  const fault = rootFault(outcome.fault)
  const code = fault?.code ?? ''
  if (code.startsWith('EAI_')) return 'PREFLIGHT_DNS_FAILED'
  if (code.startsWith('HPE_')) return 'PREFLIGHT_NOT_HTTP'
  if (fault && isCut(fault))
    return outcome.phase === 'handshake' ? 'PREFLIGHT_CLOSED_IN_HANDSHAKE' : 'PREFLIGHT_CLOSED_AFTER_CONNECT'
  // A certificate that OpenSSL cannot parse is accepted by no other verifier.
  if (/:asn1 encoding routines:/.test(fault?.message ?? '')) return 'PREFLIGHT_BAD_CERTIFICATE'
  // This name covers weak keys and hashes, critical extensions and name constraints.
  if (code === 'UNSPECIFIED')
    return /too (weak|small)/.test(fault!.message) ? 'PREFLIGHT_TOO_WEAK' : 'PREFLIGHT_BAD_CERTIFICATE'
  const known = byNetworkError[code] ?? byVerifyError[code]
  if (known) return known
  return byTlsReason.find(([reason]) => reason.test(code))?.[1] ?? 'PREFLIGHT_FAILED'
}

function isCut({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ECONNRESET' || code === 'EPIPE'
}

/** The handshake reached the certificate, which was refused. */
export function isCertificateCode(code: PreflightCode): boolean {
  return Object.hasOwn(preflightCertificateCodes, code)
}

/** A host with several addresses fails with one error for each; the first is the most useful. */
export function rootFault(fault: NodeJS.ErrnoException | undefined): NodeJS.ErrnoException | undefined {
  return fault instanceof AggregateError ? (fault.errors[0] ?? fault) : fault
}

/** For `classify`: adds a code to the two kinds of error without one, a client's timer and TLS errors while writing. */
export function withTlsCode(fault: NodeJS.ErrnoException): NodeJS.ErrnoException {
  const [, reason] = /:SSL routines:[^:]*:([^:]+)/.exec(fault.message) ?? []
  const code = /timed out/i.test(fault.message)
    ? 'ETIMEDOUT'
    : `ERR_SSL_${reason?.toUpperCase().replaceAll(' ', '_')}`
  return fault.code && fault.code !== 'EPROTO' ? fault : Object.assign(new Error(fault.message), { code })
}

/** The library's reason, without OpenSSL's source position and without Node's advice about its options. */
export function faultText(fault: Error): string {
  const [, reason] = /:[\w ]+ routines:[^:]*:([^:]+)/.exec(fault.message) ?? []
  if (reason) return `the TLS library reports: ${reason}`
  return fault.message.split(/[;\n]/)[0]?.trim() || fault.name
}
