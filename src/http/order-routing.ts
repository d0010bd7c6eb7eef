// Which provisioner of the cluster carries an order out: the one that leads the pool, or those that lead the pools of the
// instances.
import type { OrderPlace, SharedFleet } from './elsewhere.ts'
import {
  busyHere,
  carryOut,
  type IdsOrder,
  instancesOnceBegun,
  isBusy,
  isUnknown,
  type Order,
  replyOf,
} from './fleet-orders.ts'
import { type Removed, removedSchema } from './order-view.ts'
import { refusalSchema } from './reason-view.ts'
import { ok, type Reply } from './router.ts'

/** Rejects only for internal errors. */
export function carryOutAnywhere(fleet: SharedFleet, order: Order): Promise<Reply> {
  if ('ids' in order) return replyOf(() => ofInstances(fleet, order))
  const place = order.kind === 'adopt_orphans' ? 'orphans' : { pool: order.pool }
  return fleet.elsewhere.has(place)
    ? replyOf(() => fleet.elsewhere.order(place, order))
    : carryOut(fleet, order)
}

interface Part {
  /** Undefined: this process. */
  place: OrderPlace | undefined
  ids: string[]
}

/** Each id is known before anything is done. Each leader then checks its own again. */
async function ofInstances(fleet: SharedFleet, order: IdsOrder): Promise<Reply> {
  const { ids } = order
  const here = await instancesOnceBegun(fleet, ids)
  const others = ids.filter((id) => !here.has(id))
  if (others.length === 0) return carryOut(fleet, order)
  const there = await fleet.elsewhere.instances()
  const missing = others.filter((id) => !there.has(id))
  if (missing.length > 0) throw isUnknown(missing)
  const isForced = order.kind !== 'terminate' || order.force
  const busy = isForced ? [] : [...busyHere(fleet, ids), ...others.filter((id) => there.get(id)!.busy)]
  if (busy.length > 0) throw isBusy(busy)
  const parts = new Map<string, Part>()
  for (const id of ids) {
    const place = here.has(id) ? undefined : there.get(id)!.place
    const key = JSON.stringify(place ?? 'here')
    const part = parts.get(key) ?? { place, ids: [] }
    parts.set(key, part)
    part.ids.push(id)
  }
  return joined(
    await Promise.all(
      [...parts.values()].map(({ place, ids }) => {
        const own = { ...order, ids }
        return place ? replyOf(() => fleet.elsewhere.order(place, own)) : carryOut(fleet, own)
      }),
    ),
  )
}

/** A failure of one says in its details, in `done`, what the others have done. */
export function joined(replies: readonly Reply[]): Reply {
  if (replies.length === 1) return replies[0]!
  const done: Removed = { ids: [], waits: [] }
  for (const { value } of replies) {
    const { data } = removedSchema.safeParse(value)
    done.ids.push(...(data?.ids ?? []))
    done.waits.push(...(data?.waits ?? []))
  }
  const failed = replies.find(({ status }) => status !== 200)
  if (!failed) return ok(done)
  const { data } = refusalSchema.safeParse(failed.value)
  if (!data || done.ids.length === 0) return failed
  const { details, ...error } = data.error
  return { ...failed, value: { error: { ...error, details: { ...details, done: done.ids } } } }
}
