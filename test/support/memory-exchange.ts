// An exchange in memory, by the rules of the port: for tests that need no database.

import { ProvisionError, problem } from '../../src/problems/index.ts'
import {
  type Exchange,
  mostWaiting,
  type NewOrder,
  type NewView,
  ordersKept,
} from '../../src/state/exchange/port.ts'
import { type Epoch, isSameEpoch } from '../../src/state/leases/port.ts'

interface StoredOrder extends NewOrder {
  expires: number
  isTaken: boolean
  answer?: string
}

/** `current`: the epoch that a lease has now. */
export function memoryExchange(now: () => number, current: (lease: string) => Epoch | undefined): Exchange {
  const views = new Map<string, NewView & { at: number; bodyAt: number }>()
  const orders = new Map<string, StoredOrder>()
  const isHeld = (lease: string, epoch: Epoch) => isSameEpoch(current(lease), epoch)

  return {
    async publish(given) {
      const written = given.filter(({ lease, epoch }) => isHeld(lease, epoch))
      for (const view of written) {
        const before = views.get(view.name)
        const body = view.body ?? before?.body
        const bodyAt = view.body ? now() : (before?.bodyAt ?? 0)
        views.set(view.name, { ...view, ...(body && { body }), at: now(), bodyAt })
      }
      return new Set(written.map(({ name }) => name))
    },
    async views() {
      return [...views.values()]
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map(({ name, epoch, summary, at }) => ({ name, epoch, summary, age: now() - at }))
    },
    async bodies(names) {
      return names.flatMap((name) => {
        const view = views.get(name)
        return view?.body ? [{ name, body: view.body, age: now() - view.bodyAt }] : []
      })
    },
    async place(order) {
      for (const [id, { expires }] of orders) if (expires < now() - ordersKept) orders.delete(id)
      const waiting = [...orders.values()].filter(({ isTaken, expires }) => !isTaken && expires > now())
      if (waiting.length >= mostWaiting)
        throw new ProvisionError(problem('ORDER_UNANSWERED', 'too many orders wait'))
      orders.set(order.id, { ...order, expires: now() + order.ttl, isTaken: false })
    },
    async take(held) {
      const found = [...orders.values()].filter(({ lease, isTaken, expires }) => {
        const epoch = held.get(lease)
        return !isTaken && expires > now() && epoch !== undefined && isHeld(lease, epoch)
      })
      for (const order of found) order.isTaken = true
      return found.map(({ id, lease, order, from }) => ({ id, lease, order, from }))
    },
    async answer(id, answer) {
      const order = orders.get(id)
      if (order?.isTaken) order.answer ??= answer
    },
    async answers(ids) {
      return new Map(
        ids.flatMap((id) => {
          const answer = orders.get(id)?.answer
          return answer === undefined ? [] : [[id, answer] as const]
        }),
      )
    },
    async withdraw(id) {
      return orders.get(id)?.isTaken === false && orders.delete(id)
    },
  }
}
