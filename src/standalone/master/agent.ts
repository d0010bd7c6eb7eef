// The state of one agent in the master, and how the API shows it.
import { type Container, type Device, sameDevices } from '../protocol/container.ts'
import { type JoinRequest, shownText } from '../protocol/dial.ts'
import { type AgentStarted, pastReconnectPeriod } from '../protocol/messages.ts'

/**
 * `connecting`: its first socket is open, AgentStarted has not arrived. `joined`: it accepts work. `away`: the socket is
 * lost and the reconnect window runs. `returning`: it reconnected inside the window, AgentStarted has not arrived.
 */
export type AgentPhase = 'connecting' | 'joined' | 'away' | 'returning'

export interface AgentLink {
  /** Its IP address. */
  address: string
  /** undefined: plain text. `serverName` is the SNI, which the agent verifies; undefined when it dialled by address. */
  tls?: { version: string; cipher: string; serverName?: string }
}

export interface Agent {
  id: string
  pool: string
  phase: AgentPhase
  /** Number of its socket, counted over all agents; messages from any other socket are stale. */
  connection: number
  /** The version sent in the dial. */
  version: string
  /** The pool in its latest dial; differs from `pool` after the agent was reconfigured. */
  dialledPool: string
  hostname: string
  link: AgentLink
  /** Milliseconds since the epoch: first dial; ready for jobs; end of the reconnect window. */
  registeredAt: number
  joinedAt?: number
  awayUntil?: number
  devices: Device[]
  /** The operator's order, in any phase; `shownEnabled` and `shownDraining` are what the API shows. */
  enabled: boolean
  draining: boolean
  /** The provisioner drains it. Separate from the operator's order, so that cancelling the drain never undoes that order. */
  provisionerDrain: boolean
  /**
   * Containers on it whose jobs this master has no record of, because its state was lost. They keep the agent busy until
   * they end; left out: none.
   */
  unknownContainers?: Container[]
}

export type AgentOrder = Partial<Pick<Agent, 'enabled' | 'draining' | 'provisionerDrain'>>

/** Whether it has ever sent AgentStarted. Before that it has no devices and no jobs. */
export function hasJoined(agent: Agent): boolean {
  return agent.phase !== 'connecting'
}

/** An agent that is away is shown as disabled and draining, as in Determined (master/internal/rm/agentrm/agent.go). */
export function shownEnabled(agent: Agent): boolean {
  return isOpen(agent) && (agent.phase === 'joined' || agent.phase === 'connecting')
}

export function shownDraining(agent: Agent): boolean {
  return agent.draining || agent.provisionerDrain || agent.phase === 'away' || agent.phase === 'returning'
}

/** Whether new jobs may be placed on it. */
export function takesWork(agent: Agent): boolean {
  return agent.phase === 'joined' && isOpen(agent)
}

/** Neither an operator nor the provisioner has disabled or drained it. */
function isOpen({ enabled, provisionerDrain }: Agent): boolean {
  return enabled && !provisionerDrain
}

// The states of an agent as pure functions: which agents may join, and the effect of each event (Determined: agentrm/agents.go, agent.go).

/** Kind of rejection: independent of the id, pool and address, which a client can invent. */
export type RefusalKind =
  | 'no certificate'
  | 'no join proof'
  | 'other identity'
  | 'a page'
  | 'malformed'
  | 'connected already'
  | 'past its reconnect period'
  | 'no such pool'
  | 'no instance'
  | 'not known yet'
  | 'stopping'
  | 'too many agents'

export interface Refusal {
  kind: RefusalKind
  /** HTTP status; Determined's master answers 500 for everything but a missing client certificate. */
  status: number
  message: string
  /** Seconds after which it may retry; undefined: the answer will not change. */
  retryAfter?: number
}

/**
 * Whether the agent's id is one of the pool's instances. `ended`: it was one. `absent`: the newest listing does not show it
 * as running, but it may appear. `later`: not known yet. A new agent is admitted only on `yes`.
 */
export type Admission = 'yes' | 'no' | 'ended' | 'absent' | 'later'

export interface AdmissionRules {
  hasPool: (pool: string) => boolean
  /** The configuration lets every agent join the pool. */
  takesAny: (pool: string) => boolean
  /** Whether the id is that of an instance of the pool that can run. */
  mayJoin: (pool: string, id: string) => Admission
  /** For a removed pool: whether the id is one of its last instances, which keep working until they are idle. */
  mayReturn: (pool: string, id: string) => Admission
  /**
   * Whether the record of the agent may have been lost with the master's state. Then it is unknown whether the agent is past
   * its reconnect period.
   */
  isForgotten: (id: string) => boolean
}

/** Seconds. The built-in agent and Determined's agent retry at the intervals of their own configuration. */
export const retryAfter = 5

/** Whether an agent of this id may be in the pool. */
export function admissionOf(rules: Omit<AdmissionRules, 'isForgotten'>, pool: string, id: string): Admission {
  if (!rules.hasPool(pool)) return rules.mayReturn(pool, id)
  return rules.takesAny(pool) ? 'yes' : rules.mayJoin(pool, id)
}

