// What the parts of a pool's loop share: the memory and how it is written, what the pool is run with, and its events.
import type { UserData } from '../agent-setup/index.ts'
import type { DemandSource } from '../demand/index.ts'
import type {
  KnownAgent,
  KnownInstance,
  KnownOffering,
  LaunchBudget,
  Offering,
  PendingAllocation,
  Policy,
  Reason,
  Unplaced,
} from '../planner/index.ts'
import {
  type BootMark,
  type Clock,
  type Journal,
  type Logger,
  limit,
  type Metrics,
} from '../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../problems/index.ts'
import type { Ownership, Provider } from '../providers/index.ts'
import {
  type BreakerMemory,
  closedBreaker,
  fullBudget,
  type LaunchErrorMemory,
  type LaunchErrorRules,
  noLaunchError,
  type OfferingMemory,
} from './failures.ts'
import type { PoolRecord } from './records.ts'

type EventBody = FleetEvent extends infer E ? (E extends FleetEvent ? Omit<E, 'at' | 'pool'> : never) : never

export interface PoolRun {
  readonly deps: PoolDeps
  settings: PoolSettings
  memory: PoolMemory
  /** Set when the loop is to decide nothing more. */
  stopping: boolean
  /** Aborted when the loop is over: what is under way then must not go on behind the back of the next one. */
  readonly over: AbortController
  now(): number
  /** When this life began. */
  readonly bornAt: number
  emit(event: EventBody): void
  /** Resolves when the record is on the disk; throws what the journal throws, and keeps it as the pool's problem. */
  write(record: PoolRecord): Promise<void>
  /** Puts what `records` answers in the place of the journal. It is asked when its turn has come. */
  rewrite(records: () => PoolRecord[]): Promise<void>
  /** Runs beside the loop. What it throws is reported, and ends nothing. */
  background(task: () => Promise<void>): void
  /** Tasks under way. */
  readonly tasks: Set<Promise<void>>
  /** Something was learned: decide again. */
  changed(): void
}

export function createRun(deps: PoolDeps, settings: PoolSettings, changed: () => void): PoolRun {
  const { clock, journal, logger, pool } = deps
  const inTurn = limit(1)
  const run: PoolRun = {
    deps,
    settings,
    memory: emptyMemory(),
    stopping: false,
    over: new AbortController(),
    tasks: new Set(),
    now: () => clock.now(),
    bornAt: clock.now(),
    emit(event) {
      try {
        deps.onEvent?.({ at: clock.now(), pool, ...event })
      } catch (error) {
        logger.error('an event of the pool was not taken', { pool, error })
      }
    },
    write: (record) => kept(run, () => inTurn(() => journal.append(record))),
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
    tell(run, 'journal', problemOf(error, 'JOURNAL_FAILING', 'the journal of the pool could not be written'))
    throw error
  }
}

/** Remembers the last problem of a kind of work, and reports it when it is news. */
export function tell(run: PoolRun, kind: Parameters<PoolMemory['problems']['set']>[0], found: Problem): void {
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

// What a pool is run by, and what it is run with. Settings may change while it runs; the rest may not.

export interface PoolSettings {
  policy: Policy
  /** Without `refused`: that is the fleet's own memory. */
  offerings: Omit<KnownOffering, 'refused'>[]
  launchError: LaunchErrorRules
  /** How long a new VM may be missing from complete listings, in milliseconds; 0 where a listing shows all there is. */
  visibility: number
}

/** What a launch would carry now, or why there must be none. */
export type LaunchInputs =
  | {
      kind: 'ready'
      userData: UserData
      /** The same as long as everything else in the request is: a request is repeated only under the same version. */
      version: string
      /** Nobody could check that an agent can join: launch one VM and see. */
      probe: boolean
    }
  | { kind: 'refused'; problem: Problem }

export interface PoolDeps {
  pool: string
  owner: Ownership
  /** Names of this provisioner in the tags of instances, those of earlier starts too: what carries one of them is ours to touch. */
  ownWriters: ReadonlySet<string>
  provider: Provider
  demand: DemandSource
  clock: Clock
  /** This pool's own. */
  journal: Journal
  /** What the journal tells may not be all of it: listings must show first what there is. */
  journalDamaged?: boolean
  /** Where the machine can tell: what times in the journal are put on this life's clock by. */
  bootMark?: () => BootMark | undefined
  /** Where the instances of the pool are: a journal of another location is of other instances. */
  locationKey?: string
  /** Nothing of an earlier life is in `state_dir`: where the cloud shows nothing either, nothing need be waited for. */
  isFirstStart?: boolean
  /** From 0 up to 1. */
  random: () => number
  /** A new UUID each time. */
  newId: () => string
  /** The preflight's last answer and the user data that goes with it; called often, so it only looks. */
  launchInputs: () => LaunchInputs
  logger: Logger
  metrics: Metrics
  onEvent?: (event: FleetEvent) => void
}

/** What a checkpoint says of when and where it was written. */
export function writtenBy({ bootMark, locationKey }: PoolDeps): {
  mark: BootMark | undefined
  location: string | undefined
} {
  return { mark: bootMark?.(), location: locationKey }
}

/** Milliseconds a call may take before its outcome is unknown. GCE launches last as long as their operation. */
export const callDeadlines = {
  list: 60_000,
  launch: 360_000,
  terminate: 120_000,
  master: 15_000,
  console: 10_000,
  traces: 10_000,
}

// What happens to a pool, as data: for the log, the command line and the journal of decisions.

export type FleetEvent = { at: number; pool: string } & (
  | {
      kind: 'decided'
      move: 'launch' | 'drain' | 'undrain' | 'terminate' | 'mark'
      ids: string[]
      count: number
      reason: Reason
    }
  /** What is wanted and not done has changed; an empty list: nothing is held back any more. */
  | { kind: 'held'; reasons: Reason[] }
  | { kind: 'launched'; intentId: string; ids: string[]; missing: number }
  | { kind: 'joined'; ids: string[] }
  | { kind: 'ended'; ids: string[] }
  /** Something went wrong that a person may want to know. */
  | { kind: 'problem'; problem: Problem }
)

// What a pool's loop remembers. Everything that must survive a restart can be written down (records.ts).

/** A VM of ours, and what is done about it at the moment. */
export interface ManagedInstance extends KnownInstance {
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
  /** By the journal its end was accepted, or seen: it is none that runs before a listing shows that it does. */
  wasEnded?: boolean
  /** When the cloud was last asked for it by id, because listings lack it; and since when such answers do not know it. */
  soughtAt?: number
  unknownSince?: number
  /** Since when listings lack it although its agent is connected. */
  unshownSince?: number
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
  /** Whom its instances are tagged with: part of the request. Missing in journals of versions that did not write it. */
  writerId?: string
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
  tracks: Map<string, ManagedInstance>
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
  budget: LaunchBudget
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
  /** When this life began, by the cloud's clock. */
  cloudStartedAt?: number
  /** How far apart two complete listings must be then, in milliseconds. */
  settleApart: number
  /** The cloud's account that our instances are in, where it is known; another one that answers now; when that was asked. */
  account?: string
  otherAccount?: string
  accountAskedAt?: number
  /** Last problem of each kind of work, for the status. */
  problems: Map<'list' | 'find' | 'account' | 'master' | 'launch' | 'terminate' | 'journal', Problem>
  terminateRetryAt: number
  terminateFailures: number
}

/**
 * After a lost journal two complete listings so far apart must show what there is; less where nothing says that there was
 * an earlier life. Milliseconds.
 */
export const settleTimes = { usual: 60_000, firstStart: 10_000 }

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
