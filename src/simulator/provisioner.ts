// One life of a provisioner in the world: the real fleet loop over mortal, watched ports.

import type { DemandSource } from '../demand/source.ts'
import type { FleetEvent } from '../fleet/events.ts'
import { createPoolFleet, type PoolFleet } from '../fleet/pool-fleet.ts'
import type { LaunchMaterial, PoolSettings } from '../fleet/settings.ts'
import type { Clock, Logger, Metrics } from '../platform/ports.ts'
import type { Provider } from '../providers/contract.ts'
import type { Ownership } from '../providers/ownership.ts'
import type { Disk } from './disk.ts'
import { createLife, type Life } from './mortal.ts'
import type { Random } from './random.ts'
import { type Watcher, watchedDemand, watchedProvider } from './watch.ts'

export interface ProvisionerOptions {
  owner: Ownership
  clock: Clock
  provider: Provider
  demand: DemandSource
  disk: Disk
  random: Random
  settings: PoolSettings
  material: () => LaunchMaterial
  watcher: Watcher
  onEvent: (event: FleetEvent) => void
  /** A fault of the loop itself: always a violation. */
  onFault: (message: string, fields: unknown) => void
  onDeath: () => void
}

export interface Provisioner {
  readonly owner: Ownership
  readonly life: Life
  readonly fleet: Pick<PoolFleet, 'stop' | 'pause' | 'resume' | 'adopt' | 'remove' | 'reconfigure' | 'status'>
}

export type StartProvisioner = (options: ProvisionerOptions) => Provisioner

export function startProvisioner(options: ProvisionerOptions): Provisioner {
  const { owner, clock, provider, demand, disk, random, watcher, onEvent, onFault } = options
  const life = createLife(options.onDeath)
  const ids = random.fork('ids')
  const silent = () => {}
  const logger: Logger = { debug: silent, info: silent, warn: silent, error: onFault }
  const metrics: Metrics = { count: silent, gauge: silent, observe: silent }
  const fleet = createPoolFleet(
    {
      pool: owner.pool,
      owner,
      provider: life.mortal(watchedProvider(provider, watcher, () => clock.now())),
      demand: mortalDemand(life, watchedDemand(demand, watcher)),
      clock: life.mortal(clock),
      journal: life.mortal(disk),
      random: random.fork('jitter').next,
      newId: () => `intent-${ids.whole(0, 2 ** 31)}-${ids.whole(0, 2 ** 31)}`,
      material: options.material,
      logger,
      metrics,
      onEvent: (event) => life.alive && onEvent(event),
    },
    options.settings,
  )
  void fleet.start()
  return { owner, life, fleet }
}

/** A dead process hears of no changes either. */
function mortalDemand(life: Life, demand: DemandSource): DemandSource {
  return {
    ...life.mortal(demand),
    onChange: (listener) => demand.onChange((pool) => life.alive && listener(pool)),
  }
}
