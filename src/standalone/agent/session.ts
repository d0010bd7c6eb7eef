// One connection to the master: from the dial to its end.
import type { Clock, Logger } from '../../platform/ports.ts'
import type { AgentMessage, MasterSetAgentOptions } from '../protocol/agent-message.ts'
import type { ConnectionEnd } from '../protocol/connection.ts'
import type { Device } from '../protocol/device.ts'
import { type AgentConnection, connectAgentSocket } from '../protocol/dial.ts'
import { dialTimeout } from '../protocol/limits.ts'
import { createInbox, type Inbox } from './inbox.ts'
import { proxyFor } from './network.ts'
import { type AgentOptions, masterOf } from './options.ts'
import type { Tasks } from './tasks-tasks.ts'
import { trustOf } from './trust.ts'
import { tunnelAgent } from './tunnel.ts'

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
  /** No connection: `error` is why. */
  | { kind: 'not_connected'; error: unknown }
  /** The connection is over; `joined` when the master had been told what this agent has. */
  | { kind: 'over'; joined: boolean; reason: string }
  /** The master said so. */
  | { kind: 'shut_down'; reason: string }

/** Resolves when the connection is over, or could not be had. Rejects for what no reconnecting can mend. */
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
  // The signal may have come while the dial was ending.
  if (context.signal.aborted) leave()
  try {
    const first = await inbox.next()
    if (first && !first.MasterSetAgentOptions)
      return over(false, 'its first message was not the options of the agent')
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
  const proxy = proxyFor(master, env)
  return connectAgentSocket({
    master,
    join: { id: options.agentId, version, resourcePool: options.resourcePool, reconnect, hostname },
    tls: trustOf(options, logger),
    agent: proxy && tunnelAgent(proxy, master, dialTimeout),
    clock,
    signal,
    onMessage: inbox.put,
    onEnd,
  })
}

/** Says what this agent has. */
async function start(
  { MasterInfo: master, ContainersToReattach }: MasterSetAgentOptions,
  connection: AgentConnection,
  { devices, logger, options, tasks, version }: SessionContext,
): Promise<void> {
  const list = await devices()
  const expected = ContainersToReattach.map((entry) => entry.Container)
  connection.send({
    AgentStarted: {
      Version: version,
      Devices: list,
      ContainersReattached: await tasks.reattach(master, expected),
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
