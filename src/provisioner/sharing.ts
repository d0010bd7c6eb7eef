// Where several provisioners share the state: each answers for all of them, through the store.
import type { Elsewhere, FleetControl, FleetRow } from '../http/index.ts'
import type { Clock, Logger } from '../platform/index.ts'
import type { Problem } from '../problems/index.ts'
import type { Candidate, Exchange } from '../state/index.ts'
import { createElsewhere, nothingElsewhere } from './elsewhere.ts'
import { createPlacedOrders } from './placed-orders.ts'
import { createPublishing } from './publishing.ts'
import { createSharedViews } from './shared-views.ts'
import { createTakenOrders } from './taken-orders.ts'
import type { SharedUnits } from './work.ts'

export interface SharingOptions {
  /** undefined where one process has the whole store. */
  exchange: Exchange | undefined
  fleet: FleetControl
  /** Of one pool. */
  rowsOf: (pool: string) => FleetRow[]
  units: SharedUnits
  /** Names of all units. */
  unitNames: () => Iterable<string>
  self: () => Pick<Candidate, 'host' | 'pid'>
  others: () => readonly Pick<Candidate, 'configured'>[]
  /** Pools with a provider in the configuration, and those of them that are not led here. */
  configured: readonly string[]
  notLed: () => string[]
  /** Why the leases cannot be renewed. */
  fault: () => Problem | undefined
  clock: Clock
  logger: Logger
}

export interface Sharing {
  readonly elsewhere: Elsewhere
  /** Publishes, and takes orders. */
  start(): void
  stop(): Promise<void>
}

export function createSharing(options: SharingOptions): Sharing {
  const { exchange, configured, others, self } = options
  if (!exchange) return { elsewhere: nothingElsewhere, start() {}, async stop() {} }
  const given = { ...options, exchange }
  const publishing = createPublishing(given)
  const views = createSharedViews(given)
  const orders = createTakenOrders({ ...given, names: options.unitNames, onCarriedOut: publishing.now })
  /** Then those that only others have: a configuration is being rolled out. */
  const names = () => {
    const unknown = others().flatMap((one) => one.configured.filter((pool) => !configured.includes(pool)))
    return [...options.notLed(), ...new Set(unknown)]
  }
  const { host, pid } = self()
  const stopping = new AbortController()
  return {
    elsewhere: createElsewhere({
      ...given,
      views,
      names,
      placeOf: options.fleet.placeOf,
      order: createPlacedOrders({ ...given, from: `${host}, process ${pid}`, signal: stopping.signal }),
    }),
    start() {
      views.start()
      publishing.start()
      orders.start()
    },
    async stop() {
      stopping.abort()
      await orders.stop()
      await publishing.stop()
      await views.stop()
    },
  }
}
