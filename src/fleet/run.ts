// A pool's loop in the hands of its parts: what they read, what they write, and how they tell that something changed.

import { limit } from '../platform/limit.ts'
import { type Problem, ProvisionError, problem } from '../problems/problem.ts'
import type { FleetEvent } from './events.ts'
import { emptyMemory, type PoolMemory } from './memory.ts'
import type { PoolRecord } from './records.ts'
import type { PoolDeps, PoolSettings } from './settings.ts'

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
