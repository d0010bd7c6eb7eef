// What other provisioners of the cluster lead, from what they have published in the store.
import {
  type Elsewhere,
  type OrderPlace,
  type PoolPlace,
  problemView,
  readOrphans,
  readOrphansSummary,
  readSharedPool,
  readSharedSummary,
  type SharedPool,
  standbySummary,
  unavailable,
} from '../http/index.ts'
import { type Problem, ProvisionError, problem } from '../problems/index.ts'
import { type StoredBody, type StoredView, unpacked } from '../state/index.ts'
import type { PlaceOrder } from './placed-orders.ts'
import type { Known, SharedViews } from './shared-views.ts'
import { type SharedUnits, viewNameOf } from './work.ts'

export interface ElsewhereOptions {
  views: Pick<SharedViews, 'views' | 'bodies'>
  order: PlaceOrder
  /** Pools that are not led here, in the order in which they are shown. */
  names: () => string[]
  placeOf: (pool: string) => PoolPlace
  units: SharedUnits
  /** Why the leases cannot be renewed. */
  fault: () => Problem | undefined
}

export function createElsewhere(options: ElsewhereOptions): Elsewhere {
  const { views: shared, names, placeOf, units } = options
  const isSearchedHere = () => units.leaderOf(units.unitOf('orphans'))?.self === true

  /** Why it is not known who leads the pool, or whether what was published is still true. */
  function faultOf(pool: string, read: Problem | undefined): Problem | undefined {
    return read ?? (placeOf(pool).leader ? undefined : options.fault())
  }

  /** As the leader of the pool sees it; an earlier one is not asked, unless nobody can be. */
  function summaryOf(pool: string, { found, fault: read }: Known<StoredView>) {
    const { leader } = placeOf(pool)
    const fault = faultOf(pool, read)
    const view = found.find(({ name }) => name === viewNameOf({ pool }))
    const isCurrent = view && (fault || view.epoch.number === leader?.epoch)
    const summary = isCurrent ? readSharedSummary(view.summary) : undefined
    if (!summary) return standbySummary(pool, placeOf(pool), fault && [fault])
    const known = { ...summary, leader, age: Math.max(0, Math.round(view!.age)) }
    return fault ? unavailable(known, fault) : known
  }

  async function poolIn(body: StoredBody, read: Problem | undefined): Promise<SharedPool | undefined> {
    const pool = await readSharedPool(await unpacked(body.body).catch(() => undefined))
    if (!pool) return undefined
    const { leader } = placeOf(pool.details.pool)
    const details = { ...pool.details, leader, age: Math.max(0, Math.round(body.age)) }
    const fault = faultOf(details.pool, read)
    return { ...pool, details: fault ? unavailable(details, fault) : details }
  }

  async function poolsIn(pools: readonly string[]): Promise<Known<SharedPool>> {
    const { found: bodies, fault } = await shared.bodies(pools.map((pool) => viewNameOf({ pool })))
    const found: SharedPool[] = []
    for (const pool of pools) {
      const body = bodies.find(({ name }) => name === viewNameOf({ pool }))
      const known = body && (await poolIn(body, fault))
      if (known) found.push(known)
    }
    return { found, fault }
  }

  const orphans = async () => {
    if (isSearchedHere()) return undefined
    const { found, fault } = await shared.bodies([viewNameOf('orphans')])
    const known = found[0] && readOrphans(await unpacked(found[0].body).catch(() => undefined))
    const { orphans, problems } = known ?? { orphans: [], problems: [] }
    return { orphans, problems: [...(fault ? [problemView(fault)] : []), ...problems] }
  }

  return {
    has: (place) => (place === 'orphans' ? !isSearchedHere() : names().includes(place.pool)),
    async summaries() {
      const pools = names()
      const known = pools.length > 0 ? await shared.views() : { found: [], fault: undefined }
      return pools.map((pool) => summaryOf(pool, known))
    },
    async pools() {
      const { found, fault } = await poolsIn(names())
      return { pools: found, problems: fault ? [problemView(fault)] : [] }
    },
    async pool(name) {
      const summary = summaryOf(name, await shared.views())
      const { found, fault } =
        summary.state === 'failed' ? { found: [], fault: undefined } : await poolsIn([name])
      if (found[0]) return found[0]
      if (fault) throw new ProvisionError(fault)
      const host = placeOf(name).leader?.host
      const who = host === undefined ? 'no provisioner leads it' : `the provisioner on ${host} leads it`
      const why = summary.problems[0]?.message ?? 'it has not published anything that can be read here yet'
      throw new ProvisionError(
        problem(
          'POOL_NOT_RUNNING',
          `pool ${name} is not running here: ${who}${host === undefined ? '' : `; ${why}`}`,
        ),
      )
    },
    async orphansSummary() {
      if (isSearchedHere()) return undefined
      const { found } = await shared.views()
      const view = found.find(({ name }) => name === viewNameOf('orphans'))
      return (view && readOrphansSummary(view.summary)) ?? { orphans: 0, problems: [] }
    },
    orphans,
    async instances() {
      const found = new Map<string, { place: OrderPlace; busy: boolean }>()
      const known = await poolsIn(names())
      // An order must not miss instances that are there.
      if (known.fault) throw new ProvisionError(known.fault)
      for (const { details, instances } of known.found)
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
  pools: async () => ({ pools: [], problems: [] }),
  pool: (name) => Promise.reject(new TypeError(`pool ${name} is led here`)),
  orphansSummary: async () => undefined,
  orphans: async () => undefined,
  instances: async () => new Map(),
  order: () => Promise.reject(new TypeError('everything is led here')),
}
