// What a pool remembers when its loop starts.
import type { JournalRecord } from '../platform/index.ts'
import { writtenIn } from './records.ts'
import type { PoolRun } from './run.ts'
import { recallNow } from './stored-times.ts'

/** Milliseconds. */
const journalRetry = 10_000

/** Without its journal the loop must not start: it would not know what it has launched. False: it was stopped before. */
export async function recallJournal(run: PoolRun): Promise<boolean> {
  const { journal, recorded, journalDamaged, clock, logger, pool } = run.deps
  while (!run.stopping) {
    try {
      const records = recorded ?? (await journal.read())
      if (isElsewhere(run, records)) {
        // A person's order about the pool does not depend on its location.
        run.memory.paused = recallNow(records, run.now(), run.deps.bootMark?.()).paused
        return true
      }
      run.memory = recallNow(records, run.now(), run.deps.bootMark?.(), (kind, why) =>
        logger.error('a journal record cannot be read', { pool, kind, why }),
      )
      if (journalDamaged) run.memory.journalMissing = true
      return true
    } catch (error) {
      logger.error('the journal of the pool cannot be read', { pool, error })
      await clock.sleep(journalRetry)
    }
  }
  return false
}

/**
 * A pool that was moved starts without memory: its instances at the earlier location are no longer its own, and those at
 * the new one must be listed first.
 */
function isElsewhere({ memory, deps }: PoolRun, records: readonly JournalRecord[]): boolean {
  const { locationKey, logger, pool } = deps
  const before = writtenIn(records)?.location
  if (before === undefined || locationKey === undefined || before === locationKey) return false
  logger.warn('the pool was moved: its journal belongs to another location', {
    pool,
    before,
    now: locationKey,
  })
  memory.journalMissing = true
  return true
}
