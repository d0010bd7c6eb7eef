// The search for orphans in the locations where instances of the cluster were launched.

import type { MasterConfig } from '../config/index.ts'
import type { DemandSource } from '../demand/index.ts'
import {
  type ClusterLocation,
  createOrphanWatch,
  type FleetEvent,
  guardedCluster,
  guardedDemand,
  keyOf,
  type OrphanStatus,
  type OrphanWatch,
  type OwnWriters,
} from '../fleet/index.ts'
import type { Clock, Logger, MayAct } from '../platform/index.ts'
import type { AnyProvider } from '../providers/index.ts'
import type { ClusterMemory } from './cluster-memory.ts'

export interface OrphansInput {
  /** In force. */
  config: () => MasterConfig
  memory: ClusterMemory
  /** Names of pools that ran with this state: a cloud may shorten or change names. */
  poolsEver: readonly string[]
  clusterId: string
  /** Every writer that is this provisioner. */
  ownWriters: OwnWriters
  /** Of which their names begin with. */
  provisionerId: string
  /** A pool that another provisioner of the cluster has in its configuration. */
  isElsewhere: (pool: string) => boolean
  providers: readonly AnyProvider[]
  /** Where the instances of a running pool are; undefined for a pool that does not run. */
  locationOf: (pool: string) => ClusterLocation | undefined
  /** False while the current file is invalid. */
  isFileTrusted: () => boolean
  demand: DemandSource
  /** Whether this process may still drain and terminate orphans; default: it may. */
  mayAct?: MayAct
  env: Readonly<Record<string, string | undefined>>
  clock: Clock
  logger: Logger
  onEvent: (event: FleetEvent) => void
}

export interface Orphans {
  /** Starts searching; `stop` stops it. */
  start(): void
  stop(): Promise<void>
  status(): OrphanStatus
  /** Terminates orphans on a person's order; returns the ids that are orphans. */
  remove(ids: readonly string[], how: 'when_idle' | 'even_if_busy'): string[]
  /** Cancels such orders; returns the ids of those that stay. */
  keep(ids: readonly string[]): Promise<string[]>
  /** Adopts all orphans of other writers; returns those writers. Rejects when that could not be stored. */
  adopt(): Promise<string[]>
  /** Instances of a pool were adopted: they stay our own when the pool is removed from the configuration. */
  rememberAdopted(pool: string, writers: readonly string[]): Promise<void>
  /** The agent of our own orphan may reconnect to the master, so that it can be observed idle. */
  mayReturn: OrphanWatch['mayReturn']
}

export function createOrphans(input: OrphansInput): Orphans {
  const { memory, providers, clusterId, env, clock, logger, mayAct = () => true, onEvent } = input
  const demand = guardedDemand(input.demand, mayAct)
  const definitionOf = (kind: string) => providers.find((definition) => definition.kind === kind)
  const watch = createOrphanWatch({
    refresh: memory.refresh,
    locations: memory.locations,
    async open({ provider, location }) {
      const definition = definitionOf(provider)
      if (!definition) throw new Error(`there is no provider of type ${provider}`)
      const stateDir = input.config().state_dir
      const context = { clusterId, stateDir, env, clock, logger, mayAct }
      const cluster = await definition.openCluster?.(location, context)
      return cluster && guardedCluster(cluster, mayAct)
    },
    onAccount: (place, account) => memory.addLocation({ ...place, account }),
    nameOf(place, shown) {
      const { poolShownAs } = definitionOf(place.provider) ?? {}
      return (poolShownAs && input.poolsEver.find((name) => poolShownAs(name) === shown)) ?? shown
    },
    isConfigured(place, shown) {
      const shownAs = definitionOf(place.provider)?.poolShownAs ?? ((name: string) => name)
      if (input.isElsewhere(shown)) return true
      return input.config().resource_pools.some(({ pool_name, provider }) => {
        if (provider?.type !== place.provider || shownAs(pool_name) !== shown) return false
        // The location of a pool that does not run is not known: its instances may be here.
        const here = input.locationOf(pool_name)
        return here === undefined || keyOf(here) === keyOf(place)
      })
    },
    isOwnWriter: (writer = '', pool) => input.ownWriters.has(writer) || memory.adopted(pool).has(writer),
    // It begins with our id, but is not one of our starts.
    isCopy: (writer = '', pool) =>
      !input.ownWriters.has(writer) &&
      !memory.adopted(pool).has(writer) &&
      writer.startsWith(`${input.provisionerId}-`),
    drained: memory,
    isFileTrusted: input.isFileTrusted,
    rules() {
      const { terminate_after, terminate_unknown } = input.config().orphans
      return {
        terminateAfter: Number.isFinite(terminate_after) ? terminate_after : undefined,
        terminateUnknown: terminate_unknown,
      }
    },
    makesMore: (place) =>
      input.config().resource_pools.some(({ pool_name, provider }) => {
        if (provider?.type !== place.provider) return false
        const here = input.locationOf(pool_name)
        const isHere = here === undefined || keyOf(here) === keyOf(place)
        return isHere && definitionOf(place.provider)?.separatesGangs?.(provider) === true
      }),
    demand,
    clock,
    logger,
    onEvent,
  })
  return {
    start: watch.start,
    stop: watch.stop,
    status: watch.status,
    remove: watch.remove,
    keep: watch.keep,
    mayReturn: watch.mayReturn,
    rememberAdopted: (pool, writers) => memory.adopt(writers.map((writer) => ({ writer, pool }))),
    async adopt() {
      const foreign = watch.status().orphans.filter(({ isOwn }) => !isOwn)
      const pairs = foreign.map(({ writerId = '', pool }) => ({ writer: writerId, pool }))
      await memory.adopt(pairs)
      watch.look()
      return [...new Set(pairs.map(({ writer }) => writer))]
    },
  }
}
