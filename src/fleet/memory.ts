// What a pool's loop remembers. Everything that must survive a restart can be written down (records.ts).

import type { UserData } from '../agent-setup/index.ts'
import type { KnownAgent, KnownInstance, Offering, PendingAllocation, Unplaced } from '../planner/index.ts'
import type { Problem } from '../problems/index.ts'
import {
  type BreakerMemory,
  closedBreaker,
  type LaunchErrorMemory,
  type Launched,
  noLaunchError,
  type OfferingMemory,
} from './failures.ts'

/** A VM of ours, and what is done about it at the moment. */
export interface Track extends KnownInstance {
  /** Seen in a listing at least once. */
  listed: boolean
  /** What it was launched with, when that is known. */
  sha256?: string
  /** A call about it is under way, or was answered a moment ago. */
  busyWith?: 'drain' | 'undrain' | 'end'
  /** The last call to the master about it failed: not repeated before. */
  retryAt?: number
  /** The cloud accepted to end it. */
  endedAt?: number
  /** The cloud refused to end this very VM, so many times in a row: not asked again before. */
  kept?: { times: number; until: number }
  /** Already counted by the breaker, and reported with its reason. */
  judged?: boolean
  told?: boolean
  /** Known from the journal only, and not seen since. */
  recalled?: boolean
}

/** A launch that was written down and whose outcome is not settled. */
export interface OpenIntent {
  id: string
  /** When it was written down. */
  at: number
  count: number
  offerings: Offering[]
  /** What it carries: SHA-256 of the script, and the version of the rest of the request. */
  sha256: string
  version: string
  /** VMs known to come from it. */
  seen: Set<string>
  /** A call is under way. */
  sending: boolean
  lastSentAt: number
  /** Asked at least once without an answer: a refusal of a later attempt does not tell what became of that one. */
  doubtful: boolean
  /** Not asked again before. */
  retryAt: number
  /** A complete listing that began at least this late is needed before it is asked again. */
  listAfter: number
  /** Start of the first complete listing that could have shown its VMs. */
  settleFrom?: number
}

export interface PoolMemory {
  tracks: Map<string, Track>
  agents: Map<string, KnownAgent>
  pending: PendingAllocation[]
  firstSeen: Map<string, number>
  demandAt?: number
  listing?: { completeAt: number; complete: boolean }
  unplaced: Map<string, Unplaced>
  intents: Map<string, OpenIntent>
  /** User data of open intents, by SHA-256. */
  userData: Map<string, UserData>
  offerings: OfferingMemory
  breaker: BreakerMemory
  launches: Launched[]
  launchError: LaunchErrorMemory
  /** Writers whose VMs a person has made ours. */
  adopted: Set<string>
  /** Writers of live VMs that are ours by tags and not by writer, by VM. */
  foreign: Map<string, string>
  paused: boolean
  /** Every VM is to be ended and none launched, in this life only. */
  clearing: boolean
  /** User data with which an agent has joined, by SHA-256. */
  proven: Set<string>
  /** Ids of VMs that ended lately: their agents are not counted while the master still shows them. */
  ended: Map<string, number>
  /** There was no journal: nothing is launched until listings have shown what there is. */
  journalMissing: boolean
  firstCompleteAt?: number
  /** Last problem of each kind of work, for the status. */
  problems: Map<'list' | 'master' | 'launch' | 'terminate' | 'journal', Problem>
  terminateRetryAt: number
  terminateFailures: number
}

/** Writer of a VM whose tag is missing. */
export const unknownWriter = ''

export function emptyMemory(): PoolMemory {
  return {
    tracks: new Map(),
    agents: new Map(),
    pending: [],
    firstSeen: new Map(),
    unplaced: new Map(),
    intents: new Map(),
    userData: new Map(),
    offerings: new Map(),
    breaker: closedBreaker(),
    launches: [],
    launchError: noLaunchError(),
    adopted: new Set(),
    foreign: new Map(),
    paused: false,
    clearing: false,
    proven: new Set(),
    ended: new Map(),
    journalMissing: false,
    problems: new Map(),
    terminateRetryAt: 0,
    terminateFailures: 0,
  }
}
