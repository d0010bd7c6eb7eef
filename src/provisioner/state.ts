// Who we are: the cluster our VMs belong to and the provisioner that launched them.
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MasterConfig } from '../config/index.ts'
import { type Clock, type Lock, type Logger, takeLock, writeFileAtomic } from '../platform/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'

export interface Identity {
  clusterId: string
  writerId: string
}

/** Shown by a dry run where a first start would make an id. */
const notYet = 'made-on-first-start'

/**
 * From `cluster_id`, else what `state_dir` remembers, else new ones that it will remember. `learned` is the cluster id
 * of a master that has one.
 */
export function ensureIdentity(config: MasterConfig, learned?: string): Identity {
  return {
    clusterId: config.cluster_id ?? remembered(config, 'cluster-id', () => learned ?? randomUUID()),
    writerId: remembered(config, 'writer-id', randomUUID),
  }
}

/** Something of an earlier start is in `state_dir`: who we are, or a journal. */
export function hasEarlierLife({ state_dir }: MasterConfig): boolean {
  return ['writer-id', 'cluster-id', 'fleet', 'incarnations'].some((name) =>
    existsSync(join(state_dir, name)),
  )
}

/** undefined before the first start of a configuration without `cluster_id`. */
export function knownClusterId(config: MasterConfig): string | undefined {
  return config.cluster_id ?? read(config, 'cluster-id')
}

/** As `ensureIdentity`, without writing anything. */
export function peekIdentity(config: MasterConfig): Identity {
  return {
    clusterId: knownClusterId(config) ?? notYet,
    writerId: read(config, 'writer-id') ?? notYet,
  }
}

function remembered(config: MasterConfig, name: string, make: () => string): string {
  const known = read(config, name)
  if (known) return known
  const made = make()
  writeFileAtomic(join(config.state_dir, name), `${made}\n`)
  return made
}

function read(config: MasterConfig, name: string): string | undefined {
  const file = join(config.state_dir, name)
  return existsSync(file) ? readFileSync(file, 'utf8').trim() || undefined : undefined
}

// One provisioner per state folder on this host; the lock is kept fresh for those who share the folder from elsewhere.

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
