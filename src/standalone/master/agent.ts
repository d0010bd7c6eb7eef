// What a master knows of one agent, and how it is shown.
import type { Device } from '../protocol/device.ts'

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
  /** What was ordered, whatever the phase; `shownEnabled` and `shownDraining` are what others are told. */
  enabled: boolean
  draining: boolean
}

/** Has it ever said what it has? Until then there is nothing to schedule on and nothing to lose. */
export function hasJoined(agent: Agent): boolean {
  return agent.phase !== 'connecting'
}

/** An agent that is away looks disabled and draining, as the origin shows it (master/internal/rm/agentrm/agent.go). */
export function shownEnabled(agent: Agent): boolean {
  return agent.enabled && (agent.phase === 'joined' || agent.phase === 'connecting')
}

export function shownDraining(agent: Agent): boolean {
  return agent.draining || agent.phase === 'away' || agent.phase === 'returning'
}

/** May new work be placed on it? */
export function takesWork(agent: Agent): boolean {
  return agent.phase === 'joined' && agent.enabled
}
