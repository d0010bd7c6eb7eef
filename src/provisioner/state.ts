// The state folder is ours alone: it belongs to us, and one provisioner works with it at a time.
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
} from '../platform/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'

/** More often than the owner of a lock counts as gone; those who share the folder from elsewhere see nothing else of it. */
const beatMs = 20_000

export interface StateFolderOptions {
  stateDir: string
  clock: Clock
  logger: Logger
  /** Tells root who it was before `sudo`. */
  env: Readonly<Record<string, string | undefined>>
  /** Called when another process has taken the folder over. */
  onLost: () => void
}

/**
 * Makes the folder when it is missing, makes sure that nobody else has a hand in it, and takes it for this process. Returns what gives it back. Throws
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
    assertOwnFolder(stateDir, trustedUsers(env), ['fleet', 'logs'])
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
