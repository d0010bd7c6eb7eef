// A store of leases in memory, by the rules of the port: what a database does, on a clock that somebody else moves. For
// the simulation and tests.
import { hasExited } from '../../platform/index.ts'
import { type Candidate, type Epoch, isSameEpoch, type LeaseStore, type LeaseView } from './port.ts'

interface Row {
  epoch: Epoch
  holder: string
  expires: number
}

export interface MemoryLeases extends LeaseStore {
  view(): LeaseView
  /** The newest epoch of the pool, over or not. */
  newest(pool: string): Epoch | undefined
  /** Whether it is this one: the condition of every write. */
  isNewest(pool: string, epoch: Epoch): boolean
}

export function memoryLeases(now: () => number): MemoryLeases {
  const rows = new Map<string, Row>()
  const announced = new Map<string, Candidate & { expires: number }>()
  const newest = new Map<string, Epoch>()
  let terms = 0

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
    newest: (pool) => newest.get(pool),
    isNewest: (pool, epoch) => isSameEpoch(rows.get(pool)?.epoch, epoch),
    async renew(self, held, ttl) {
      announced.set(self.id, { ...self, expires: now() + ttl })
      for (const [pool, epoch] of held) {
        const row = rows.get(pool)
        if (row && isSameEpoch(row.epoch, epoch) && row.holder === self.id && row.expires > now())
          row.expires = now() + ttl
      }
      return view()
    },
    async take(pool, holder, ttl) {
      const row = rows.get(pool)
      if (row && left(row.holder, row.expires) > 0) return undefined
      const number = ++terms
      const epoch = { number, nonce: `n${number}`, ...(row && { before: row.epoch.nonce }) }
      newest.set(pool, epoch)
      rows.set(pool, { epoch, holder, expires: now() + ttl })
      return epoch
    },
    async release(pool, epoch) {
      const row = rows.get(pool)
      // The row goes, as in tables: nothing is written under it any more, and the next term follows none.
      if (isSameEpoch(row?.epoch, epoch)) rows.delete(pool)
    },
    async leave(id) {
      announced.delete(id)
    },
  }
}
