// What a master knows of one agent, and how it is shown.
import { type Container, type Device, sameDevices } from '../protocol/container.ts'
import { type JoinRequest, shownText } from '../protocol/dial.ts'
import { type AgentStarted, pastReconnectPeriod } from '../protocol/messages.ts'

/**
 * `connecting`: its first socket is open, it has not said what it has. `joined`: it takes work. `away`: the socket is
 * lost and the reconnect window runs. `returning`: it is back inside the window and has not yet said what it has.
 */
export type AgentPhase = 'connecting' | 'joined' | 'away' | 'returning'

export interface AgentLink {
  /** IP address it comes from. */
  address: string
  /** undefined: plain text. `serverName` is the name it asked for and verifies; undefined when it dialled by address. */
  tls?: { version: string; cipher: string; serverName?: string }
}

export interface Agent {
  id: string
  pool: string
  phase: AgentPhase
  /** Counts the sockets of all agents; what comes from another socket than this is stale. */
  connection: number
  /** As it said when it dialled. */
  version: string
  /** The pool it asked for this time; another than `pool` once it has been set up anew. */
  dialledPool: string
  hostname: string
  link: AgentLink
  /** Milliseconds since the epoch: first seen; ready for work; end of the reconnect window. */
  registeredAt: number
  joinedAt?: number
  awayUntil?: number
  devices: Device[]
  /** What a person ordered, whatever the phase; `shownEnabled` and `shownDraining` are what others are told. */
  enabled: boolean
  draining: boolean
  /** The provisioner drains it. Kept apart from a person's order, so that taking the drain back never undoes that one. */
  provisionerDrain: boolean
  /**
   * Containers that run there, and of whose jobs this master has no record, because its state was lost. They keep the agent
   * busy until they end; left out: none.
   */
  unknownContainers?: Container[]
}

export type AgentOrder = Partial<Pick<Agent, 'enabled' | 'draining' | 'provisionerDrain'>>

/** Has it ever said what it has? Until then there is nothing to schedule on and nothing to lose. */
export function hasJoined(agent: Agent): boolean {
  return agent.phase !== 'connecting'
}

/** An agent that is away looks disabled and draining, as the origin shows it (master/internal/rm/agentrm/agent.go). */
export function shownEnabled(agent: Agent): boolean {
  return isOpen(agent) && (agent.phase === 'joined' || agent.phase === 'connecting')
}

export function shownDraining(agent: Agent): boolean {
  return agent.draining || agent.provisionerDrain || agent.phase === 'away' || agent.phase === 'returning'
}

/** May new work be placed on it? */
export function takesWork(agent: Agent): boolean {
  return agent.phase === 'joined' && isOpen(agent)
}

/** Neither a person nor the provisioner has taken it out. */
function isOpen({ enabled, provisionerDrain }: Agent): boolean {
  return enabled && !provisionerDrain
}

// The life of an agent as pure steps: who may join, and what each event makes of it (origin: agentrm/agents.go, agent.go).

/** What is wrong with a join: the same for every id, pool and address that somebody may make up. */
export type RefusalKind =
  | 'no certificate'
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
  /** HTTP status; the origin has 500 for everything but a missing client certificate. */
  status: number
  message: string
  /** Seconds after which it may ask again; undefined: the answer will not change. */
  retryAfter?: number
}

/**
 * Is the agent's id one of the pool's instances? `ended`: it was one. `absent`: none that the newest listing shows running,
 * but it may be yet. `later`: nothing can be said yet. Nobody new is let in before it is `yes`.
 */
export type Admission = 'yes' | 'no' | 'ended' | 'absent' | 'later'

export interface AdmissionRules {
  hasPool: (pool: string) => boolean
  /** The file says that every agent may join the pool. */
  takesAny: (pool: string) => boolean
  /** Is the id one of an instance of the pool that can run? */
  mayJoin: (pool: string, id: string) => Admission
  /** For a pool there is no more: is it one of its last instances, which work until they are done? */
  mayReturn: (pool: string, id: string) => Admission
  /**
   * What was known of the agent may have been lost with the master's state: nobody can say that it is past its reconnect
   * period.
   */
  isForgotten: (id: string) => boolean
}

/** Agents of ours and Determined's ask again, at the intervals of their own configuration. */
const retryAfter = 5

/** May an agent of this id be in the pool? */
export function admissionOf(rules: Omit<AdmissionRules, 'isForgotten'>, pool: string, id: string): Admission {
  if (!rules.hasPool(pool)) return rules.mayReturn(pool, id)
  return rules.takesAny(pool) ? 'yes' : rules.mayJoin(pool, id)
}

/** Why an agent that dials may not have a socket, or undefined. `known` is what we have under its id. */
export function refusal(
  known: Agent | undefined,
  join: JoinRequest,
  rules: AdmissionRules,
): Refusal | undefined {
  if (known && known.phase !== 'away')
    return { kind: 'connected already', status: 500, message: 'agent: websocket already connected' }
  // Whether one that is away comes back after a network failure or a restart of its own makes no difference here.
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
  // One that is away was known when it joined. It may return, and is judged again when that can be said.
  if (admission === 'absent' || (admission === 'later' && !known)) {
    const message = `agent ${join.id} is not known as an instance of resource pool ${pool} yet`
    return { kind: 'not known yet', status: 503, message, retryAfter }
  }
}

/** Agents print it. Somebody may have started one by hand. */
export function refusedReason(admission: 'no' | 'ended', id: string, pool: string): string {
  if (admission === 'ended') return `the instance of agent ${id} in resource pool ${pool} has ended`
  return `agent ${id} is no instance of resource pool ${pool}, which takes no others (agents: any lets them join)`
}

/** The agent has a socket, for the first time or again. */
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
  /** It is not the agent it was, or nonsense: it is told to shut down and forgotten. */
  | { kind: 'changed'; reason: string }

/** The agent has said what it has. */
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
    return { kind: 'changed', reason: 'two of its devices have the same id' }
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

/** One of its unknown containers has ended; undefined when it is none of them. */
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

/** The socket is gone: undefined when there is nothing worth waiting for. */
export function disconnected(agent: Agent, now: number, reconnectWait: number): Agent | undefined {
  if (!hasJoined(agent)) return undefined
  return { ...agent, phase: 'away', awayUntil: now + reconnectWait }
}

// News about agents, for the live table, the log and the scheduler.

/**
 * `connected`: a socket is open. `joined`: ready for work, for the first time. `lost`: the socket is gone, the window
 * runs. `returned`: back inside the window. `ordered`: enabled, disabled or drained. `freed`: a container of an unknown
 * job has ended. `removed`: forgotten.
 */
export type AgentEventKind = 'connected' | 'joined' | 'lost' | 'returned' | 'ordered' | 'freed' | 'removed'

export interface AgentEvent {
  kind: AgentEventKind
  agent: Agent
  /** Milliseconds since the epoch. */
  at: number
  /** Why, for `lost` and `removed`: one sentence without a full stop. */
  reason?: string
  /** It turned out to be none of ours: what it was given is given to another. */
  foreign?: true
}

/** Someone dialled and got no socket: often the only sign of an agent that is set up wrongly. */
export interface RefusedJoin {
  at: number
  address: string
  /** As far as they were said. */
  id: string
  pool: string
  kind: RefusalKind
  status: number
  message: string
}
