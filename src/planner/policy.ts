// What the owner of a pool wants: limits and periods. Periods are milliseconds.

export interface Policy {
  minInstances: number
  maxInstances: number
  /** An agent without work for longer is removed. */
  maxIdle: number
  /** From launch to the first connection of the agent. */
  bootTimeout: number
  /** An agent that lost its connection for longer is removed. */
  maxDisconnected: number
  /** How long the master keeps the place of an agent that lost its connection (`agent_reconnect_wait`). */
  reconnectWait: number
  /** How long the scheduler may take to place work on an agent that can hold it. */
  placementGrace: number
  /** `max_aux_containers_per_agent`; 0: agents of this pool take no auxiliary work. */
  maxAuxPerAgent: number
  /** VMs launched per hour. */
  launchRate: number
  /** With demand older than this nothing is done, on the word of an older listing no VM is ended. */
  maxSnapshotAge: number
  /** With no complete listing for longer than this, nothing is launched either. */
  maxListingAge: number
}

/** What no key of the file sets. */
export const fixedPeriods = {
  /** Origin: provisioner.go, maxDisconnectPeriod. */
  maxDisconnected: 10 * 60_000,
  maxSnapshotAge: 15_000,
  /** Launches are bounded by the ledger as well, so they may go on for a while without a listing. */
  maxListingAge: 2 * 60_000,
} as const
