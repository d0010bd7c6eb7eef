// All pools. Each runs by itself: what goes wrong in one is its own affair.
import type { PoolFleet } from './pool-fleet.ts'
import type { PoolStatus } from './status.ts'

export interface Fleet {
  readonly pools: ReadonlyMap<string, PoolFleet>
  start(): void
  /** Stops every pool, whatever happens to the others. */
  stop(): Promise<void>
  status(): PoolStatus[]
}

export function createFleet(
  pools: readonly PoolFleet[],
  report: (pool: string, error: unknown) => void,
): Fleet {
  const byName = new Map(pools.map((pool) => [pool.pool, pool]))
  return {
    pools: byName,
    start() {
      for (const pool of pools) pool.start().catch((error: unknown) => report(pool.pool, error))
    },
    async stop() {
      await Promise.all(pools.map((pool) => pool.stop().catch((error: unknown) => report(pool.pool, error))))
    },
    status: () => pools.map((pool) => pool.status()),
  }
}
