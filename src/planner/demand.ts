// Work that waits, and the agents there are to do it: one pool at one moment.

export interface PendingAllocation {
  id: string
  /** Slots wanted; 0 is auxiliary work. */
  slots: number
  /** Allocations of one job share its `maxSlots`; left out when the scheduler does not hold jobs to it. */
  job?: string
  maxSlots?: number
  /** Slots that allocations of the same job hold already: they count against `maxSlots` too. */
  jobRunningSlots?: number
  /** Milliseconds since the epoch. */
  since: number
}

export interface AgentState {
  id: string
  slots: number
  freeSlots: number
  /** Auxiliary allocations it can still take; undefined when the source cannot tell. */
  freeAux?: number
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
  /**
   * Milliseconds since the epoch, by this process's clock, at which this was true. Put together from several
   * reads, it is the start of the first: whatever happened before `at` is in it.
   */
  at: number
  pending: PendingAllocation[]
  agents: AgentState[]
}
