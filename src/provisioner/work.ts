// What is done by whoever leads: demand, the search for orphans, the pools. Which of it goes together depends on where
// demand comes from.
import type { DemandSource } from '../demand/index.ts'
import type { ClusterLocation, FleetEvent } from '../fleet/index.ts'
import type { OrderPlace } from '../http/index.ts'
import { leaseOfPool, type StateStore } from '../state/index.ts'
import { type DemandContext, type OpenedDemand, openDemand } from './demand.ts'
import type { Joins } from './joins.ts'
import type { Leading, Unit } from './leading.ts'
import { type MasterListener, openMasterListener } from './master-listener.ts'
import { createOrphans, type Orphans, type OrphansInput } from './orphans.ts'
import type { RunningPools, StartPools } from './pools.ts'
import { type Term, wholeTerm } from './term.ts'

/** Names of units that are no pools; a pool cannot have such a name. */
export const everything = '@all'
export const orphansOnly = '@orphans'

export interface WorkOptions
  extends Omit<DemandContext, 'mayReturn' | 'mayJoin' | 'hasOrphans' | 'term' | 'listener' | 'joins'>,
    Omit<OrphansInput, 'config' | 'demand' | 'locationOf' | 'onEvent' | 'clusterId' | 'mayAct'>,
    Omit<
      StartPools,
      'demand' | 'onListed' | 'onEvent' | 'stateDir' | 'provisionerId' | 'onLocation' | 'joins'
    > {
  /** Replaces the `demand` of the configuration. */
  given?: DemandSource
  /** Where a pool requires join proofs. */
  joins?: Joins | undefined
  /** In force. */
  configuration: OrphansInput['config']
  running: RunningPools
  store: StateStore
  onLocation: (place: ClusterLocation) => Promise<void>
  onEvent: (event: FleetEvent) => void
  /** Something has changed that nothing else tells. */
  onChange: () => void
  /** Instances that are processes on this machine. */
  localIds: () => string[]
}

export interface Work {
  /** What can be led, by name. */
  units: ReadonlyMap<string, Unit>
  /** The unit that a pool is part of. */
  unitOf(pool: string): string
  /** The unit that searches for orphans. */
  readonly searcher: string
  /** Opens what does not depend on who leads. Throws a ProvisionError. */
  open(): Promise<void>
  close(): Promise<void>
  /** While it is open here. */
  demand(): OpenedDemand | undefined
  /** Where our own master listens, or its standby. */
  listener(): { address: string; port: number } | undefined
  orphans(): Orphans | undefined
}

export function createWork(options: WorkOptions): Work {
  const { config, running, store, given } = options
  const pools = config.resource_pools.flatMap(({ pool_name, provider }) => (provider ? [pool_name] : []))
  // A Determined master answers everybody; what others push, and our own master, are in one process.
  const isShared = store.leases !== undefined && !given && config.demand.type === 'determined'
  let listener: MasterListener | undefined
  let demand: OpenedDemand | undefined
  let orphans: Orphans | undefined
  let stopHearing = () => {}

  const listening = async () => (listener ??= await openMasterListener(options))

  async function openTheDemand(term: Term): Promise<void> {
    demand = await openDemand({
      ...options,
      ...(given && { demand: given }),
      listener: listening,
      term,
      mayJoin: running.mayJoin,
      mayReturn: (pool, id) => orphans?.mayReturn(pool, id) ?? 'later',
      hasOrphans: (pool) => orphans?.status().orphans.some((orphan) => orphan.pool === pool) ?? false,
    })
    stopHearing = demand.onAgent?.(options.onChange) ?? (() => {})
    running.prepare({
      ...options,
      provisionerId: options.identity.provisionerId,
      stateDir: config.state_dir,
      demand: demand.source,
      onListed: (pool) => demand?.judge?.(pool),
    })
  }

  async function closeDemand(): Promise<void> {
    stopHearing()
    const closing = demand
    demand = undefined
    await closing?.close()
  }

  function searchOrphans(term: Term): Orphans {
    return createOrphans({
      ...options,
      config: options.configuration,
      clusterId: options.identity.clusterId,
      locationOf: running.locationOf,
      demand: demand!.source,
      mayAct: term.isCurrent,
    })
  }

  async function endOrphans(): Promise<void> {
    const ending = orphans
    orphans = undefined
    await ending?.stop()
  }

  const whole: Unit = {
    isServer: true,
    async lead(term) {
      await openTheDemand(term)
      // Before the pools: the master asks it about the agents that dial meanwhile.
      orphans = searchOrphans(term)
      await running.start(term)
      orphans.start()
    },
    again: () => pools.forEach(running.retry),
    async leave() {
      const local = options.localIds()
      await endOrphans()
      await Promise.all(pools.map(running.leave))
      // Local VMs stop with their pools; the next start must not wait for their agents.
      demand?.forget?.(local, 'the provisioner stopped')
      await closeDemand()
    },
    async abandon() {
      await Promise.all([endOrphans(), ...pools.map(running.abandon)])
      await closeDemand()
    },
  }

  const searching: Unit = {
    async lead(term) {
      orphans = searchOrphans(term)
      orphans.start()
    },
    leave: endOrphans,
    abandon: endOrphans,
  }

  function poolUnit(pool: string): Unit {
    return {
      lead: (term) => running.lead(pool, term),
      again: () => running.retry(pool),
      leave: () => running.leave(pool),
      abandon: () => running.abandon(pool),
    }
  }

  return {
    units: isShared
      ? new Map([
          ...pools.map((pool) => [leaseOfPool(pool), poolUnit(pool)] as const),
          [orphansOnly, searching],
        ])
      : new Map([[everything, whole]]),
    unitOf: (pool) => (isShared ? leaseOfPool(pool) : everything),
    searcher: isShared ? orphansOnly : everything,
    async open() {
      if (isShared) await openTheDemand(wholeTerm)
      // A standby answers that it is one; without leases nobody hears of this process before it serves.
      if (store.leases && !given && config.demand.type === 'built-in') await listening()
    },
    async close() {
      await running.stop()
      await closeDemand()
      await listener?.close()
    },
    demand: () => demand,
    listener: () => listener && { address: listener.address, port: listener.port },
    orphans: () => orphans,
  }
}

// How what is led is called in the store, for views and orders.

/** What the parts for sharing need to know about who leads what. */
export interface SharedUnits {
  unitOf(place: OrderPlace): string
  /** This process leads it, now. */
  epochOf: Leading['epochOf']
  leaderOf: Leading['leaderOf']
}

export function sharedUnits(
  work: () => Pick<Work, 'unitOf' | 'searcher'>,
  leading: () => Pick<Leading, 'epochOf' | 'leaderOf'>,
): SharedUnits {
  return {
    unitOf: (place) => (place === 'orphans' ? work().searcher : work().unitOf(place.pool)),
    epochOf: (unit) => leading().epochOf(unit),
    leaderOf: (unit) => leading().leaderOf(unit),
  }
}

/** No pool is called as the orphans are. */
export function viewNameOf(place: OrderPlace): string {
  return place === 'orphans' ? 'orphans' : `pool/${place.pool}`
}
