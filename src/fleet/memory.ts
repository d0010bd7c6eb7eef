// The memory of a pool's loop. Everything that must survive a restart can be written down (records.ts).
import type { UserData } from '../agent-setup/index.ts'
import type {
  Instance,
  KnownAgent,
  KnownInstance,
  LaunchBudget,
  NewestListing,
  Offering,
  PendingAllocation,
  Unplaced,
} from '../planner/index.ts'
import type { FleetCode, Problem } from '../problems/index.ts'
import type { Generation } from '../rollout/index.ts'
import {
  type BreakerMemory,
  closedBreaker,
  fullBudget,
  type LaunchErrorMemory,
  noLaunchError,
  type OfferingMemory,
} from './failures.ts'

/** A managed VM, and the call in progress about it. */
export interface ManagedInstance extends KnownInstance {
  listed: boolean
  /** What it was launched with, when that is known. */
  sha256?: string
  /** A call about it is in progress, or was answered a moment ago. */
  busyWith?: 'drain' | 'undrain' | 'end'
  /**
   * When a drain was last known to have no answer, of this process or an earlier one: it may have taken effect, or may do so
   * minutes later, also after the agent was enabled again.
   */
  drainDoubtAt?: number
  /** The last call to the master about it failed: not repeated before. */
  retryAt?: number
  /** When a call to terminate it was last known to be without an answer: it may still arrive. */
  endDoubtAt?: number
  /** The cloud accepted its termination. */
  endedAt?: number
  /** The cloud refused to terminate this VM, so many times in a row: not repeated before. */
  kept?: { times: number; until: number }
  /** Already counted by the breaker, and reported with its reason. */
  judged?: boolean
  told?: boolean
  /** Known from the journal only, and not listed since. */
  recalled?: boolean
  /** The journal says that its termination was accepted or observed: it does not run unless a listing shows that it does. */
  wasEnded?: boolean
  /** When the newest answer that shows it was requested: an older answer that arrives later changes nothing. */
  shownAt?: number
  /** When it was last looked up by id because listings lack it, and since when such lookups do not find it. */
  soughtAt?: number
  unknownSince?: number
}

/** A live instance of the pool that another provisioner launched. */
export interface ForeignInstance {
  id: string
  writer: string
  /** Since when complete listings lack it, when it was last looked up by id, and since when that does not find it. */
  missingSince?: number
  soughtAt?: number
  unknownSince?: number
}

/** A launch that was written down and whose outcome is not known. */
export interface OpenIntent {
  id: string
  /** When it was written down. */
  at: number
  count: number
  offerings: Offering[]
  gang?: boolean
  /** Its inputs: SHA-256 of the script, and the version of the rest of the request. */
  sha256: string
  version: string
  /** The id of the generation that it launches; missing in journals of versions that did not write it. */
  generation?: string
  /** The writer its instances are tagged with: part of the request. Missing in journals of versions that did not write it. */
  writerId?: string
  /** VMs known to come from it. */
  seen: Set<string>
  /** A call is in progress. */
  sending: boolean
  /** The latest time at which a call may have been sent. */
  lastSentAt: number
  /** At least one call got no answer: the refusal of a later attempt does not show the outcome of that one. */
  doubtful: boolean
  /** Not repeated before. */
  retryAt: number
  /** A complete listing that began at least this late is needed before it is repeated. */
  listAfter: number
  /** When this process read it from the journal: who wrote it down may still send it. */
  recalledAt?: number
  /** Start of the first complete listing that could have shown its VMs, and how many VMs were known then. */
  settle?: { from: number; seen: number }
}

/** What is remembered about replacing outdated instances. */
export interface RolloutMemory {
  /** What the rest is about: the generation, and the newest image that counts as part of it. */
  generation?: string
  image?: string
  /** An instance of it has joined and lasted. */
  proven: boolean
  /** One of the first instances of it failed while others waited to be replaced. */
  failed?: { code: FleetCode; id: string; at: number }
  paused: boolean
}

export function newRollout(): RolloutMemory {
  return { proven: false, paused: false }
}

