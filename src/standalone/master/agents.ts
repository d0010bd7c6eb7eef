// All agents of a master: their sockets, timers and events.

import { isDeepStrictEqual } from 'node:util'
import { type Clock, groupedLog, type LogFields, type Logger, shortIds } from '../../platform/index.ts'
import type { AcceptHandlers, MasterConnection } from '../protocol/accept.ts'
import type { ConnectionEnd } from '../protocol/connection.ts'
import type { Container } from '../protocol/container.ts'
import { type JoinRequest, shownText } from '../protocol/dial.ts'
import {
  type AgentMessage,
  type AgentStarted,
  type ContainerReattachAck,
  type MasterInfo,
  type MasterMessage,
  pastReconnectPeriod,
  type StreamPositions,
} from '../protocol/messages.ts'
import {
  type AdmissionRules,
  type Agent,
  type AgentEvent,
  type AgentLink,
  type AgentOrder,
  admissionOf,
  connected,
  disconnected,
  type Refusal,
  refusal,
  refusedReason,
  started,
  withoutUnknown,
} from './agent.ts'

export interface RegistryOptions extends Omit<AdmissionRules, 'isForgotten'> {
  /** Reconnect window of the pool, in milliseconds. */
  reconnectWait: (pool: string) => number
  masterInfo: MasterInfo
  clock: Clock
  logger: Logger
  /** Containers of jobs that a returning agent should still have. */
  reattach?: (agentId: string) => Container[]
  /** What the master has of the output of such a container. */
  received?: (containerId: string) => StreamPositions | undefined
  /** Whether there is a record of the job of a container that has not ended. */
  isOfJob?: (containerId: string) => boolean
  /** The master's state was lost: agents are asked to report their other containers. */
  stateLost?: boolean
  /** A returning agent has reported which of them it has. */
  onReattached?: (agent: Agent, acks: ContainerReattachAck[]) => void
  /** Container messages of agents. */
  onMessage?: (agent: Agent, message: MasterMessage) => void
  /** Longest time in milliseconds from the open socket to AgentStarted, in which an agent detects devices and containers. */
  startTimeout?: number
  /** Largest number of agents, joined or not. Does not apply to managed instances, so that others cannot block them. */
  mostAgents?: number
}

export interface Registry {
  refuse(join: JoinRequest): Refusal | undefined
  /** Takes an agent's open socket; `refuse` was called in the same event-loop turn. */
  attach(join: JoinRequest, link: AgentLink, open: (handlers: AcceptHandlers) => MasterConnection): void
  get(id: string): Agent | undefined
  /** By id. */
  list(): Agent[]
  /** False when it has no socket. */
  send(id: string, message: Partial<AgentMessage>): boolean
  /** Changes the given orders and keeps the rest; undefined when there is no such agent. */
  order(id: string, order: AgentOrder): Agent | undefined
  /** Restores an agent from before a restart, as away until its window ends. */
  restore(agent: Agent): void
  /**
   * Checks again every agent of the pool that was admitted, or restored at the start, before its instance was known, and
   * disconnects those without an instance. True when one has an instance: it accepts jobs now.
   */
  judge(pool: string): boolean
  /** Whether new jobs may be sent to it. Only agents of running instances get jobs, unless the pool admits any agent. */
  mayWork(agent: Agent): boolean
  /** Forgets an agent and closes its socket. */
  remove(id: string, reason: string): void
  onEvent(listener: (event: AgentEvent) => void): () => void
  /** Closes the connection of every agent. */
  close(): Promise<void>
}

interface Entry {
  agent: Agent
  connection?: MasterConnection
  /** Ends the wait for AgentStarted, or the reconnect window. */
  timer?: AbortController
  /** Its instance was not known when it was admitted. */
  undecided?: boolean
}

