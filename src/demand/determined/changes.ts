// Tells of changes at the master. It tells nobody by itself, so it is looked at again and again: gently when it is slow.
import type { Clock, Logger } from '../../platform/ports.ts'
import type { DemandSource } from '../source.ts'
import type { Look, Looker } from './looker.ts'
import type { Outage } from './outage.ts'
import { demandOf } from './to-demand.ts'

export interface ChangesOptions {
  looker: Looker
  outage: Outage
  clock: Clock
  random: () => number
  logger: Logger
  /** Milliseconds. */
  lookEvery: number
  signal: AbortSignal
}

/** The master is busy with our looks for a tenth of the time at most: its list of tasks costs it a query for each. */
const pausePerLook = 10

/** Looks around as long as somebody listens. */
export function createChanges(options: ChangesOptions): Pick<DemandSource, 'onChange'> {
  const { looker, outage, clock, random, logger, lookEvery, signal } = options
  const listeners = new Set<{ tell: (pool: string) => void }>()
  const told = new Map<string, string>()
  let isLooking = false

  async function keepLooking(): Promise<void> {
    while (listeners.size > 0 && !signal.aborted) {
      const began = clock.now()
      await looker.look().then(tellChanges, () => {})
      const pause = Math.max(lookEvery, (clock.now() - began) * pausePerLook)
      // An outage has waits of its own, with their own chance.
      const wait = outage.wait() || pause * (1 + random() / 4)
      await clock.sleep(wait, signal).catch(() => {})
    }
    isLooking = false
  }

  function tellChanges(look: Look): void {
    for (const pool of look.view.pools.keys()) {
      const now = fingerprint(pool, look)
      if (told.get(pool) === now) continue
      told.set(pool, now)
      if (signal.aborted) return
      for (const { tell } of [...listeners])
        try {
          tell(pool)
        } catch (error) {
          logger.error('a change at the master was not taken', { pool, error })
        }
    }
  }

  return {
    onChange(tell) {
      const listener = { tell }
      listeners.add(listener)
      if (!isLooking && !signal.aborted) {
        isLooking = true
        void keepLooking()
      }
      return () => void listeners.delete(listener)
    },
  }
}

/** The same as long as nothing has changed that a plan would be made of. */
function fingerprint(pool: string, { view, memory }: Look): string {
  const { pending, agents } = demandOf(pool, view, memory)
  return JSON.stringify([
    pending.map(({ id }) => id).sort(),
    agents.map(({ idleSince: _, ...state }) => state),
  ])
}
