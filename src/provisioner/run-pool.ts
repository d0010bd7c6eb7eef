// One pool at work: its provider, its preflight, its fleet loop and its journal. Nothing here reaches another pool.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { DemandSource } from '../demand/source.ts'
import type { FleetEvent } from '../fleet/events.ts'
import { createPoolFleet, type PoolFleet } from '../fleet/pool-fleet.ts'
import type { Instance } from '../planner/instance.ts'
import { fileNameOf } from '../platform/file-name.ts'
import { openJournal } from '../platform/journal.ts'
import type { Clock, Logger, Metrics } from '../platform/ports.ts'
import { tellProblems } from '../platform/tell-problems.ts'
import type { Provider } from '../providers/contract.ts'
import type { Ownership } from '../providers/ownership.ts'
import { loadProvider } from '../providers/registry.ts'
import { type LaunchGate, launchGate } from './launch-gate.ts'
import { meteredDemand, meteredProvider } from './metered.ts'
import { poolSettings } from './pool-settings.ts'
import type { PreparedPool } from './prepare-pool.ts'

export interface RunPoolOptions {
  prepared: () => PreparedPool
  owner: Ownership
  stateDir: string
  env: Readonly<Record<string, string | undefined>>
  demand: DemandSource
  onEvent: (event: FleetEvent) => void
  clock: Clock
  logger: Logger
  metrics: Metrics
}

export interface RunningPool {
  readonly fleet: PoolFleet
  instances(): Instance[]
  /** False until the first complete listing: until then nobody can say that an instance is not ours. */
  hasListed(): boolean
  /** User data may have changed: the master is dialled again before anything more is launched. */
  renewed(): void
  /** Ends the loop, then what only this machine keeps running. */
  stop(): Promise<void>
}

const journalKind = 'fleet 1'

/** Throws a ProvisionError when the provider or the journal cannot be had. */
export async function runPool(options: RunPoolOptions): Promise<RunningPool> {
  const { prepared, owner, stateDir, clock, logger } = options
  const { pool } = prepared()
  const name = fileNameOf(pool.pool_name)
  const meter = { ...options, pool: pool.pool_name }
  const opening = await openProvider(options, join(stateDir, pool.provider.type, name))
  const { provider, hasListed } = noticeListing(meteredProvider(opening, meter))
  const opened = await openJournal(join(stateDir, 'fleet', `${name}.journal`), journalKind, clock.now())
  tellProblems(logger, opened.problems)
  const gate = launchGate(options)
  const fleet = createPoolFleet(
    {
      ...options,
      pool: pool.pool_name,
      owner,
      provider,
      demand: meteredDemand(options.demand, meter),
      journal: opened.journal,
      journalDamaged: opened.problems.length > 0,
      random: Math.random,
      newId: randomUUID,
      material: gate.material,
    },
    poolSettings(pool),
  )
  const running: RunningPool = {
    fleet,
    instances: () => fleet.status().instances,
    hasListed,
    renewed: () => void gate.ask().catch(() => {}),
    async stop() {
      gate.stop()
      await fleet.stop()
      await provider.close()
      await opened.journal.close()
    },
  }
  try {
    await begin(gate, fleet)
  } catch (error) {
    await running.stop().catch(() => {})
    throw error
  }
  return running
}

/** The first look of the loop should find the preflight answered, or it would wait for its next one. */
async function begin(gate: LaunchGate, fleet: PoolFleet): Promise<void> {
  await gate.ask()
  await fleet.start()
}

async function openProvider(options: RunPoolOptions, folder: string): Promise<Provider> {
  const { pool, setup } = options.prepared()
  const { create } = await loadProvider(pool.provider.type)
  return create({ ...options, config: pool.provider, master: setup.master, stateDir: folder })
}

function noticeListing(provider: Provider): { provider: Provider; hasListed: () => boolean } {
  let listed = false
  return {
    hasListed: () => listed,
    provider: {
      ...provider,
      async list(signal) {
        const listing = await provider.list(signal)
        listed ||= listing.complete
        return listing
      },
    },
  }
}
