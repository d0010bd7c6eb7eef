// What a person may tell a running provisioner, whichever door the word comes through.
import type { RunningPools } from '../provisioner/pools.ts'

export interface Orders {
  /** Throws POOL_UNKNOWN, or POOL_NOT_RUNNING with the reason, unless the pool runs. */
  check(pool: string): void
  /** Until `resume`, also after a restart, nothing is launched or ended in the pool. Throws POOL_UNKNOWN. */
  pause(pool: string): Promise<void>
  resume(pool: string): Promise<void>
  /** Makes the VMs that other provisioners launched in the pool ours; returns the ids of those provisioners. */
  adopt(pool: string): Promise<string[]>
  /**
   * Launches VMs beside those work calls for, all or none; they are removed like any other when they are idle for too
   * long. Returns the id of the intent. Throws what forbids it: MAX_REACHED, PAUSED, LAUNCH_NOT_READY and others.
   */
  launch(pool: string, count: number): Promise<string>
  /** Gives these VMs no more work and ends them when they have none. Returns the ids that are ours. */
  drain(ids: readonly string[]): Promise<string[]>
  /** Takes `drain` back for VMs that are not ended yet; they get work again. Returns their ids. */
  undrain(ids: readonly string[]): Promise<string[]>
  /** Ends these VMs now, whatever they do: their work is lost. Returns the ids that are ours. */
  terminate(ids: readonly string[]): Promise<string[]>
  /**
   * Launches nothing more and ends every VM, whatever it does; the next start launches again. Waits at most `patience`
   * milliseconds until the clouds have accepted that; returns the ids of what is left.
   */
  clear(patience: number): Promise<string[]>
}

export function createOrders({ get, all }: RunningPools): Orders {
  async function remove(ids: readonly string[], how: 'when_idle' | 'even_if_busy'): Promise<string[]> {
    return (await Promise.all(all().map(({ fleet }) => fleet.remove(ids, how)))).flat()
  }
  return {
    check: (pool) => void get(pool),
    pause: async (pool) => get(pool).fleet.pause(),
    resume: async (pool) => get(pool).fleet.resume(),
    adopt: async (pool) => get(pool).fleet.adopt(),
    launch: async (pool, count) => get(pool).fleet.launch(count),
    drain: (ids) => remove(ids, 'when_idle'),
    undrain: async (ids) => (await Promise.all(all().map(({ fleet }) => fleet.keep(ids)))).flat(),
    terminate: (ids) => remove(ids, 'even_if_busy'),
    clear: async (patience) => (await Promise.all(all().map(({ fleet }) => fleet.clear(patience)))).flat(),
  }
}
