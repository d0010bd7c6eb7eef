// Two provisioners with a real PostgreSQL, each on a host of its own whose links can be cut.
import { expect, inject } from 'vitest'
import { type PostgresCluster, postgresCluster } from '../support/postgres-cluster.ts'
import {
  launchedTwice,
  type SharedCluster,
  type SharedHost,
  sharedCluster,
} from '../support/shared-cluster.ts'
import { launchesFor, spread, started } from '../support/shared-pools.ts'
import { createNetwork, type Network, type NetworkHost } from './links.ts'

export interface Member {
  host: SharedHost
  network: NetworkHost
}

export interface CutCluster {
  cluster: SharedCluster
  database: PostgresCluster
  members: [Member, Member]
  ec2Port: number
  /** Instances that the jobs of the tests have asked for. */
  intended: number
  /** A job that runs on an agent launched for it. */
  running(pool: string): Promise<string>
  /**
   * Both lead and launch, what ran still runs, every idle instance ends, and the instances that EC2 has ever made are those that
   * were asked for.
   */
  expectNormal(busy: string[]): Promise<void>
  dispose(): Promise<void>
}

/** @param number of its network: another one in each test file */
export async function cutCluster(number: number): Promise<CutCluster> {
  const database = await postgresCluster()
  const network: Network = createNetwork(number, 2)
  const cluster = await sharedCluster({
    cli: inject('cli'),
    url: `${database.url().replace('127.0.0.1', network.addresses.database)}?sslmode=disable`,
    schema: 'cut',
    pools: 3,
    most: 6,
    address: network.addresses.cloud,
    provider: ['max_idle_agent_period: 5s'],
  })
  const ec2Port = Number(new URL(cluster.ec2.url).port)
  await network.forward('cloud', ec2Port)
  await network.forward('cloud', cluster.master.port)
  await network.forward('database', database.port)
  const [first, second] = network.hosts as [NetworkHost, NetworkHost]
  const [one, two] = (await started(cluster, {
    one: { wrapper: first.wrapper },
    two: { wrapper: second.wrapper },
  })) as [SharedHost, SharedHost]
  await spread(cluster, [one, two], [2, 1])

  const self: CutCluster = {
    ...{ cluster, database, ec2Port, intended: 0 },
    members: [
      { host: one, network: first },
      { host: two, network: second },
    ],
    async running(pool) {
      const job = cluster.submit(pool)
      self.intended++
      await expect.poll(() => cluster.isRunning(job), { timeout: 60_000, interval: 50 }).toBe(true)
      return job
    },
    async expectNormal(busy) {
      const hosts = [one, two]
      for (const pools of await spread(cluster, hosts, [2, 1])) {
        self.intended += pools.length
        await launchesFor(cluster, pools)
      }
      const jobs = [...cluster.world.work.keys()]
      await expect.poll(() => jobs.every(cluster.isRunning), { timeout: 60_000 }).toBe(true)
      expect(jobs).toEqual(expect.arrayContaining(busy))
      for (const job of jobs) cluster.finish(job)
      await expect.poll(() => cluster.live().length, { timeout: 90_000 }).toBe(0)
      for (const host of hosts) {
        const { pools, problems } = await host.status()
        const codes = [...problems, ...pools.flatMap((pool) => pool.problems)].map(({ code }) => code)
        expect(codes.filter((code) => code !== 'STATE_UNENCRYPTED')).toEqual([])
      }
      expect(cluster.ec2.world.vms.size).toBe(self.intended)
      expect([...cluster.violations, ...launchedTwice(cluster)]).toEqual([])
    },
    async dispose() {
      for (const host of network.hosts) host.mend('cloud', 'database')
      await cluster.dispose()
      await network.dispose()
      await database.dispose()
    },
  }
  return self
}

/** Calls of a host that change something at EC2. */
export function changes({ calls }: NetworkHost, from: number): string[] {
  return calls
    .filter(({ action, at }) => at >= from && /^(RunInstances|CreateFleet|TerminateInstances)$/.test(action))
    .map(({ action }) => action)
}
