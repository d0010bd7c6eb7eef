// The state folder belongs to this user, and one provisioner works with it at a time.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import {
  assertOwnFolder,
  type Clock,
  type KernelLock,
  type Lock,
  type Logger,
  lockHeld,
  takeKernelLock,
  takeLock,
  trustedUsers,
  wallTime,
} from '../../platform/index.ts'
import { ProvisionError, problem } from '../../problems/index.ts'
import { joinFolder } from './join-files.ts'

/** More often than a lock becomes stale; for processes on other machines this is the only sign that the lock is held. */
const beatMs = 20_000

export interface StateFolderOptions {
  stateDir: string
  clock: Clock
  logger: Logger
  /** Gives root the user who called `sudo`. */
  env: Readonly<Record<string, string | undefined>>
  /** Called when another process has taken over the folder. */
  onLost: () => void
}

/**
 * Creates the folder if it is missing, checks that no other user can write to it, and locks it for this process. Returns a function that unlocks it. Throws
 * STATE_DIR_UNSAFE, LOCK_HELD or STATE_DIR_UNUSABLE.
 */
export async function holdStateFolder(options: StateFolderOptions): Promise<() => void> {
  const { stateDir, clock, logger, onLost } = options
  const { lock, kernel } = await lockOf(options)
  const released = new AbortController()
  async function keepBeating(): Promise<void> {
    while (lock.isHeld()) {
      try {
        lock.beat()
      } catch (error) {
        // Keep going: otherwise we would never notice that a stale lock was taken over.
        logger.error('the lock of the state folder could not be refreshed', { stateDir, error })
      }
      await clock.sleep(beatMs, released.signal)
    }
    logger.error('another process has taken over the state folder; this one stops', { stateDir })
    onLost()
  }
  keepBeating().catch((error: unknown) => {
    if (!released.signal.aborted)
      logger.error('the lock of the state folder could not be kept', { stateDir, error })
  })
  return () => {
    released.abort()
    lock.release()
    kernel?.release()
  }
}

interface Held {
  lock: Lock
  kernel: KernelLock | undefined
}

async function lockOf({ stateDir, clock, env }: StateFolderOptions): Promise<Held> {
  const file = join(stateDir, 'lock')
  let kernel: KernelLock | undefined
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 })
    assertOwnFolder(stateDir, trustedUsers(env), ['fleet', 'logs', 'output', joinFolder])
    const taken = await takeKernelLock(`${file}.kernel`)
    if (taken === 'held') throw lockHeld(file)
    kernel = taken === 'unavailable' ? undefined : taken
    return { lock: takeLock(file, { now: () => wallTime(clock), kernel }), kernel }
  } catch (error) {
    kernel?.release()
    if (error instanceof ProvisionError) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw new ProvisionError(
      problem('STATE_DIR_UNUSABLE', `state_dir ${stateDir} cannot be used: ${why}`, { cause: error }),
    )
  }
}
