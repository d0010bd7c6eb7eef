// One provisioner per state folder: the lock is kept fresh for those who share the folder from elsewhere.
import { join } from 'node:path'
import { type Clock, type Lock, type Logger, takeLock } from '../platform/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'

const beatMs = 20_000

/** Throws LOCK_HELD or STATE_DIR_UNUSABLE. `onLost` is called when another process has taken the folder over. Returns what gives it back. */
export function holdLock(stateDir: string, clock: Clock, logger: Logger, onLost: () => void): () => void {
  const lock = lockOf(stateDir, clock)
  const released = new AbortController()
  async function keepBeating(): Promise<void> {
    while (lock.isHeld()) {
      try {
        lock.beat()
      } catch (error) {
        // Who gave up here would never learn that another process has taken over what grew stale.
        logger.error('the lock of the state folder could not be kept fresh', { stateDir, error })
      }
      await clock.sleep(beatMs, released.signal)
    }
    logger.error('another process has taken the state folder over; this one stops', { stateDir })
    onLost()
  }
  keepBeating().catch((error: unknown) => {
    if (!released.signal.aborted)
      logger.error('the lock of the state folder could not be kept', { stateDir, error })
  })
  return () => {
    released.abort()
    lock.release()
  }
}

function lockOf(stateDir: string, clock: Clock): Lock {
  try {
    return takeLock(join(stateDir, 'lock'), clock.now)
  } catch (error) {
    if (error instanceof ProvisionError) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw new ProvisionError(
      problem('STATE_DIR_UNUSABLE', `state_dir ${stateDir} cannot be used: ${why}`, { cause: error }),
    )
  }
}
