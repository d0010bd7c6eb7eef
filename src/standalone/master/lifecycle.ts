// The life of an agent as pure steps: who may join, and what each event makes of it (origin: agentrm/agents.go, agent.go).

import { pastReconnectPeriod } from '../protocol/agent-message.ts'
import type { JoinRequest } from '../protocol/agents-url.ts'
import { type Device, sameDevices } from '../protocol/device.ts'
import type { AgentStarted } from '../protocol/messages.ts'
import { type Agent, type AgentLink, hasJoined } from './agent.ts'

export interface Refusal {
  /** HTTP status; the origin has 500 for everything but a missing client certificate. */
  status: number
  message: string
}

export interface AdmissionRules {
  hasPool: (pool: string) => boolean
  /** False for an id that no instance of the pool has; always true where instances are not ours. */
  mayJoin: (pool: string, id: string) => boolean
}

/** Why an agent that dials may not have a socket, or undefined. `known` is what we have under its id. */
export function refusal(
  known: Agent | undefined,
  join: JoinRequest,
  rules: AdmissionRules,
): Refusal | undefined {
  // Whether it comes back after a network failure or a restart of its own makes no difference here.
  if (known?.phase === 'away') return undefined
  if (known) return { status: 500, message: 'agent: websocket already connected' }
  if (join.reconnect) return { status: 500, message: pastReconnectPeriod }
  if (!rules.hasPool(join.resourcePool)) {
    const message = `cannot find specified resource pool ${join.resourcePool} for agent ${join.id}`
    return { status: 500, message }
  }
  if (!rules.mayJoin(join.resourcePool, join.id))
    return { status: 403, message: `agent ${join.id} is no instance of resource pool ${join.resourcePool}` }
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
  }
}

export type Started =
  | { kind: 'joined' | 'returned' | 'repeated'; agent: Agent }
  /** It is not the agent it was, or nonsense: it is told to shut down and forgotten. */
  | { kind: 'changed'; reason: string }

/** The agent has said what it has. */
export function started(agent: Agent, message: AgentStarted, now: number): Started {
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
  const { awayUntil: _, ...rest } = agent
  return { kind, agent: { ...rest, phase: 'joined', devices, joinedAt: agent.joinedAt ?? now } }
}

function counted(devices: Device[]): string {
  const kinds = [...new Set(devices.map((device) => `${device.type} ${device.brand}`.trim()))]
  return `${devices.length}${kinds.length ? ` (${kinds.join(', ')})` : ''}`
}

/** The socket is gone: undefined when there is nothing worth waiting for. */
export function disconnected(agent: Agent, now: number, reconnectWait: number): Agent | undefined {
  if (!hasJoined(agent)) return undefined
  return { ...agent, phase: 'away', awayUntil: now + reconnectWait }
}
