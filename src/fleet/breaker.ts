// Stops launching when VMs in a row never become usable agents, and then tries one at a time with growing pauses.
import type { Breaker } from '../planner/snapshot.ts'
import { delayAfter } from './backoff.ts'

export interface BreakerMemory {
  /** VMs in a row that never became usable. */
  failures: number
  /** How often it opened since a VM was last usable; 0: closed. */
  openings: number
  openedAt: number
  until: number
}

const failuresToOpen = 3
const pause = { first: 60_000, most: 1_800_000 }

export function closedBreaker(): BreakerMemory {
  return { failures: 0, openings: 0, openedAt: 0, until: 0 }
}

/** A VM became a usable agent. */
export function recordUsable(memory: BreakerMemory): void {
  Object.assign(memory, closedBreaker())
}

/** A VM known since `knownSince` never became usable. Tells whether the breaker has opened because of it. */
export function recordUseless(
  memory: BreakerMemory,
  knownSince: number,
  now: number,
  random: () => number,
): boolean {
  memory.failures++
  // VMs launched before it opened fail one after the other, and tell nothing new.
  const opens = memory.openings === 0 ? memory.failures >= failuresToOpen : knownSince >= memory.openedAt
  if (!opens) return false
  memory.openings++
  memory.openedAt = now
  memory.until = now + delayAfter(memory.openings, pause, random)
  return true
}

export function breakerView({ failures, openings, until }: BreakerMemory, now: number): Breaker {
  if (openings === 0) return { state: 'closed' }
  return now < until ? { state: 'open', until, failures } : { state: 'probing', failures }
}