export function createRegistry(options: RegistryOptions): Registry {
  const { clock, logger } = options
  const entries = new Map<string, Entry>()
  const listeners = createListeners<AgentEvent>(logger)
  const logs = { info: quietLog(clock, logger.info), warn: quietLog(clock, logger.warn) }
  /** Ids that joined since a start without earlier state: if such a record is missing, it was removed on purpose. */
  const joinedSinceStart = new Set<string>()
  const isForgotten = (id: string) => options.stateLost === true && !joinedSinceStart.has(id)
  let connections = 0
  let closing = false

  function emit(
    kind: AgentEvent['kind'],
    agent: Agent,
    reason?: string,
    more: { foreign?: true } = {},
  ): void {
    const event = { kind, agent, at: clock.now(), ...(reason === undefined ? {} : { reason }), ...more }
    const change = kind === 'ordered' ? orderName(agent) : kind
    const { id, pool, link } = agent
    logAgent('info', agent, `agent ${change}`, { agent: shownText(id), pool, address: link.address, reason })
    listeners.emit(event)
  }

  function logAgent(level: 'info' | 'warn', agent: Agent, message: string, fields: LogFields): void {
    const { id, pool, link } = agent
    const isKnown = !options.takesAny(pool) || options.mayJoin(pool, id) === 'yes'
    if (isKnown) logs[level].known(`${id} ${message}`, message, fields)
    else logs[level].others(`${link.address} ${pool} ${message}`, message, fields)
  }

  /** Runs `action` after `ms` unless the entry's timer is reset or cleared. */
  function arm(entry: Entry, ms: number, action: () => void): void {
    entry.timer?.abort()
    const timer = new AbortController()
    entry.timer = timer
    clock.sleep(ms, timer.signal).then(action, () => {})
  }

  function remove(entry: Entry, reason: string, more: { foreign?: true } = {}): void {
    const { agent } = entry
    if (entries.get(agent.id) !== entry) return
    entries.delete(agent.id)
    entry.timer?.abort()
    entry.connection?.terminate()
    emit('removed', agent, reason, more)
  }

  function onEnd(entry: Entry, end: ConnectionEnd): void {
    if (entries.get(entry.agent.id) !== entry || closing) return
    entry.connection = undefined
    const wait = options.reconnectWait(entry.agent.pool)
    const next = disconnected(entry.agent, clock.now(), wait)
    if (!next) {
      remove(entry, end.message)
      return
    }
    entry.agent = next
    arm(entry, wait, () => remove(entry, 'it did not reconnect within its reconnect window'))
    emit('lost', next, end.message)
  }

  function onMessage(entry: Entry, message: MasterMessage): void {
    if (message.AgentStarted) onStarted(entry, message.AgentStarted)
    else if (entry.agent.phase === 'connecting') remove(entry, 'container message before AgentStarted')
    else if (!isOfUnknown(entry, message)) options.onMessage?.(entry.agent, message)
  }

  function isOfUnknown(entry: Entry, { ContainerStateChanged: news }: MasterMessage): boolean {
    if (news?.Container.state !== 'TERMINATED') return false
    const after = withoutUnknown(entry.agent, news.Container.id)
    if (!after) return false
    entry.agent = after
    emit('freed', after, `container ${news.Container.id} of an unknown job has ended`)
    return true
  }

  function onStarted(entry: Entry, message: AgentStarted): void {
    const step = started(entry.agent, message, clock.now(), options.isOfJob)
    if (step.kind === 'changed') {
      expel(entry, step.reason)
      return
    }
    entry.agent = step.agent
    entry.timer?.abort()
    if (step.kind === 'repeated') return
    joinedSinceStart.add(step.agent.id)
    const { id, pool, unknownContainers } = step.agent
    if (unknownContainers)
      logAgent(
        'warn',
        step.agent,
        'an agent runs containers of unknown jobs; it counts as busy until they end',
        {
          agent: id,
          pool,
          containers: shortIds(unknownContainers.map((container) => shownText(container.id))),
        },
      )
    if (step.kind === 'returned') options.onReattached?.(step.agent, message.ContainersReattached)
    emit(step.kind, step.agent)
  }

  /** This message makes a Determined agent exit and restart (Determined: agentrm/agent.go). */
  function expel(
    entry: Entry,
    reason: string,
    ErrMsg = pastReconnectPeriod,
    more: { foreign?: true } = {},
  ): void {
    const { connection } = entry
    entry.connection = undefined
    remove(entry, reason, more)
    connection?.send({ AgentShutdown: { ErrMsg } })
    void connection?.close()
  }

  return {
    refuse(join) {
      const refused = refusal(entries.get(join.id)?.agent, join, { ...options, isForgotten })
      if (refused) return refused
      if (closing) return { kind: 'stopping', status: 503, message: 'this master is stopping' }
      const isMore = !entries.has(join.id) && entries.size >= (options.mostAgents ?? 10_000)
      if (isMore && options.mayJoin(join.resourcePool, join.id) !== 'yes') {
        const message = `this master has ${entries.size} agents and accepts no more`
        return { kind: 'too many agents', status: 503, message }
      }
    },

    attach(join, link, open) {
      const known = entries.get(join.id)
      const agent = connected(known?.agent, join, link, ++connections, clock.now())
      known?.timer?.abort()
      const entry: Entry = { agent, undecided: admissionOf(options, agent.pool, agent.id) !== 'yes' }
      entries.set(agent.id, entry)
      const connection = open({
        onMessage: (message) => {
          if (entries.get(agent.id) === entry && entry.connection) onMessage(entry, message)
        },
        onEnd: (end) => onEnd(entry, end),
      })
      entry.connection = connection
      connection.send({
        MasterSetAgentOptions: {
          MasterInfo: options.masterInfo,
          LoggingOptions: { type: 'default' },
          ContainersToReattach: [
            ...(options.reattach?.(agent.id) ?? []),
            ...(agent.unknownContainers ?? []),
          ].map((Container) => ({ Container, OutputReceived: options.received?.(Container.id) })),
          ...(isForgotten(agent.id) && { KeepContainers: true }),
        },
      })
      arm(entry, options.startTimeout ?? 120_000, () =>
        connection.terminate('timed out waiting for AgentStarted'),
      )
      emit('connected', agent)
    },

    get: (id) => entries.get(id)?.agent,
    list: () => [...entries.values()].map((entry) => entry.agent).sort((a, b) => (a.id < b.id ? -1 : 1)),
    send: (id, message) => entries.get(id)?.connection?.send(message) ?? false,

    order(id, order) {
      const entry = entries.get(id)
      if (!entry) return undefined
      const ordered = { ...entry.agent, ...order }
      if (isDeepStrictEqual(ordered, entry.agent)) return entry.agent
      entry.agent = ordered
      emit('ordered', entry.agent)
      return entry.agent
    },

    restore(agent) {
      const wait = options.reconnectWait(agent.pool)
      const entry: Entry = {
        agent: { ...agent, phase: 'away', connection: 0, awayUntil: clock.now() + wait },
        undecided: true,
      }
      entries.set(agent.id, entry)
      arm(entry, wait, () => remove(entry, 'it did not reconnect after the restart of the master'))
      emit('lost', entry.agent, 'the master was restarted')
    },

    judge(pool) {
      let isKnownNow = false
      for (const entry of entries.values()) {
        const { id } = entry.agent
        if (!entry.undecided || entry.agent.pool !== pool) continue
        const admission = admissionOf(options, pool, id)
        if (admission === 'yes') {
          entry.undecided = false
          isKnownNow = true
        }
        if (admission !== 'no' && admission !== 'ended') continue
        const reason = refusedReason(admission, id, pool)
        logger.warn('an agent is disconnected', { agent: id, pool, reason })
        expel(entry, reason, reason, admission === 'no' ? { foreign: true } : {})
      }
      return isKnownNow
    },

    mayWork: ({ pool, id }) =>
      options.takesAny(pool) || (options.hasPool(pool) && options.mayJoin(pool, id) === 'yes'),

    remove(id, reason) {
      const entry = entries.get(id)
      if (entry) remove(entry, reason)
    },

    onEvent: (listener) => listeners.add(listener),

    async close() {
      closing = true
      for (const entry of entries.values()) entry.timer?.abort()
      await Promise.all([...entries.values()].map((entry) => entry.connection?.close()))
    },
  }
}

