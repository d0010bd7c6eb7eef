// Orders of a program that embeds the provisioner: carried out here or, through the store, by the provisioner that leads the
// pool, as those of the command line are.
import type * as z from 'zod/mini'
import type { Elsewhere, OrderPlace } from './elsewhere.ts'
import { repliedBy } from './fleet-client.ts'
import type { FleetOrders } from './fleet-control.ts'
import { type IdsOrder, type Order, replyOf } from './fleet-orders.ts'
import { joined } from './order-routing.ts'
import {
  acceptedSchema,
  adoptedOrphansSchema,
  adoptedSchema,
  launchedSchema,
  removedSchema,
} from './order-view.ts'
import { ok } from './router.ts'

/** `elsewhere`: what others lead, as it is now. */
export function sharedOrders(own: FleetOrders, elsewhere: () => Elsewhere): FleetOrders {
  const has = (place: OrderPlace) => elsewhere().has(place)

  async function there<View>(
    place: OrderPlace,
    order: Order,
    schema: z.ZodMiniType<View, View>,
  ): Promise<View> {
    return repliedBy('the leader', await elsewhere().order(place, order), schema)
  }

  /** What is led elsewhere is known before anything is done. Ids that nobody knows are left out, as those of other owners. */
  async function ofInstances(
    ids: readonly string[],
    here: (ids: readonly string[]) => Promise<string[]>,
    orderOf: (ids: string[]) => IdsOrder,
  ): Promise<string[]> {
    const known = ids.length > 0 ? await elsewhere().instances() : new Map<string, { place: OrderPlace }>()
    const parts = new Map<string, { place: OrderPlace; ids: string[] }>()
    for (const id of ids) {
      const place = known.get(id)?.place
      if (!place) continue
      const key = JSON.stringify(place)
      const part = parts.get(key) ?? { place, ids: [] }
      parts.set(key, part)
      part.ids.push(id)
    }
    if (parts.size === 0) return here(ids)
    const rest = ids.filter((id) => !known.has(id))
    const replies = await Promise.all([
      replyOf(async () => ok({ ids: rest.length > 0 ? await here(rest) : [], waits: [] })),
      ...[...parts.values()].map(({ place, ids: those }) =>
        replyOf(() => elsewhere().order(place, orderOf(those))),
      ),
    ])
    return repliedBy('the leader', joined(replies), removedSchema).ids
  }

  return {
    check(pool) {
      if (!has({ pool })) own.check(pool)
    },
    async pause(pool) {
      if (!has({ pool })) return own.pause(pool)
      await there({ pool }, { kind: 'pause', pool }, acceptedSchema)
    },
    async resume(pool) {
      if (!has({ pool })) return own.resume(pool)
      await there({ pool }, { kind: 'resume', pool }, acceptedSchema)
    },
    async rollout(pool, order) {
      if (!has({ pool })) return own.rollout(pool, order)
      await there({ pool }, { kind: `${order}_rollout`, pool }, acceptedSchema)
    },
    async adopt(pool) {
      if (!has({ pool })) return own.adopt(pool)
      return (await there({ pool }, { kind: 'adopt', pool }, adoptedSchema)).writers
    },
    async adoptOrphans() {
      if (!has('orphans')) return own.adoptOrphans()
      return (await there('orphans', { kind: 'adopt_orphans' }, adoptedOrphansSchema)).writers
    },
    async launch(pool, count) {
      if (!has({ pool })) return own.launch(pool, count)
      return (await there({ pool }, { kind: 'launch', pool, count }, launchedSchema)).intent
    },
    drain: (ids) => ofInstances(ids, own.drain, (those) => ({ kind: 'drain', ids: those })),
    undrain: (ids) => ofInstances(ids, own.undrain, (those) => ({ kind: 'undrain', ids: those })),
    terminate: (ids) =>
      ofInstances(ids, own.terminate, (those) => ({ kind: 'terminate', ids: those, force: true })),
  }
}
