// A store of leases in memory, by the rules of the port: what a database does, on a clock that the test moves.
import { hasExited } from '../../src/platform/locks.ts'
import type { Candidate, Epoch, LeaseStore, LeaseView } from '../../src/state/leases/port.ts'

interface Row {
  epoch: Epoch
  holder: string
  expires: number
}

export interface MemoryLeases extends LeaseStore {
  view(): LeaseView
}

export function memoryLeases(now: () => number): MemoryLeases {
  const rows = new Map<string, Row>()
  const announced = new Map<string, Candidate & { expires: number }>()
  let nonces = 0

  const is = (row: Row | undefined, epoch: Epoch) =>
    row?.epoch.number === epoch.number && row.epoch.nonce === epoch.nonce

  const isGone = (id: string) => {
    const candidate = announced.get(id)
    return candidate !== undefined && hasExited(candidate)
  }
  const left = (id: string, expires: number) => (isGone(id) ? 0 : expires - now())

  function view(): LeaseView {
    return {
      candidates: [...announced.values()].map(({ expires, ...each }) => ({
        ...each,
        left: left(each.id, expires),
      })),
      leases: [...rows].map(([pool, { expires, ...row }]) => ({
        pool,
        ...row,
        left: left(row.holder, expires),
      })),
    }
  }

  return {
    view,
    async renew(self, held, ttl) {
      announced.set(self.id, { ...self, expires: now() + ttl })
      for (const [pool, epoch] of held) {
        const row = rows.get(pool)
        if (row && is(row, epoch) && row.holder === self.id && row.expires > now()) row.expires = now() + ttl
      }
      return view()
    },
    async take(pool, holder, ttl) {
      const row = rows.get(pool)
      if (row && left(row.holder, row.expires) > 0) return undefined
      const epoch = {
        number: (row?.epoch.number ?? 0) + 1,
        nonce: `n${nonces++}`,
        ...(row && { before: row.epoch.nonce }),
      }
      rows.set(pool, { epoch, holder, expires: now() + ttl })
      return epoch
    },
    async release(pool, epoch) {
      const row = rows.get(pool)
      if (row && is(row, epoch)) row.expires = now()
    },
    async leave(id) {
      announced.delete(id)
    },
  }
}
