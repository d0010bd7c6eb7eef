// What the parts of a pool's loop share: the memory and how it is written, the settings of the pool, and its events.
import type { UserData } from '../agent-setup/index.ts'
import type { DemandSource } from '../demand/index.ts'
import type {
  KnownAgent,
  KnownInstance,
  KnownOffering,
  LaunchBudget,
  NewestListing,
  Offering,
  PendingAllocation,
  Policy,
  Unplaced,
} from '../planner/index.ts'
import {
  type BootMark,
  type Clock,
  type Journal,
  type JournalRecord,
  type Logger,
  limit,
  type Metrics,
} from '../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../problems/index.ts'
import type { Ownership, Provider, SharedCluster } from '../providers/index.ts'
import type { FleetEvent } from './events.ts'
import {
  type BreakerMemory,
  closedBreaker,
  fullBudget,
  type LaunchErrorMemory,
  type LaunchErrorRules,
  noLaunchError,
  type OfferingMemory,
} from './failures.ts'
import type { OwnWriters } from './own-writers.ts'
import type { PoolRecord, Written } from './records.ts'
import { whileLed } from './right.ts'

type EventBody = FleetEvent extends infer E ? (E extends FleetEvent ? Omit<E, 'at' | 'pool'> : never) : never

export interface PoolRun {
  readonly deps: PoolDeps
  settings: PoolSettings
  memory: PoolMemory
  /** Set when the loop must decide nothing more. */
  stopping: boolean
  /** The right to the pool is over. */
  abandoned: boolean
  /** It is, as far as is known at this moment: nothing may be decided, called or written any more. */
  isOver(): boolean
  /** Aborted at the same time: what several pools share is not waited for any more. */
  readonly halt: AbortController
  /** Aborted when the loop is over: calls in progress must not continue beside the next loop. */
  readonly over: AbortController
  now(): number
  /** When this process started the loop. */
  readonly bornAt: number
  emit(event: EventBody): void
  /** Resolves when the record is on the disk; throws what the journal throws, and keeps it as the pool's problem. */
  write(...records: PoolRecord[]): Promise<void>
  /** Replaces the journal by the result of `records`, which is called when its turn in the queue comes. */
  rewrite(records: () => PoolRecord[]): Promise<void>
  /** Runs beside the loop. What it throws is logged; nothing stops. */
  background(task: () => Promise<void>): void
  readonly tasks: Set<Promise<void>>
  /** Launches that are being written down, by the ids of their intents. */
  readonly writing: Map<string, Promise<void>>
  /** Something changed: decide again. */
  changed(): void
}

export function createRun(given: PoolDeps, settings: PoolSettings, changed: () => void): PoolRun {
  const isOver = () => run.abandoned || given.isLed?.() === false
  const deps = whileLed(given, { isOver, isAbandoned: () => run.abandoned })
  const { clock, journal, logger, pool } = deps
  const inTurn = limit(1)
  const run: PoolRun = {
    deps,
    settings,
    memory: emptyMemory(),
    stopping: false,
    abandoned: false,
    isOver,
    halt: new AbortController(),
    over: new AbortController(),
    tasks: new Set(),
    writing: new Map(),
    now: () => clock.now(),
    bornAt: clock.now(),
    emit(event) {
      try {
        deps.onEvent?.({ at: clock.now(), pool, ...event })
      } catch (error) {
        logger.error('an event listener of the pool failed', { pool, error })
      }
    },
    // Together, so that a slow store needs one answer.
    write: (...records) =>
      kept(run, () => inTurn(() => Promise.all(records.map((one) => journal.append(one))).then(() => {}))),
    rewrite: (records) => kept(run, () => inTurn(() => journal.rewrite(records()))),
    background(task) {
      const running = task()
        .catch((error: unknown) => logger.error('a task of the pool failed', { pool, error }))
        .finally(() => run.tasks.delete(running))
      run.tasks.add(running)
    },
    changed,
  }
  return run
}

async function kept(run: PoolRun, write: () => Promise<void>): Promise<void> {
  try {
    await write()
    run.memory.problems.delete('journal')
  } catch (error) {
    if (run.abandoned) throw error
    const isNew = !run.memory.problems.has('journal')
    reportProblem(
      run,
      'journal',
      problemOf(error, 'JOURNAL_FAILING', 'the journal of the pool could not be written'),
    )
    if (isNew) run.changed()
    throw error
  }
}