export interface PoolMemory {
  tracks: Map<string, ManagedInstance>
  agents: Map<string, KnownAgent>
  pending: PendingAllocation[]
  firstSeen: Map<string, { since: number /** The last of `views` that contained the job. */; view: number }>
  views: number
  demandAt?: number
  /** Milliseconds that the newest view of the master took to read. */
  demandTook?: number
  listing?: NewestListing
  /** Listings in a row that were given up because they took too long. */
  listTimeouts: number
  unplaced: Map<string, Unplaced>
  intents: Map<string, OpenIntent>
  /** User data of open intents, by SHA-256. */
  userData: Map<string, UserData>
  /** By id; and the id of the one that launches have now. */
  generations: Map<string, Generation>
  generation?: string
  /** It is in the journal. */
  isGenerationWritten?: boolean
  offerings: OfferingMemory
  breaker: BreakerMemory
  budget: LaunchBudget
  launchError: LaunchErrorMemory
  /** Writers whose VMs a person has adopted. */
  adopted: Set<string>
  /** Live instances that carry the pool's tags but not our writer, by id. */
  foreign: Map<string, ForeignInstance>
  paused: boolean
  rollout: RolloutMemory
  /** Every VM must be terminated and none launched, by this process only. */
  clearing: boolean
  /** User data with which an agent has joined, by SHA-256. */
  proven: Set<string>
  /** Ids of VMs that terminated lately: their agents are not counted while the master still shows them. */
  ended: Map<string, number>
  /** There was no journal: nothing is launched until listings have shown what exists. */
  journalMissing: boolean
  firstCompleteAt?: number
  /** When this process started, by the cloud's clock. */
  cloudStartedAt?: number
  /** How far apart two complete listings must be then, in milliseconds. */
  settleApart: number
  /** The cloud account our instances are in, if known; another one that answers now; when that was checked. */
  account?: string
  otherAccount?: string
  accountAskedAt?: number
  /** Last problem of each kind of task, for the status. */
  problems: Map<
    'list' | 'find' | 'lookup' | 'account' | 'master' | 'launch' | 'terminate' | 'journal',
    Problem
  >
  terminateRetryAt: number
  terminateFailures: number
}

/**
 * After a lost journal two complete listings so far apart must show what exists; less where there is no sign of an
 * earlier run. Milliseconds.
 */
export const settleTimes = { usual: 60_000, firstStart: 10_000 }

/** Writer of a VM whose tag is missing. */
export const unknownWriter = ''

export function emptyMemory(): PoolMemory {
  return {
    tracks: new Map(),
    agents: new Map(),
    pending: [],
    listTimeouts: 0,
    firstSeen: new Map(),
    views: 0,
    unplaced: new Map(),
    intents: new Map(),
    userData: new Map(),
    generations: new Map(),
    offerings: new Map(),
    breaker: closedBreaker(),
    budget: fullBudget(),
    launchError: noLaunchError(),
    adopted: new Set(),
    foreign: new Map(),
    paused: false,
    rollout: newRollout(),
    clearing: false,
    proven: new Set(),
    ended: new Map(),
    journalMissing: false,
    settleApart: settleTimes.usual,
    problems: new Map(),
    terminateRetryAt: 0,
    terminateFailures: 0,
  }
}

// Generations: what instances were made from (the room `rollout`).

/** Those that instances and open launches have, and last the one that launches have now: as a journal contains them. */
export function generationsOf({ generations, generation, tracks, intents }: PoolMemory): Generation[] {
  const used = new Set<string | undefined>()
  for (const track of tracks.values()) used.add(track.generation)
  for (const intent of intents.values()) used.add(intent.generation)
  const others = [...generations.values()].filter(({ id }) => used.has(id) && id !== generation)
  const current = generations.get(generation ?? '')
  return current ? [...others, current] : others
}

/** The newest one that is written down is what launches had at that time. */
export function learnGeneration(memory: PoolMemory, generation: Generation): void {
  memory.generations.set(generation.id, generation)
  memory.generation = generation.id
}

/** What the answer of a launch shows of a known instance, and listings of some clouds do not. */
export function learnFromAnswer(
  { tracks }: PoolMemory,
  { id, image, offeredZone }: Pick<Instance, 'id' | 'image' | 'offeredZone'>,
): void {
  const track = tracks.get(id)
  if (track && image !== undefined) track.image ??= image
  if (track && offeredZone !== undefined) track.offeredZone ??= offeredZone
}
