// Looks at the master, one look at a time: whoever asks while one is under way gets that one.
import type { Clock } from '../../platform/ports.ts'
import type { Api } from './api.ts'
import type { LimitReader } from './job-limits.ts'
import { emptyMemory, type Memory, remember } from './memory.ts'
import type { Outage } from './outage.ts'
import { readView, type View } from './view.ts'

export interface Look {
  view: View
  /** After this view. */
  memory: Memory
}

export interface Looker {
  /** Includes the pool's job queue from now on. Rejects with the signal's reason as soon as it is aborted. */
  look(pool?: string, signal?: AbortSignal): Promise<Look>
  /** The newest look that succeeded. */
  last(): Look | undefined
}

export interface LookerOptions {
  api: Api
  limits: LimitReader
  clock: Clock
  outage: Outage
  /** Ends the look under way, and all later ones. */
  signal: AbortSignal
}

export function createLooker({ api, limits, clock, outage, signal: closed }: LookerOptions): Looker {
  const pools = new Set<string>()
  let last: Look | undefined
  let flight: { pools: ReadonlySet<string>; look: Promise<Look> } | undefined

  async function lookNow(): Promise<Look> {
    closed.throwIfAborted()
    const view = await outage.attempt(() => readView(api, limits, pools, clock, closed))
    last = { view, memory: remember(last?.memory ?? emptyMemory, view) }
    return last
  }

  async function shared(pool: string | undefined): Promise<Look> {
    if (pool !== undefined) pools.add(pool)
    while (flight) {
      if (pool === undefined || flight.pools.has(pool)) return flight.look
      // It began without the queue of this pool.
      await flight.look.catch(() => {})
    }
    const mine = { pools: new Set(pools), look: lookNow() }
    flight = mine
    mine.look
      .catch(() => {})
      .finally(() => {
        if (flight === mine) flight = undefined
      })
    return mine.look
  }

  return {
    last: () => last,
    async look(pool, signal) {
      signal?.throwIfAborted()
      if (!signal) return shared(pool)
      const stopped = Promise.withResolvers<never>()
      const stop = () => stopped.reject(signal.reason)
      signal.addEventListener('abort', stop, { once: true })
      try {
        return await Promise.race([shared(pool), stopped.promise])
      } finally {
        signal.removeEventListener('abort', stop)
      }
    },
  }
}