/** Remembers the last problem of a kind of task, and reports it when it is new. */
export function reportProblem(
  run: PoolRun,
  kind: Parameters<PoolMemory['problems']['set']>[0],
  found: Problem,
): void {
  const before = run.memory.problems.get(kind)
  run.memory.problems.set(kind, found)
  if (before?.code === found.code && before.message === found.message) return
  run.emit({ kind: 'problem', problem: found })
}

/** The problem an exception carries, or one that wraps it. */
export function problemOf(
  error: unknown,
  code: 'JOURNAL_FAILING' | 'CALL_TIMED_OUT' | 'INTERNAL',
  message: string,
): Problem {
  if (error instanceof ProvisionError && error.problems[0]) return error.problems[0]
  return problem(code, `${message}: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  })
}

// The dependencies and the settings of a pool. Settings may change while it runs; the rest may not.

export interface PoolSettings {
  policy: Policy
  /** Without `refused`, which is in the fleet's own memory. */
  offerings: Omit<KnownOffering, 'refused'>[]
  launchError: LaunchErrorRules
  /** How long a new VM may be missing from complete listings, in milliseconds; 0 where listings show every VM at once. */
  visibility: number
  /** Instances that are launched in one call at most; default: any number. */
  largestLaunch?: number
}

/** The inputs of a launch now, or why there must be none. */
export type LaunchInputs =
  | {
      kind: 'ready'
      userData: UserData
      /** Unchanged as long as the rest of the request is: a request is repeated only under the same version. */
      version: string
      /** It could not be checked that an agent can join: launch one VM as a probe. */
      probe: boolean
    }
  | { kind: 'refused'; problem: Problem }

/** This pool's part of what is shared. */
export type SharedView = Pick<SharedCluster, 'list' | 'find'>

export interface PoolDeps {
  pool: string
  owner: Ownership
  ownWriters: OwnWriters
  provider: Provider
  /** What the pools at a location share: their listing, and lookups by id. Without it the pool lists by itself. */
  shared?: SharedView
  demand: DemandSource
  clock: Clock
  /** This pool's own. */
  journal: Journal
  /** Its records when it was opened; left out: they are read. */
  recorded?: readonly JournalRecord[]
  /** The journal may be incomplete: listings must first show what exists. */
  journalDamaged?: boolean
  /** Where the machine has one: used to convert times in the journal to this process's clock. */
  bootMark?: () => BootMark | undefined
  /** Where the instances of the pool are: a journal of another location is about other instances. */
  locationKey?: string
  /** `state_dir` has nothing of an earlier run: if the cloud shows nothing either, there is nothing to wait for. */
  isFirstStart?: boolean
  /** From 0 up to 1. */
  random: () => number
  /** A new UUID each time. */
  newId: () => string
  /** The preflight's last answer and its user data; called often, so it only reads. */
  launchInputs: () => LaunchInputs
  logger: Logger
  metrics: Metrics
  onEvent?: (event: FleetEvent) => void
  /** A complete listing was applied. */
  onListed?: () => void
  /** Where pools are led for a term: whether this process leads the pool now. Asked right before each decision, call and write.
   * Earlier leaders may be suspended, and send the call that they were about to make when they resume. */
  isLed?: () => boolean
}

/** When and where a checkpoint was written. */
export function writtenBy({ bootMark, locationKey }: PoolDeps): Written {
  return { mark: bootMark?.(), location: locationKey }
}

/** Milliseconds a call may take before its outcome is unknown. GCE launches last as long as their operation. */
export const callDeadlines = {
  list: 60_000,
  launch: 360_000,
  terminate: 120_000,
  master: 15_000,
  /** The whole view: it grows with the fleet. */
  demand: 60_000,
  console: 10_000,
  traces: 10_000,
}

// The memory of a pool's loop. Everything that must survive a restart can be written down (records.ts).

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
  offerings: OfferingMemory
  breaker: BreakerMemory
  budget: LaunchBudget
  launchError: LaunchErrorMemory
  /** Writers whose VMs a person has adopted. */
  adopted: Set<string>
  /** Live instances that carry the pool's tags but not our writer, by id. */
  foreign: Map<string, ForeignInstance>
  paused: boolean
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
    offerings: new Map(),
    breaker: closedBreaker(),
    budget: fullBudget(),
    launchError: noLaunchError(),
    adopted: new Set(),
    foreign: new Map(),
    paused: false,
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
