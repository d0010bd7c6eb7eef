// One connection to the master, from the dial to the close.

import {
  classify,
  dialMaster,
  dialOptions,
  faultText,
  isCertificateCode,
  type PreflightCode,
  presentedFacts,
  rootFault,
  withTlsCode,
} from '../../pki/index.ts'
import { type Clock, type Logger, proxyFor } from '../../platform/index.ts'
import { type Problem, ProvisionError } from '../../problems/index.ts'
import { type ConnectionEnd, dialTimeout } from '../protocol/connection.ts'
import type { Device } from '../protocol/container.ts'
import { type AgentConnection, connectAgentSocket } from '../protocol/dial.ts'
import type { AgentMessage, MasterSetAgentOptions } from '../protocol/messages.ts'
import { trustOf, tunnelAgent } from './network.ts'
import { type AgentOptions, masterOf } from './options.ts'
import type { Tasks } from './task.ts'
import { placeOfCas } from './well-known-cas.ts'

export interface SessionContext {
  options: AgentOptions
  env: Readonly<Record<string, string | undefined>>
  version: string
  hostname: string
  clock: Clock
  logger: Logger
  signal: AbortSignal
  /** The same list at every call. */
  devices: () => Promise<Device[]>
  tasks: Tasks
}

export type SessionEnd =
  /** No connection, because of `error`. */
  | { kind: 'not_connected'; error: unknown }
  /** The connection is closed; `joined` when AgentStarted had been sent. */
  | { kind: 'over'; joined: boolean; reason: string }
  /** The master sent AgentShutdown. */
  | { kind: 'shut_down'; reason: string }

/** Resolves when the connection is closed or could not be opened. Rejects for errors that a reconnect cannot fix. */
export async function holdSession(reconnect: boolean, context: SessionContext): Promise<SessionEnd> {
  const inbox = createInbox<AgentMessage>()
  let end: ConnectionEnd | undefined
  let connection: AgentConnection
  try {
    connection = await dial(reconnect, context, inbox, (reason) => {
      end = reason
      inbox.end()
    })
  } catch (error) {
    return { kind: 'not_connected', error }
  }
  const leave = () => void connection.close()
  context.signal.addEventListener('abort', leave)
  // The signal may have arrived while the dial completed.
  if (context.signal.aborted) leave()
  try {
    const first = await inbox.next()
    if (first && !first.MasterSetAgentOptions)
      return over(false, 'first message is not MasterSetAgentOptions')
    if (!first?.MasterSetAgentOptions) return over(false, end?.message ?? 'the connection ended')
    await start(first.MasterSetAgentOptions, connection, context)
    return await serve(inbox, context, () => end?.message ?? 'the connection ended')
  } finally {
    context.signal.removeEventListener('abort', leave)
    await connection.close()
  }
}

function over(joined: boolean, reason: string): SessionEnd {
  return { kind: 'over', joined, reason }
}

function dial(
  reconnect: boolean,
  context: SessionContext,
  inbox: Inbox<AgentMessage>,
  onEnd: (end: ConnectionEnd) => void,
): Promise<AgentConnection> {
  const { options, env, version, hostname, clock, signal, logger } = context
  const master = masterOf(options)
  const several = options.otherMasters.length > 0 ? ofSeveral : undefined
  return connectAgentSocket({
    master,
    join: { id: options.agentId, version, resourcePool: options.resourcePool, reconnect, hostname },
    tls: trustOf(options, env, logger),
    agent: tunnelAgent(master, env, several?.openTimeout ?? dialTimeout),
    ...several,
    clock,
    signal,
    onMessage: inbox.put,
    onEnd,
  })
}

/**
 * Milliseconds, where another master may serve: one that is gone costs seconds, and is noticed before the other, which took
 * over within 10 s, has waited for the agent in vain (`agent_reconnect_wait`, 25 s). A master holds dials for 15 s.
 */
const ofSeveral = {
  openTimeout: 5_000,
  timeout: 20_000,
  keepalive: { interval: 5_000, deadline: 15_000 },
}

