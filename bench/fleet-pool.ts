// One pool's loop with the real clock and a real journal, on a cloud and a master that respond at once.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DemandSource } from '../src/demand/source.ts'
import { createPoolFleet, type PoolFleet } from '../src/fleet/index.ts'
import { type Demand, fixedPeriods, type Instance } from '../src/planner/snapshot.ts'
import { systemClock } from '../src/platform/clock.ts'
import type { LaunchOrder, Provider } from '../src/providers/contract.ts'
import { openJournalFile } from '../src/state/folder/journal-file.ts'
import type { StoredJournal } from '../src/state/store.ts'

export interface BenchPool {
  fleet: PoolFleet
  instances: Instance[]
  demand: Pick<Demand, 'pending' | 'agents'>
  /** Notifies the loop that demand has changed. */
  change(): void
  close(): Promise<void>
}

const owner = { clusterId: 'cluster', pool: 'default', writerId: 'writer' }
const offering = { instanceType: 'm', zone: 'a', capacityType: 'on_demand', slots: 8, preference: 0 } as const
const logger = { debug() {}, info() {}, warn() {}, error() {} }
const userData = {
  script: '#!/bin/bash\n',
  encoding: 'plain' as const,
  packed: Buffer.from('#!/bin/bash\n'),
  bytes: { script: 12, packed: 12 },
  sha256: 'bench',
}

/** @param given a journal of the caller, instead of one in a temporary folder */
export async function startBenchPool(
  onLaunch: (order: LaunchOrder) => void,
  given?: StoredJournal,
): Promise<BenchPool> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  const own = await openJournalFile({
    file: join(folder, 'journal'),
    kind: 'fleet 1',
    now: Date.now(),
  })
  const journal = given ?? own.journal
  const listeners = new Set<(pool: string) => void>()
  const pool: BenchPool = {
    fleet: undefined as unknown as PoolFleet,
    instances: [],
    demand: { pending: [], agents: [] },
    change() {
      for (const listener of listeners) listener(owner.pool)
    },
    async close() {
      await pool.fleet.stop()
      await own.journal.close()
      rmSync(folder, { recursive: true })
    },
  }
  const provider: Provider = {
    kind: 'local',
    list: async () => ({ instances: pool.instances, complete: true, problems: [] }),
    async launch(order) {
      onLaunch(order)
      const made = Array.from({ length: order.intent.count }, () => instance(order.intent.id))
      pool.instances.push(...made)
      return { instances: made, failures: [] }
    },
    terminate: async (ids) => ({ terminated: ids, failures: [] }),
    slotsOf: async () => offering.slots,
    consoleStage: async () => undefined,
    close: async () => {},
  }
  const source: DemandSource = {
    kind: 'built-in',
    read: async (name) => ({ pool: name, at: Date.now(), ...pool.demand }),
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    drain: async () => true,
    undrain: async () => true,
    close: async () => {},
  }
  pool.fleet = createPoolFleet(
    {
      pool: owner.pool,
      owner,
      ownWriters: new Set([owner.writerId]),
      provider,
      demand: source,
      clock: systemClock,
      journal,
      random: Math.random,
      newId: randomUUID,
      launchInputs: () => ({ kind: 'ready', userData, version: '1', probe: false }),
      logger,
      metrics: { count() {}, gauge() {}, observe() {} },
    },
    {
      policy: {
        minInstances: 0,
        maxInstances: 100_000,
        maxIdle: 1_200_000,
        bootTimeout: 600_000,
        reconnectWait: 25_000,
        placementGrace: 30_000,
        maxAuxPerAgent: 100,
        launchRate: 100_000,
        ...fixedPeriods,
      },
      offerings: [offering],
      launchError: { timeout: 0, retries: 0 },
      visibility: 0,
    },
  )
  await pool.fleet.start()
  return pool
}

let made = 0

function instance(intentId?: string): Instance {
  return {
    id: `i-${(made++).toString(16).padStart(17, '0')}`,
    pool: owner.pool,
    state: 'running',
    launchedAt: Date.now(),
    instanceType: offering.instanceType,
    zone: offering.zone,
    capacityType: offering.capacityType,
    intentId,
    writerId: owner.writerId,
  }
}