/** Why a dialling agent is rejected, or undefined. `known` is the record of its id. */
export function refusal(
  known: Agent | undefined,
  join: JoinRequest,
  rules: AdmissionRules,
): Refusal | undefined {
  if (known && known.phase !== 'away')
    return { kind: 'connected already', status: 500, message: 'agent: websocket already connected' }
  // The answer is the same for an agent that lost its network and one that was restarted.
  if (!known && join.reconnect && !rules.isForgotten(join.id))
    return { kind: 'past its reconnect period', status: 500, message: pastReconnectPeriod }
  const pool = known?.pool ?? join.resourcePool
  const admission = admissionOf(rules, pool, join.id)
  if (!rules.hasPool(pool) && admission === 'no') {
    const message = `cannot find specified resource pool ${pool} for agent ${join.id}`
    return { kind: 'no such pool', status: 500, message }
  }
  if (admission === 'no' || admission === 'ended')
    return { kind: 'no instance', status: 403, message: refusedReason(admission, join.id, pool) }
  // An agent that is away was known when it joined. It may return, and is checked again once the instances are known.
  if (admission === 'absent' || (admission === 'later' && !known)) {
    const message = `agent ${join.id} is not a known instance of resource pool ${pool} yet`
    return { kind: 'not known yet', status: 503, message, retryAfter }
  }
}

/** Agents print this text, also those started by hand. */
export function refusedReason(admission: 'no' | 'ended', id: string, pool: string): string {
  if (admission === 'ended') return `the instance of agent ${id} in resource pool ${pool} no longer runs`
  return `agent ${id} is not an instance of resource pool ${pool}; set agents: any to let other agents join`
}

/** The agent has a socket, for the first time or after a reconnect. */
export function connected(
  known: Agent | undefined,
  join: JoinRequest,
  link: AgentLink,
  connection: number,
  now: number,
): Agent {
  const { version, hostname, resourcePool: dialledPool } = join
  const fresh = { connection, link, version, hostname, dialledPool }
  if (known) return { ...known, ...fresh, phase: 'returning' }
  return {
    ...fresh,
    id: join.id,
    pool: dialledPool,
    phase: 'connecting',
    registeredAt: now,
    devices: [],
    enabled: true,
    draining: false,
    provisionerDrain: false,
  }
}

export type Started =
  | { kind: 'joined' | 'returned' | 'repeated'; agent: Agent }
  /** The agent has changed, or its message is invalid: it is shut down and forgotten. */
  | { kind: 'changed'; reason: string }

/** AgentStarted has arrived. */
export function started(
  agent: Agent,
  message: AgentStarted,
  now: number,
  isOfJob: (containerId: string) => boolean = () => true,
): Started {
  const { Devices: devices, ResourcePoolName: pool } = message
  const other = [pool || agent.dialledPool, agent.dialledPool].find((name) => name !== agent.pool)
  if (other !== undefined)
    return { kind: 'changed', reason: `its pool changed from ${agent.pool} to ${other}` }
  if (new Set(devices.map((device) => device.id)).size < devices.length)
    return { kind: 'changed', reason: 'two devices have the same id' }
  if (hasJoined(agent) && !sameDevices(agent.devices, devices))
    return {
      kind: 'changed',
      reason: `its devices changed from ${counted(agent.devices)} to ${counted(devices)}`,
    }
  const kind = (
    { connecting: 'joined', returning: 'returned', away: 'returned', joined: 'repeated' } as const
  )[agent.phase]
  const { awayUntil: _, unknownContainers: before, ...rest } = agent
  const next: Agent = { ...rest, phase: 'joined', devices, joinedAt: agent.joinedAt ?? now }
  const unknown = kind === 'repeated' ? (before ?? []) : runningOf(message).filter(({ id }) => !isOfJob(id))
  return { kind, agent: unknown.length > 0 ? { ...next, unknownContainers: unknown } : next }
}

function runningOf({ ContainersReattached: acks }: AgentStarted): Container[] {
  return acks
    .filter((ack) => !ack.Failure && ack.Container.state !== 'TERMINATED')
    .map((ack) => ack.Container)
}

/** One of its unknown containers has ended; undefined for any other container. */
export function withoutUnknown(agent: Agent, containerId: string): Agent | undefined {
  const { unknownContainers = [], ...rest } = agent
  const left = unknownContainers.filter(({ id }) => id !== containerId)
  if (left.length === unknownContainers.length) return undefined
  return left.length > 0 ? { ...rest, unknownContainers: left } : rest
}

function counted(devices: Device[]): string {
  const kinds = [...new Set(devices.map((device) => `${device.type} ${device.brand}`.trim()))]
  return `${devices.length}${kinds.length ? ` (${shownText(kinds.join(', '), 200)})` : ''}`
}

/** The socket is closed. undefined for an agent that never joined: the master does not wait for it. */
export function disconnected(agent: Agent, now: number, reconnectWait: number): Agent | undefined {
  if (!hasJoined(agent)) return undefined
  return { ...agent, phase: 'away', awayUntil: now + reconnectWait }
}

// Events about agents, for the live table, the log and the scheduler.

/**
 * `connected`: a socket is open. `joined`: ready for jobs, for the first time. `lost`: the socket is closed, the window
 * runs. `returned`: reconnected inside the window. `ordered`: enabled, disabled or drained. `freed`: a container of an unknown
 * job has ended. `removed`: forgotten.
 */
export type AgentEventKind = 'connected' | 'joined' | 'lost' | 'returned' | 'ordered' | 'freed' | 'removed'

export interface AgentEvent {
  kind: AgentEventKind
  agent: Agent
  /** Milliseconds since the epoch. */
  at: number
  /** The reason for `lost` and `removed`: one sentence without a full stop. */
  reason?: string
  /** It is not a managed agent: its jobs are requeued. */
  foreign?: true
}

/** A rejected dial: often the only sign of a misconfigured agent. */
export interface RefusedJoin {
  at: number
  address: string
  /** Id and pool, if the dial had them. */
  id: string
  pool: string
  kind: RefusalKind
  status: number
  message: string
}
