// What other provisioners of the cluster lead, from what they have published in the store.
import {
  type Elsewhere,
  type OrderPlace,
  type PoolPlace,
  readOrphans,
  readOrphansSummary,
  readSharedPool,
  readSharedSummary,
  type SharedPool,
  standbySummary,
} from '../http/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import { type Exchange, type StoredBody, type StoredView, unpacked } from '../state/index.ts'
import type { PlaceOrder } from './placed-orders.ts'
import { type SharedUnits, viewNameOf } from './work.ts'

export interface ElsewhereOptions {
  exchange: Exchange
  order: PlaceOrder
  /** Pools that are not led here, in the order in which they are shown. */
  names: () => string[]
  placeOf: (pool: string) => PoolPlace
  units: SharedUnits
}

export function createElsewhere(options: ElsewhereOptions): Elsewhere {
  const { exchange, names, placeOf, units } = options
  const isSearchedHere = () => units.leaderOf(units.unitOf('orphans'))?.self === true

  const views = () => exchange.views().catch((): StoredView[] => [])

  /** As the leader of the pool sees it; an earlier one is not asked. */
  function summaryOf(pool: string, found: readonly StoredView[]) {
    const place = placeOf(pool)
    const view = found.find(({ name }) => name === viewNameOf({ pool }))
    const isCurrent = view && view.epoch.number === place.leader?.epoch
    const summary = isCurrent ? readSharedSummary(view.summary) : undefined
    return summary && { ...summary, leader: place.leader, age: Math.max(0, Math.round(view!.age)) }
  }

  async function poolIn(body: StoredBody): Promise<SharedPool | undefined> {
    const pool = await readSharedPool(await unpacked(body.body).catch(() => undefined))
    if (!pool) return undefined
    const { leader } = placeOf(pool.details.pool)
    return { ...pool, details: { ...pool.details, leader, age: Math.max(0, Math.round(body.age)) } }
  }

  async function poolsIn(pools: readonly string[]): Promise<SharedPool[]> {
    const bodies = await exchange.bodies(pools.map((pool) => viewNameOf({ pool })))
    const found: SharedPool[] = []
    for (const pool of pools) {
      const body = bodies.find(({ name }) => name === viewNameOf({ pool }))
      const shared = body && (await poolIn(body))
      if (shared) found.push(shared)
    }
    return found
  }

  const orphans = async () => {
    if (isSearchedHere()) return undefined
    const [body] = await exchange.bodies([viewNameOf('orphans')])
    const found = body && readOrphans(await unpacked(body.body).catch(() => undefined))
    return found ?? { orphans: [], problems: [] }
  }

  return {
    has: (place) => (place === 'orphans' ? !isSearchedHere() : names().includes(place.pool)),
    async summaries() {
      const pools = names()
      const found = pools.length > 0 ? await views() : []
      return pools.map((pool) => summaryOf(pool, found) ?? standbySummary(pool, placeOf(pool)))
    },
    pools: async () => poolsIn(names()),
    async pool(name) {
      const summary = summaryOf(name, await exchange.views())
      const [found] = summary?.state === 'failed' ? [] : await poolsIn([name])
      if (found) return found
      const host = placeOf(name).leader?.host
      const who = host === undefined ? 'no provisioner leads it' : `the provisioner on ${host} leads it`
      const why = summary?.problems[0]?.message ?? 'it has not published anything that can be read here yet'
      throw new ProvisionError(
        problem(
          'POOL_NOT_RUNNING',
          `pool ${name} is not running here: ${who}${host === undefined ? '' : `; ${why}`}`,
        ),
      )
    },
    async orphansSummary() {
      if (isSearchedHere()) return undefined
      const view = (await views()).find(({ name }) => name === viewNameOf('orphans'))
      return (view && readOrphansSummary(view.summary)) ?? { orphans: 0, problems: [] }
    },
    orphans,
    async instances() {
      const found = new Map<string, { place: OrderPlace; busy: boolean }>()
      for (const { details, instances } of await poolsIn(names()))
        for (const { id, busy } of instances) found.set(id, { place: { pool: details.pool }, busy })
      for (const { id, next } of (await orphans())?.orphans ?? [])
        if (!found.has(id)) found.set(id, { place: 'orphans', busy: next === 'busy' })
      return found
    },
    order: options.order,
  }
}

/** Of a process that has the whole store. */
export const nothingElsewhere: Elsewhere = {
  has: () => false,
  summaries: async () => [],
  pools: async () => [],
  pool: (name) => Promise.reject(new TypeError(`pool ${name} is led here`)),
  orphansSummary: async () => undefined,
  orphans: async () => undefined,
  instances: async () => new Map(),
  order: () => Promise.reject(new TypeError('everything is led here')),
}
