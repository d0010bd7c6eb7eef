// Who leads the pools of a shared cluster, and how long its launches take.
import { expect, vi } from 'vitest'
import type { HostOptions, SharedCluster, SharedHost } from './shared-cluster.ts'

/** The pools that a provisioner leads, as it says itself; none when it does not answer. */
export async function led(host: SharedHost): Promise<string[]> {
  const status = await host.status().catch(() => undefined)
  return status ? status.pools.filter(({ leader }) => leader?.self).map(({ pool }) => pool) : []
}

/** Starts them one after the other; each is up when it answers. */
export async function started(
  cluster: SharedCluster,
  hosts: Record<string, HostOptions>,
): Promise<SharedHost[]> {
  const all = Object.entries(hosts).map(([name, options]) => cluster.host(name, options))
  for (const host of all) await restarted(host)
  return all
}

export async function restarted(host: SharedHost): Promise<void> {
  host.start()
  await vi.waitFor(() => host.status(), { timeout: 60_000 })
}

/** Until each pool has one leader, and the hosts lead these numbers of pools, whoever leads more. */
export async function spread(
  cluster: SharedCluster,
  hosts: SharedHost[],
  counts: number[],
): Promise<string[][]> {
  // In hooks, too, where expect.poll is refused.
  const pools = await vi.waitFor(
    async () => {
      const now = await Promise.all(hosts.map(led))
      expect(now.map(({ length }) => length).toSorted()).toEqual(counts.toSorted())
      return now
    },
    { timeout: 90_000 },
  )
  expect(new Set(pools.flat()).size).toBe(cluster.pools.length)
  return pools
}

/** A job for each of the pools; resolves with the milliseconds until the last one has an instance launched for it. */
export async function launchesFor(cluster: SharedCluster, pools: string[]): Promise<number> {
  const from = Date.now()
  const before = new Map(pools.map((pool) => [pool, cluster.live(pool).length]))
  for (const pool of pools) cluster.submit(pool)
  await expect
    .poll(() => pools.every((pool) => cluster.live(pool).length > before.get(pool)!), {
      timeout: 90_000,
      interval: 50,
    })
    .toBe(true)
  return Date.now() - from
}
