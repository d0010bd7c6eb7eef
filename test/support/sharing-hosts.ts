// Provisioners of one cluster with the endpoints and the sharing of real ones, each over a socket of its own; who leads what
// is set by the test.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { OrphanStatus, PoolStatus } from '../../src/fleet/index.ts'
import { type Client, createLocalClient } from '../../src/http/client.ts'
import type { FleetControl, FleetOrders } from '../../src/http/fleet-control.ts'
import { controlHandler } from '../../src/http/fleet-endpoints.ts'
import { listenLocally } from '../../src/http/listen.ts'
import type { LeaderView } from '../../src/http/reason-view.ts'
import { sharedOrders } from '../../src/http/shared-orders.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { type Problem, ProvisionError, problem } from '../../src/problems/index.ts'
import { fleetRows, joinedAgents } from '../../src/provisioner/fleet-rows.ts'
import { createOrders } from '../../src/provisioner/orders.ts'
import type { Orphans } from '../../src/provisioner/orphans.ts'
import type { RunningPools } from '../../src/provisioner/pools.ts'
import type { ReadyPlan } from '../../src/provisioner/prepare.ts'
import { createSharing } from '../../src/provisioner/sharing.ts'
import { snapshotFileOf } from '../../src/provisioner/snapshot-file.ts'
import type { Exchange } from '../../src/state/exchange/port.ts'
import type { Epoch } from '../../src/state/leases/port.ts'
import { memoryExchange } from './memory-exchange.ts'
import type { PoolBench } from './pool-bench.ts'
import { silentLogger } from './silent-logger.ts'

export interface SharingHost {
  name: string
  client: Client
  /** Of a program that embeds it. */
  orders: FleetOrders
  /** Pools that could not be started. */
  failed: { pool: string; problems: Problem[] }[]
  orphans: OrphanStatus
  adopted: number
  /** Why its leases cannot be renewed. */
  fault: Problem | undefined
  stop(): Promise<void>
}

interface Lead {
  host: string
  epoch: Epoch
}

/** `pools`: each runs at whoever leads it. */
export function sharingHosts(pools: ReadonlyMap<string, PoolBench>) {
  const leads = new Map<string, Lead>()
  const exchange = memoryExchange(
    () => performance.now(),
    (lease) => leads.get(lease)?.epoch,
  )
  const pump = setInterval(() => {
    for (const bench of pools.values()) void bench.pass(0.5)
  }, 20)
  onTestFinished(() => clearInterval(pump))

  function statusOf(pool: string): PoolStatus {
    const status = pools.get(pool)!.fleet.status()
    return { ...status, pool, instances: status.instances.map((each) => ({ ...each, pool })) }
  }

  /** `store`: the exchange as this host reaches it. */
  async function host(name: string, store: Exchange = exchange): Promise<SharingHost> {
    const leaderOf = (unit: string): LeaderView | undefined => {
      const lead = leads.get(unit)
      const about = { pid: 7, writerId: `writer of ${lead?.host}`, since: 1 }
      return lead && { ...about, host: lead.host, epoch: lead.epoch.number, self: lead.host === name }
    }
    const isOwn = (unit: string) => leads.get(unit)?.host === name
    const failedHere = () => self.failed.filter(({ pool }) => isOwn(pool))
    const own = () =>
      [...pools.keys()].filter((pool) => isOwn(pool) && !failedHere().some((each) => each.pool === pool))
    const notLed = () => [...pools.keys()].filter((pool) => !isOwn(pool))
    const running = {
      get(pool: string) {
        if (own().includes(pool)) return { fleet: pools.get(pool)!.fleet }
        const code = pools.has(pool) ? 'POOL_NOT_RUNNING' : 'POOL_UNKNOWN'
        throw new ProvisionError(problem(code, `pool ${pool} is not here`))
      },
      all: () => own().map((pool) => ({ fleet: pools.get(pool)!.fleet })),
      starting: () => [],
    } as unknown as RunningPools
    const orphans = {
      remove: () => [],
      keep: async () => [],
      adopt: async () => [`adopted by ${name} ${++self.adopted}`],
      async rememberAdopted() {},
    } satisfies Pick<Orphans, 'remove' | 'keep' | 'adopt' | 'rememberAdopted'>
    const rowsOf = (pool: string) => {
      const plan = { onThisMachine: false, setup: { trust: {} } } as unknown as ReadyPlan
      return fleetRows(statusOf(pool), joinedAgents(statusOf(pool)), plan)
    }
    const fleet: FleetControl = {
      ...createOrders({ running, orphans: () => orphans, clock: systemClock }),
      about: () => ({
        ...{ version: '1', clusterId: 'c', writerId: name, demand: 'determined', startedAt: 0, now: 1 },
        standby: undefined,
      }),
      status: () => ({ pools: own().map(statusOf), failed: failedHere(), elsewhere: notLed() }),
      problems: () => [],
      fault: () => self.fault,
      orphans: () => (isOwn('@orphans') ? self.orphans : { orphans: [], problems: [] }),
      rows: () => own().flatMap(rowsOf),
      otherAgents: async () => [],
      placeOf: (pool) => ({ provider: pools.has(pool) ? 'aws' : 'none', leader: leaderOf(pool) }),
      snapshotOf: snapshotFileOf,
      events: async () => [],
    }
    const sharing = createSharing({
      exchange: store,
      fleet,
      rowsOf,
      units: {
        unitOf: (place) => (place === 'orphans' ? '@orphans' : place.pool),
        epochOf: (unit) => (isOwn(unit) ? leads.get(unit)!.epoch : undefined),
        leaderOf,
      },
      unitNames: () => [...pools.keys(), '@orphans'],
      self: () => ({ host: name, pid: 7 }),
      others: () => [],
      configured: [...pools.keys()],
      notLed,
      fault: () => self.fault,
      clock: systemClock,
      logger: silentLogger,
    })
    const dir = mkdtempSync(join(tmpdir(), 'host-'))
    const control = controlHandler({ ...fleet, elsewhere: sharing.elsewhere })
    const listener = await listenLocally(join(dir, 'control.sock'), [control], silentLogger)
    const self: SharingHost = {
      name,
      client: createLocalClient({ stateDir: dir, version: '1' }),
      orders: sharedOrders(fleet, () => sharing.elsewhere),
      failed: [],
      orphans: { orphans: [], problems: [] },
      adopted: 0,
      fault: undefined,
      stop: sharing.stop,
    }
    sharing.start()
    onTestFinished(async () => {
      await sharing.stop()
      await listener.close()
      rmSync(dir, { recursive: true })
    })
    return self
  }

  let number = 0
  return {
    exchange,
    host,
    lead(host: string, ...units: string[]) {
      for (const unit of units) leads.set(unit, { host, epoch: { number: ++number, nonce: `n${number}` } })
    },
    free(unit: string) {
      leads.delete(unit)
    },
  }
}
