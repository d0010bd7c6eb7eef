// The locations where instances of the cluster were launched, kept in `state_dir`, and the search for orphans in them.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod/mini'
import type { MasterConfig } from '../config/index.ts'
import type { DemandSource } from '../demand/index.ts'
import {
  type ClusterLocation,
  createOrphanWatch,
  type FleetEvent,
  keyOf,
  type OrphanStatus,
  type OrphanWatch,
  type OwnWriters,
} from '../fleet/index.ts'
import { type Clock, type Logger, writeFileAtomic } from '../platform/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import type { AnyProvider } from '../providers/index.ts'

const fileName = 'locations.json'

const kept = z.object({
  locations: z.array(
    z.object({
      provider: z.string(),
      location: z.record(z.string(), z.string()),
      account: z.optional(z.string()),
    }),
  ),
  /** Writers whose instances of a pool a person has adopted. */
  adopted: z.array(z.object({ writer: z.string(), pool: z.string() })),
  /** Instances whose agents were drained as orphans: undrained when their pool is configured again. */
  drained: z._default(z.array(z.string()), []),
})

/** What is kept about the cluster in addition to its pools. */
export interface ClusterMemory {
  locations(): readonly ClusterLocation[]
  /** On the disk when it returns: nothing is launched at a location that is not recorded. */
  addLocation(place: ClusterLocation): void
  adopted(pool: string): ReadonlySet<string>
  adopt(adopted: readonly { writer: string; pool: string }[]): void
  drained(): ReadonlySet<string>
  setDrained(ids: readonly string[]): void
}

/** Throws STATE_DIR_UNUSABLE for a file that this program did not write. */
export function openClusterMemory(stateDir: string): ClusterMemory {
  const file = join(stateDir, fileName)
  let { locations, adopted, drained } = read(file)
  const write = () =>
    writeFileAtomic(file, `${JSON.stringify({ locations, adopted, drained }, undefined, 2)}\n`)
  return {
    locations: () => locations,
    addLocation(place) {
      const known = locations.find((one) => keyOf(one) === keyOf(place))
      if (known && (known.account === place.account || place.account === undefined)) return
      locations = [...locations.filter((one) => one !== known), { ...known, ...place }]
      write()
    },
    adopted: (pool) => new Set(adopted.flatMap((one) => (one.pool === pool ? one.writer : []))),
    adopt(more) {
      const isKnown = ({ writer, pool }: { writer: string; pool: string }) =>
        adopted.some((one) => one.writer === writer && one.pool === pool)
      const added = more.filter(
        (one, n) =>
          !isKnown(one) &&
          more.findIndex((other) => other.writer === one.writer && other.pool === one.pool) === n,
      )
      if (added.length === 0) return
      adopted = [...adopted, ...added]
      write()
    },
    drained: () => new Set(drained),
    setDrained(ids) {
      if (ids.length === drained.length && ids.every((id) => drained.includes(id))) return
      drained = [...ids]
      write()
    },
  }
}

function read(file: string): z.output<typeof kept> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { locations: [], adopted: [], drained: [] }
    throw unusable(file, (error as Error).message)
  }
  try {
    return kept.parse(JSON.parse(text))
  } catch {
    throw unusable(file, 'its contents are not valid')
  }
}

function unusable(file: string, why: string): ProvisionError {
  return new ProvisionError(
    problem('STATE_DIR_UNUSABLE', `${file} cannot be used: ${why}`, {
      remedy: `Restore the file, or remove it: rm ${file} (locations that no pool uses any more are then no longer searched).`,
    }),
  )
}

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
  providers: readonly AnyProvider[]
  /** Where the instances of a running pool are; undefined for a pool that does not run. */
  locationOf: (pool: string) => ClusterLocation | undefined
  /** False while the current file is invalid. */
  isFileTrusted: () => boolean
  demand: DemandSource
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
  /** Adopts all orphans of other writers; returns those writers. */
  adopt(): string[]
  /** Instances of a pool were adopted: they stay our own when the pool is removed from the configuration. */
  rememberAdopted(pool: string, writers: readonly string[]): void
  /** The agent of our own orphan may reconnect to the master, so that it can be observed idle. */
  mayReturn: OrphanWatch['mayReturn']
}

export function createOrphans(input: OrphansInput): Orphans {
  const { memory, providers, clusterId, env, clock, logger, demand, onEvent } = input
  const definitionOf = (kind: string) => providers.find((definition) => definition.kind === kind)
  const watch = createOrphanWatch({
    locations: memory.locations,
    async open({ provider, location }) {
      const definition = definitionOf(provider)
      if (!definition) throw new Error(`there is no provider of type ${provider}`)
      return definition.openCluster?.(location, {
        clusterId,
        stateDir: input.config().state_dir,
        env,
        clock,
        logger,
      })
    },
    onAccount: (place, account) => memory.addLocation({ ...place, account }),
    nameOf(place, shown) {
      const { poolShownAs } = definitionOf(place.provider) ?? {}
      return (poolShownAs && input.poolsEver.find((name) => poolShownAs(name) === shown)) ?? shown
    },
    isConfigured(place, shown) {
      const shownAs = definitionOf(place.provider)?.poolShownAs ?? ((name: string) => name)
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
    adopt() {
      const foreign = watch.status().orphans.filter(({ isOwn }) => !isOwn)
      const pairs = foreign.map(({ writerId = '', pool }) => ({ writer: writerId, pool }))
      memory.adopt(pairs)
      watch.look()
      return [...new Set(pairs.map(({ writer }) => writer))]
    },
  }
}
