// A person's orders, passed to the pools they concern.

import type { FleetControl, FleetOrders } from '../http/index.ts'
import type { Clock } from '../platform/index.ts'
import type { Orphans } from './orphans.ts'
import type { RunningPools } from './pools.ts'
import type { RunningPool } from './running-pool.ts'

/** Milliseconds that an order waits for pools that are being started, and a launch for their first listing: less than clients wait. */
const longestStart = 5_000
const lookEvery = 50

export interface Orders extends FleetOrders {
  /**
   * Launches nothing more and terminates every VM of the pools that are led here, busy or not; the next start launches again. Waits at most `timeoutMs`
   * milliseconds until the clouds have accepted that; returns the ids of what is left.
   */
  clear(timeoutMs: number): Promise<string[]>
}

export interface OrdersOptions {
  running: RunningPools
  orphans: () => Pick<Orphans, 'remove' | 'keep' | 'adopt' | 'rememberAdopted'> | undefined
  clock: Clock
}

export function createOrders({
  running,
  orphans,
  clock,
}: OrdersOptions): Orders & Pick<FleetControl, 'begun'> {
  const { get, all, starting } = running

  /** Right after a start or a take-over the pool is being started. Throws as `get`. */
  async function begun(pool: string, until = clock.now() + longestStart): Promise<RunningPool> {
    while (starting().includes(pool) && clock.now() < until) await clock.sleep(lookEvery)
    return get(pool)
  }
  async function remove(ids: readonly string[], how: 'when_idle' | 'even_if_busy'): Promise<string[]> {
    const ofPools = (await Promise.all(all().map(({ fleet }) => fleet.remove(ids, how)))).flat()
    return [...ofPools, ...(orphans()?.remove(ids, how) ?? [])]
  }
  async function keep(ids: readonly string[]): Promise<string[]> {
    const ofPools = (await Promise.all(all().map(({ fleet }) => fleet.keep(ids)))).flat()
    return [...ofPools, ...((await orphans()?.keep(ids)) ?? [])]
  }
  return {
    check: (pool) => void get(pool),
    async begun() {
      const until = clock.now() + longestStart
      while (starting().length > 0 && clock.now() < until) await clock.sleep(lookEvery)
    },
    pause: async (pool) => (await begun(pool)).fleet.pause(),
    resume: async (pool) => (await begun(pool)).fleet.resume(),
    rollout: async (pool, order) => (await begun(pool)).fleet.rollout(order),
    async adopt(pool) {
      const writers = await (await begun(pool)).fleet.adopt()
      await orphans()?.rememberAdopted(pool, writers)
      return writers
    },
    adoptOrphans: async () => (await orphans()?.adopt()) ?? [],
    async launch(pool, count) {
      const until = clock.now() + longestStart
      const { fleet } = await begun(pool, until)
      await fleet.listed(until - clock.now())
      const id = fleet.launch(count)
      await fleet.launchWritten(id)
      return id
    },
    drain: (ids) => remove(ids, 'when_idle'),
    undrain: keep,
    terminate: (ids) => remove(ids, 'even_if_busy'),
    clear: async (timeoutMs) => (await Promise.all(all().map(({ fleet }) => fleet.clear(timeoutMs)))).flat(),
  }
}
