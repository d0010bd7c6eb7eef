// Work that waits, and the agents there are to do it: one pool at one moment.

export interface PendingAllocation {
  id: string
  /** Slots wanted; 0 is auxiliary work. */
  slots: number
  /** Allocations of one job share its `maxSlots`. */
  job?: string
  maxSlots?: number
  /** Milliseconds since the epoch. */
  since: number
}

export interface AgentState {
  id: string
  slots: number
  freeSlots: number
  /** Containers or allocations of any size, auxiliary ones too. */
  busy: boolean
  /** When it was first seen without work; undefined while busy. */
  idleSince?: number
  connected: boolean
  enabled: boolean
  draining: boolean
}

export interface Demand {
  pool: string
  /** Milliseconds since the epoch at which this was true. */
  at: number
  pending: PendingAllocation[]
  agents: AgentState[]
}
