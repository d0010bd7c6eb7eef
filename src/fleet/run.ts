// What the parts of a pool's loop share: the memory and how it is written, the settings of the pool, and its events.
import type { UserData } from '../agent-setup/index.ts'
import type { DemandSource } from '../demand/index.ts'
import type { KnownOffering, Policy } from '../planner/index.ts'
import {
  type BootMark,
  type Clock,
  type Journal,
  type JournalRecord,
  type Logger,
  limit,
  type Metrics,
  type Schedule,
} from '../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../problems/index.ts'
import type { Ownership, Provider, SharedCluster } from '../providers/index.ts'
import type { LaunchedNow } from '../rollout/index.ts'
import type { FleetEvent } from './events.ts'
import type { LaunchErrorRules } from './failures.ts'
import { emptyMemory, type PoolMemory } from './memory.ts'
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
  /** When rollouts may begin to replace instances; left out: always. */
  schedule?: Schedule
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
  /** What is launched now, to compare running instances with; it only reads. Without it nothing is compared. */
  launchedNow?: () => LaunchedNow
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
