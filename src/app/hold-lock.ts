// One provisioner per state folder on this host; the lock is kept fresh for those who share the folder from elsewhere.
import { join } from 'node:path'
import type { Clock, Logger } from '../model/ports.ts'
import { takeLock } from '../platform/lock-file.ts'

const beatMs = 20_000

/** Throws LOCK_HELD. `onLost` is called when another process has taken the folder over. Returns what gives it back. */
export function holdLock(stateDir: string, clock: Clock, logger: Logger, onLost: () => void): () => void {
  const lock = takeLock(join(stateDir, 'lock'), clock.now)
  const released = new AbortController()
  async function keepBeating(): Promise<void> {
    while (lock.isHeld()) {
      lock.beat()
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