/**
 * Groups log lines: an agent can reconnect without limit with one id, or with new ids if any agent may join. Known agents
 * are grouped one by one, so that each of many is logged.
 */
function quietLog(clock: Clock, log: (message: string, fields: LogFields) => void) {
  return {
    known: groupedLog({ clock, log, freeOf: 20, mostKeys: 100_000 }),
    others: groupedLog({ clock, log, freeOf: 20 }),
  }
}

function orderName({ enabled, draining, provisionerDrain }: Agent): string {
  if (draining || (enabled && provisionerDrain)) return 'draining'
  return enabled ? 'enabled' : 'disabled'
}

// Event listeners. A failing listener affects neither the other listeners nor the emitter.

export interface Listeners<T> {
  /** Returns a function that removes the listener. */
  add(listener: (value: T) => void): () => void
  emit(value: T): void
}

export function createListeners<T>(logger: Logger): Listeners<T> {
  const listeners = new Set<(value: T) => void>()
  return {
    add(listener) {
      // A wrapper, so that a function added twice is called twice and removed one at a time.
      const entry = (value: T) => listener(value)
      listeners.add(entry)
      return () => void listeners.delete(entry)
    },
    emit(value) {
      for (const listener of [...listeners]) {
        try {
          listener(value)
        } catch (error) {
          logger.error('a listener failed', { error })
        }
      }
    },
  }
}
