// News about agents, for the live table, the log and the scheduler.
import type { Agent } from './agent.ts'

/**
 * `connected`: a socket is open. `joined`: ready for work, for the first time. `lost`: the socket is gone, the window
 * runs. `returned`: back inside the window. `ordered`: enabled, disabled or drained. `removed`: forgotten.
 */
export type AgentEventKind = 'connected' | 'joined' | 'lost' | 'returned' | 'ordered' | 'removed'

export interface AgentEvent {
  kind: AgentEventKind
  agent: Agent
  /** Milliseconds since the epoch. */
  at: number
  /** Why, for `lost` and `removed`: one sentence without a full stop. */
  reason?: string
}

/** Someone dialled and got no socket: often the only sign of an agent that is set up wrongly. */
export interface RefusedJoin {
  at: number
  address: string
  /** As far as they were said. */
  id: string
  pool: string
  status: number
  message: string
}
