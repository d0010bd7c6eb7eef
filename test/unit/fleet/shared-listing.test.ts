// Pools that share the listing of their location: how often the cloud is asked, and that nothing is decided later for it.
import { describe, expect, it } from 'vitest'
import { createPoolFleet, type PoolFleet } from '../../../src/fleet/index.ts'
import type { PoolSettings, SharedView } from '../../../src/fleet/run.ts'
import type { AgentState, Policy } from '../../../src/planner/snapshot.ts'
import { problem } from '../../../src/problems/index.ts'
import { shareCluster, type TimedListing } from '../../../src/providers/shared-cluster.ts'
import { type Cloud, createCloud, endInstance, type Faults, noFaults } from '../../../src/simulator/cloud.ts'
import { createDisk } from '../../../src/simulator/disk.ts'
import { simulatedCluster, simulatedProvider } from '../../../src/simulator/provider.ts'
import { createVirtualClock } from '../../../src/simulator/virtual-clock.ts'
import { userDataOf } from '../../../src/testing/order.ts'
import { minute, policy, second, now as start } from '../../support/planner.ts'
import { silentLogger } from '../../support/silent-logger.ts'

interface SharingPool {
  fleet: PoolFleet
  wants(slots: number): void
  /** Its agent joins, and gets the job. */
  works(id: string): void
  /** The job ends. */
  rests(): void
}

interface Sharing {
  cloud: Cloud
  faults: Faults
  calls: { lists: number; finds: string[][]; terminated: { at: number; ids: string[] }[] }
  findFails: boolean
  /** Its outcome is what every pool gets. */
  failedAttempt?: TimedListing
  /** When listings began, and agents were drained. */
  lists: number[]
  drains: Map<string, number>
  pools: SharingPool[]
  /** Seconds since the start. */
  seconds(): number
  pass(seconds: number): Promise<void>
}

async function startSharing(count: number, rules: Partial<Policy> = {}): Promise<Sharing> {
  const clock = createVirtualClock(start)
  const faults: Faults = { ...noFaults, latency: () => ({ there: 100, back: 100 }) }
  const cloud = createCloud({ clock, faults, catalogue: { m4: 4 } })
  const calls: Sharing['calls'] = { lists: 0, finds: [], terminated: [] }
  const lists: number[] = []
  const drains = new Map<string, number>()
  const whole = simulatedCluster(cloud, 'cluster')
  const cluster = shareCluster(
    async () => ({
      ...whole,
      list(signal) {
        calls.lists++
        lists.push((clock.now() - start) / second)
        return whole.list(signal)
      },
      find(ids, signal) {
        calls.finds.push(ids)
        if (sharing.findFails) return Promise.reject(new Error('a gateway'))
        return whole.find(ids, signal)
      },
    }),
    { clock, random: () => 0 },
  )
  const settings: PoolSettings = {
    policy: policy({ maxInstances: 5, ...rules }),
    offerings: [{ instanceType: 'm4', zone: 'a', capacityType: 'on_demand', slots: 4, preference: 0 }],
    launchError: { timeout: 0, retries: 0 },
    visibility: 60 * second,
  }
  let ids = 0
  const pools = Array.from({ length: count }, (_, n): SharingPool => {
    const owner = { clusterId: 'cluster', pool: `pool-${n}`, writerId: 'writer' }
    const listeners = new Set<(pool: string) => void>()
    const agents = new Map<string, AgentState>()
    const pending: { id: string; slots: number; since: number }[] = []
    const changed = () => {
      for (const listener of listeners) listener(owner.pool)
    }
    const provider = simulatedProvider(cloud, owner)
    const shared: SharedView = {
      async list(notBefore) {
        const all = sharing.failedAttempt ?? (await cluster.list(notBefore))
        return { ...all, instances: all.instances.filter(({ pool }) => pool === owner.pool) }
      },
      find: (wanted) => cluster.find(wanted),
    }
    const fleet = createPoolFleet(
      {
        pool: owner.pool,
        owner,
        ownWriters: new Set(['writer']),
        provider: {
          ...provider,
          list: () => Promise.reject(new Error('the pool must not list by itself')),
          terminate(wanted, signal) {
            calls.terminated.push({ at: (clock.now() - start) / second, ids: wanted })
            return provider.terminate(wanted, signal)
          },
        },
        shared,
        demand: {
          kind: 'built-in',
          read: async (pool) => ({
            pool,
            at: clock.now(),
            pending: [...pending],
            agents: [...agents.values()],
          }),
          onChange(listener) {
            listeners.add(listener)
            return () => listeners.delete(listener)
          },
          async drain(id) {
            drains.set(id, (clock.now() - start) / second)
            const agent = agents.get(id)
            if (agent) agents.set(id, { ...agent, draining: true, enabled: false })
            return agent !== undefined
          },
          undrain: async () => true,
          close: async () => {},
        },
        clock,
        isFirstStart: true,
        journal: createDisk(),
        random: () => 0,
        newId: () => `intent-${++ids}`,
        launchInputs: () => ({ kind: 'ready', userData: userDataOf('first'), version: '1', probe: false }),
        logger: silentLogger,
        metrics: { count() {}, gauge() {}, observe() {} },
      },
      settings,
    )
    return {
      fleet,
      wants(slots) {
        pending.push({ id: `job-${pending.length}`, slots, since: clock.now() })
        changed()
      },
      works(id) {
        pending.length = 0
        const ready = { connected: true, enabled: true, draining: false }
        agents.set(id, { id, slots: 4, freeSlots: 0, busy: true, ...ready })
        changed()
      },
      rests() {
        for (const [id, agent] of agents)
          agents.set(id, { ...agent, freeSlots: 4, busy: false, idleSince: clock.now() })
        changed()
      },
    }
  })
  const sharing: Sharing = {
    findFails: false,
    cloud,
    faults,
    calls,
    lists,
    drains,
    pools,
    seconds: () => (clock.now() - start) / second,
    async pass(seconds) {
      let over = false
      clock.after(seconds * second, () => {
        over = true
      })
      await clock.run(() => over)
    },
  }
  await Promise.all(pools.map(({ fleet }) => fleet.start()))
  // Their journals are new: what exists is settled by listings ten seconds apart.
  await sharing.pass(30)
  return sharing
}