/** Sends AgentStarted with the devices of this agent. */
async function start(
  { MasterInfo: master, ContainersToReattach, KeepContainers = false }: MasterSetAgentOptions,
  connection: AgentConnection,
  { devices, logger, options, tasks, version }: SessionContext,
): Promise<void> {
  const list = await devices()
  connection.send({
    AgentStarted: {
      Version: version,
      Devices: list,
      ContainersReattached: await tasks.reattach(master, ContainersToReattach, KeepContainers, options),
      ResourcePoolName: options.resourcePool,
    },
  })
  tasks.online(connection.send)
  logger.info('joined the master', {
    cluster: master.cluster_name || master.cluster_id,
    master_version: master.version,
    agent: options.agentId,
    pool: options.resourcePool,
    slots: list.length,
  })
}

async function serve(
  inbox: Inbox<AgentMessage>,
  { tasks, logger }: SessionContext,
  reason: () => string,
): Promise<SessionEnd> {
  for (;;) {
    const message = await inbox.next()
    if (!message) return over(true, reason())
    if (message.AgentShutdown) return { kind: 'shut_down', reason: message.AgentShutdown.ErrMsg }
    if (message.StartContainer) tasks.start(message.StartContainer)
    else if (message.SignalContainer) tasks.signal(message.SignalContainer)
    else logger.debug('the master sent its options again')
  }
}

// Explains a failed connection, and for certificate errors which certificate the master presents.

/** Milliseconds for the second dial, which reads the certificate. */
const budgetMs = 5000

/** `error` is the reason of the failed dial. Never rejects. */
export async function explainDial(error: unknown, context: SessionContext): Promise<DialFault> {
  const { code, ...fault } = dialFault(error, context.options, context.env)
  // A failed verification reports neither the subject of the certificate nor its dates.
  if (!code || !isCertificateCode(code) || proxyFor(masterOf(context.options), context.env)) return fault
  const presents = await presentedBy(context)
  return presents ? { ...fault, presents } : fault
}

async function presentedBy({ options, clock, signal }: SessionContext): Promise<string | undefined> {
  const { masterHost: host, masterPort: port, tls } = options
  const ended = new AbortController()
  clock.sleep(budgetMs, ended.signal).then(
    () => ended.abort(),
    () => {},
  )
  const { presented } = await dialMaster({
    host,
    port,
    authority: tls.masterCertName || host,
    tls: dialOptions({ name: tls.masterCertName || host, verify: false }),
    budgetMs,
    signal: AbortSignal.any([signal, ended.signal]),
  })
  ended.abort()
  if (!presented[0]) return undefined
  const { subject, sans, issuer, notBefore, notAfter } = presentedFacts(presented[0])
  return `${subject} (${sans.join(', ') || 'no names'}), issued by ${issuer}, valid from ${notBefore} to ${notAfter}`
}

// Messages for failed connections that an operator can act on.

export type DialFault = {
  /** Such as `UNKNOWN_CA`; undefined when the master itself rejected the agent, or when the connection is not the cause. */
  kind?: string
  /** One sentence without a full stop. */
  reason: string
  /** The rejected certificate: subject, names, issuer and dates. */
  presents?: string
  /** Of several masters the one that it is about. */
  master?: string
}

type Describe = (options: AgentOptions, fault: Error, env: SessionContext['env']) => string

const untrusted: Describe = ({ tls }, _, env) =>
  `its certificate is not signed by a CA this agent trusts (${tls.masterCert || placeOfCas(env)}), or the master does not send its intermediate CA`

