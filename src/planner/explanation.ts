// What plan() decides, put so that people can follow it: demand, VMs, what was subtracted from what, decisions.
import type { Decision } from './decision.ts'

/** All times are milliseconds since the epoch or of age, by the clock of the snapshot. */
export interface Explanation {
  pool: string
  at: number
  /** Milliseconds since the views were true; left out when there was none. */
  views: { demandAge?: number; listingAge?: number; listingComplete?: boolean }
  demand: {
    work: number
    slots: number
    /** Pieces of work that need no slots. */
    aux: number
    /** Largest first; `fresh` of `work` came within `placement_grace`: the scheduler may not have looked yet. */
    sizes: { slots: number; work: number; fresh: number }[]
  }
  /** Left out when nothing could be decided for want of a view. */
  vms?: VmCounts
  /** Where waiting work finds room, in the order in which room is used. Rooms without work on them are told, too. */
  room?: Room[]
  decisions: ExplainedDecision[]
}

export interface VmCounts {
  min: number
  max: number
  /** Can run and bill. */
  live: number
  inFlight: number
  coming: number
  busy: number
  idle: number
  away: number
  leaving: number
  /** Faulty VMs by the code of what is wrong. */
  faulty: Record<string, number>
  /** Agents of the pool on machines that are not ours. */
  guests: number
}

export interface Room {
  where: 'free' | 'drained' | 'coming' | 'to_buy'
  /** VMs with room, or to be bought. */
  vms: number
  slots: number
  /** Slots of waiting work put there, and pieces of auxiliary work. */
  filled: number
  filledAux: number
}

export interface ExplainedDecision {
  kind: Decision['kind']
  /** VMs concerned; 0 for a hold. */
  count: number
  ids: string[]
  /** Offerings of a launch, in the order in which they are tried. */
  offerings: string[]
  /** Pieces of work concerned, the first ten. */
  work: string[]
  code: string
  numbers: Record<string, number>
  meaning: string
  /** What a person can do about it; left out when there is nothing to do. */
  remedy?: string
}