const instancesOf = ({ cloud }: Sharing) => [...cloud.instances.values()].map(({ instance }) => instance)

describe('pools without instances', () => {
  it('have the cloud listed about once a minute, however many they are', async () => {
    for (const count of [1, 100]) {
      const sharing = await startSharing(count)
      const before = sharing.calls.lists
      await sharing.pass(10 * 60)
      const lists = sharing.calls.lists - before
      expect(lists).toBeGreaterThanOrEqual(9)
      expect(lists / (10 * 60)).toBeLessThanOrEqual(0.2)
      expect(sharing.calls.finds).toEqual([])
    }
  })

  it('launch at once for a job all the same', async () => {
    const sharing = await startSharing(3)
    await sharing.pass(5 * 60 + 17)
    const at = sharing.seconds()
    sharing.pools[1]!.wants(4)
    await sharing.pass(1)
    expect(instancesOf(sharing)).toMatchObject([{ pool: 'pool-1' }])
    expect((instancesOf(sharing)[0]!.launchedAt - start) / second - at).toBeLessThan(1)
  })

  it('have the cloud listed within seconds of a launch, not at the end of their minute', async () => {
    const sharing = await startSharing(1)
    const { length } = sharing.lists
    while (sharing.lists.length === length) await sharing.pass(1)
    sharing.pools[0]!.wants(4)
    await sharing.pass(20)
    expect(sharing.lists.length).toBeGreaterThan(length + 1)
  })

  it('notice an instance of another provisioner within a minute and a half', async () => {
    const sharing = await startSharing(2)
    await sharing.pass(3 * 60)
    const owner = { clusterId: 'cluster', pool: 'pool-0', writerId: 'other' }
    const offerings = [{ instanceType: 'm4', zone: 'a', capacityType: 'on_demand' as const, slots: 4 }]
    const intent = { id: 'x', count: 1, offerings }
    void simulatedProvider(sharing.cloud, owner).launch({ intent, owner, userData: userDataOf('first') })
    await sharing.pass(90)
    expect(sharing.pools[0]!.fleet.status().foreignWriters).toEqual(['other'])
    expect(sharing.pools[1]!.fleet.status().foreignWriters).toEqual([])
  })
})

