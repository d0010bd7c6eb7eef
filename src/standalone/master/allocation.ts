// A piece of work, from its submission to its end.
import type { Container, ContainerFailure } from '../protocol/container.ts'

/** `duration` is work the master itself ends: no agent is told of it. */
export type Work =
  | { kind: 'duration'; seconds: number }
  | { kind: 'command'; argv: string[]; env: Record<string, string>; workingDirectory: string }

/**
 * `finished`: every container ended with 0. `failed`: one did not, or could not be started. `killed`: on order.
 * `lost`: an agent went away with it, so nobody knows how far it came; it is not run again.
 */
export type Outcome = 'finished' | 'failed' | 'killed' | 'lost'

/** `pending`: has no agents. `running`: has them. `ending`: its outcome is known, some containers still run. */
export type AllocationState = 'pending' | 'running' | 'ending' | Outcome

export interface Placed extends Container {
  agentId: string
  /** Why it ended; null while it runs, and when it ended with 0. */
  failure: ContainerFailure | null
}

export interface Allocation {
  /** `<task>.1`, as the origin numbers the allocations of a task. */
  id: string
  task: string
  name: string
  pool: string
  /** 0 is auxiliary work. */
  slots: number
  /** 1 is first, 99 last. */
  priority: number
  work: Work
  state: AllocationState
  /** Set from the moment the end is certain. */
  outcome?: Outcome
  /** One sentence without a full stop: why it ended as it did. */
  reason?: string
  containers: Placed[]
  /** Milliseconds since the epoch. */
  submittedAt: number
  startedAt?: number
  endedAt?: number
}

export const priorities = { first: 1, default: 42, last: 99 } as const

export function isOver(allocation: Allocation): boolean {
  return ['finished', 'failed', 'killed', 'lost'].includes(allocation.state)
}

/** Containers that still hold their slots. */
export function live(allocation: Allocation): Placed[] {
  return allocation.containers.filter((container) => container.state !== 'TERMINATED')
}