const reasons: Partial<Record<PreflightCode, Describe>> = {
  PREFLIGHT_DNS_NOT_FOUND: ({ masterHost }) => `host ${masterHost} not found`,
  PREFLIGHT_DNS_FAILED: ({ masterHost }) => `the name server did not answer for ${masterHost}`,
  PREFLIGHT_REFUSED: () => 'connection refused',
  PREFLIGHT_UNREACHABLE: () => 'timed out: a firewall, or the wrong address',
  PREFLIGHT_NO_ROUTE: () => 'no route to host',
  PREFLIGHT_NOT_TLS: () => 'the port does not speak TLS, but security.tls.enabled is on',
  PREFLIGHT_CLOSED_IN_HANDSHAKE: ({ tls }) =>
    tls.enabled
      ? 'connection closed during the TLS handshake'
      : 'connection closed; the port may require TLS, but security.tls.enabled is off',
  PREFLIGHT_UNKNOWN_CA: untrusted,
  PREFLIGHT_OTHER_SELF_SIGNED: untrusted,
  PREFLIGHT_BAD_SIGNATURE: untrusted,
  PREFLIGHT_ROOT_MISSING: untrusted,
  PREFLIGHT_MISSING_INTERMEDIATE: untrusted,
  PREFLIGHT_EXPIRED: () => 'a certificate it presents has expired',
  PREFLIGHT_NOT_YET_VALID: () =>
    'a certificate it presents is not valid yet, or the clock of this machine is wrong',
  PREFLIGHT_WRONG_NAME: (_, fault) => fault.message,
  PREFLIGHT_BAD_PURPOSE: () => 'its certificate is not a server certificate',
  PREFLIGHT_BAD_CA: () => 'a CA of its chain is not allowed to issue the certificate',
  PREFLIGHT_TOO_WEAK: () => 'a key or signature of its certificates is too weak',
  PREFLIGHT_TLS_TOO_OLD: () => 'it supports no TLS version above 1.1',
  PREFLIGHT_SNI_REFUSED: ({ tls, masterHost }) =>
    `its certificate is not valid for the name ${tls.masterCertName || masterHost}`,
  PREFLIGHT_HANDSHAKE_REFUSED: () =>
    'it rejected the TLS handshake: no common algorithm, or it requires a client certificate',
  PREFLIGHT_CLIENT_CERT_REQUIRED: () =>
    'it requires a client certificate that it accepts (security.tls.client_cert, security.tls.client_key)',
}

/** `error` is what `connectAgentSocket` threw, or what prevented the call. */
export function dialFault(
  error: unknown,
  options: AgentOptions,
  env: SessionContext['env'],
): DialFault & { code?: PreflightCode } {
  const [first] = error instanceof ProvisionError ? error.problems : []
  if (first && first.code !== 'AGENT_DIAL_FAILED') return { reason: refusal(first) }
  const cause = (first?.cause ?? error) as NodeJS.ErrnoException
  const fault = withTlsCode(rootFault(cause) ?? cause)
  const code = classify({ phase: 'handshake', fault, timedOut: false, presented: [] })
  if (code === 'PREFLIGHT_FAILED') return { reason: faultText(fault) }
  return {
    code,
    kind: code.slice('PREFLIGHT_'.length),
    reason: reasons[code]?.(options, fault, env) ?? faultText(fault),
  }
}

/** The master's message, if it answered. */
function refusal({ code, message, details }: Problem): string {
  if (code !== 'AGENT_REFUSED') return message
  return `the master answered with status ${details?.['status']}: ${details?.['message'] || 'no reason given'}`
}

// A queue of received messages, for a reader that may be busy.

export interface Inbox<T> {
  put(message: T): void
  /** After the last message, `next` always returns undefined. */
  end(): void
  next(): Promise<T | undefined>
}

export function createInbox<T>(): Inbox<T> {
  const waiting: T[] = []
  let reader: ((message: T | undefined) => void) | undefined
  let ended = false

  return {
    put(message) {
      if (reader) reader(message)
      else waiting.push(message)
      reader = undefined
    },
    end() {
      ended = true
      reader?.(undefined)
      reader = undefined
    },
    next() {
      if (waiting.length > 0) return Promise.resolve(waiting.shift())
      if (ended) return Promise.resolve(undefined)
      return new Promise((resolve) => {
        reader = resolve
      })
    },
  }
}