describe('starting instances', () => {
  it('are looked up by id every two seconds, all pools together, and no more once they run', async () => {
    const sharing = await startSharing(5)
    sharing.faults.startsAfter = () => 30 * second
    await sharing.pass(60)
    for (const pool of sharing.pools) pool.wants(4)
    await sharing.pass(20)
    const during = sharing.calls.finds.length
    expect(during).toBeGreaterThanOrEqual(8)
    expect(during).toBeLessThanOrEqual(11)
    expect(sharing.calls.finds.at(-1)).toHaveLength(5)
    for (const { fleet } of sharing.pools) expect(fleet.status().instances[0]!.state).toBe('starting')
    await sharing.pass(14)
    for (const { fleet } of sharing.pools) expect(fleet.status().instances[0]!.state).toBe('running')
    const after = sharing.calls.finds.length
    await sharing.pass(60)
    expect(sharing.calls.finds.length).toBeLessThanOrEqual(after + 1)
  })

  it('that end before they run are replaced within seconds', async () => {
    const sharing = await startSharing(1)
    sharing.faults.startsAfter = () => 60 * second
    sharing.faults.lingersFor = () => 60 * minute
    await sharing.pass(60)
    sharing.pools[0]!.wants(4)
    await sharing.pass(14)
    const [first] = sharing.cloud.instances.values()
    endInstance(sharing.cloud, first!, 'Client.VolumeLimitExceeded')
    const at = sharing.seconds()
    for (let n = 0; n < 10 && sharing.cloud.instances.size < 2; n++) await sharing.pass(1)
    expect(sharing.cloud.instances.size).toBe(2)
    expect(sharing.seconds() - at).toBeLessThanOrEqual(4)
  })
})

describe('lookups that fail', () => {
  it('are a problem of the pool only as long as there is something to look up', async () => {
    const sharing = await startSharing(1)
    const [pool] = sharing.pools
    sharing.faults.startsAfter = () => 30 * second
    sharing.findFails = true
    await sharing.pass(60)
    pool!.wants(4)
    await sharing.pass(20)
    const messages = () => pool!.fleet.status().problems.map(({ message }) => message)
    expect(messages()).toEqual([expect.stringContaining('a gateway')])
    await sharing.pass(40)
    expect(pool!.fleet.status().instances[0]!.state).toBe('running')
    expect(messages()).toEqual([])
  })
})

describe('a listing that failed before a pool started', () => {
  it('is a problem of that pool, and shows it no instances', async () => {
    const sharing = await startSharing(1)
    const [pool] = sharing.pools
    pool!.wants(4)
    await sharing.pass(60)
    const shown = instancesOf(sharing)[0]!
    const attempt: TimedListing = {
      instances: [shown, { ...shown, id: 'other' }],
      complete: false,
      problems: [problem('PROVIDER_TRANSIENT', 'a page is missing')],
      startedAt: start - second,
      took: 0,
    }
    const idsOf = () => pool!.fleet.status().instances.map(({ id }) => id)
    sharing.failedAttempt = attempt
    await sharing.pass(90)
    expect(idsOf()).toEqual([shown.id])
    expect(pool!.fleet.status().problems).toMatchObject([{ code: 'PROVIDER_TRANSIENT' }])
    sharing.failedAttempt = { ...attempt, startedAt: start }
    await sharing.pass(90)
    expect(idsOf()).toEqual([shown.id, 'other'])
  })
})

describe('a pool that is stopped', () => {
  it('does not wait for a listing that nobody needs any more', async () => {
    const sharing = await startSharing(1)
    sharing.faults.latency = () => ({ there: 5 * minute, back: 100 })
    await sharing.pass(90)
    const from = sharing.seconds()
    let stoppedAt = 0
    void sharing.pools[0]!.fleet.stop().then(() => {
      stoppedAt = sharing.seconds()
    })
    await sharing.pass(40)
    expect(stoppedAt - from).toBeGreaterThanOrEqual(0)
    expect(stoppedAt - from).toBeLessThan(2)
  })
})

describe('idle instances', () => {
  it('are terminated within seconds of their drains, which share listings that began after them', async () => {
    const sharing = await startSharing(20, { maxIdle: 60 * second })
    for (const [n, { wants, works }] of sharing.pools.entries()) {
      wants(4)
      await sharing.pass(1)
      const { id } = instancesOf(sharing).find(({ pool }) => pool === `pool-${n}`)!
      works(id)
    }
    expect(sharing.calls.terminated).toEqual([])
    const before = sharing.calls.lists
    const idleFrom = sharing.seconds()
    for (const { rests } of sharing.pools) {
      rests()
      await sharing.pass(1)
    }
    await sharing.pass(75)
    const ends = sharing.calls.terminated
    expect(ends).toHaveLength(20)
    for (const [n, { at }] of ends.entries()) {
      expect(at - idleFrom - n).toBeGreaterThanOrEqual(60)
      expect(at - idleFrom - n).toBeLessThanOrEqual(75)
    }
    expect(sharing.calls.lists - before).toBeLessThanOrEqual((sharing.seconds() - idleFrom) / 2)
    expect(sharing.drains.size).toBe(20)
    for (const { at, ids } of ends)
      for (const id of ids)
        expect(sharing.lists.some((began) => began > sharing.drains.get(id)! && began < at)).toBe(true)
  })
})
