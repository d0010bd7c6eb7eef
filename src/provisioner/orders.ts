// A person's orders, passed to the pools they concern.

import type { FleetOrders } from '../http/index.ts'
import type { Orphans } from './orphans.ts'
import type { RunningPools } from './pools.ts'

export interface Orders extends FleetOrders {
  /**
   * Launches nothing more and terminates every VM, busy or not; the next start launches again. Waits at most `timeoutMs`
   * milliseconds until the clouds have accepted that; returns the ids of what is left.
   */
  clear(timeoutMs: number): Promise<string[]>
}

export function createOrders(
  { get, all }: RunningPools,
  orphans: () => Pick<Orphans, 'remove' | 'keep' | 'adopt' | 'rememberAdopted'> | undefined,
): Orders {
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
    pause: async (pool) => get(pool).fleet.pause(),
    resume: async (pool) => get(pool).fleet.resume(),
    async adopt(pool) {
      const writers = await get(pool).fleet.adopt()
      await orphans()?.rememberAdopted(pool, writers)
      return writers
    },
    adoptOrphans: async () => (await orphans()?.adopt()) ?? [],
    async launch(pool, count) {
      const { fleet } = get(pool)
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
