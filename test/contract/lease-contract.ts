// The requirements for every store of leases, written once and run on each of them: see src/state/leases/port.ts.
import { afterEach, beforeEach, describe, expect } from 'vitest'
import { thisProcess } from '../../src/platform/locks.ts'
import type { Epoch, LeaseStore, LeaseView } from '../../src/state/leases/port.ts'
import { clausesFor, eventually } from '../../src/testing/clauses.ts'
import { candidate } from '../support/under-leases.ts'
import type { LeaseHarness, LeaseSubject } from './lease-harness.ts'
import { describeLeasedJournals } from './leased-journals.ts'

/** Milliseconds; no test takes so long. */
export const ttl = 60_000
const [one, two] = [candidate('one'), candidate('two')]
/** Nobody here can know whether it has exited. */
const elsewhere = { host: 'other-host', pid: 77, boot: 'another boot' }
const exited = { ...thisProcess(), start: 'long ago' }

const leftOf = ({ leases }: LeaseView, pool: string) => leases.find((lease) => lease.pool === pool)?.left ?? 0
const live = ({ candidates }: LeaseView) =>
  candidates
    .filter(({ left }) => left > 0)
    .map(({ id }) => id)
    .sort()
/** As views show it. */
const termOf = ({ number, nonce }: Epoch) => ({ number, nonce })
const holding = (pool: string, epoch: Epoch) => new Map([[pool, epoch]])
const none = new Map<string, Epoch>()

export function describeLeaseContract(name: string, subject: LeaseSubject): void {
  let harness: LeaseHarness
  let a: LeaseStore
  let b: LeaseStore

  async function taken(store: LeaseStore, pool: string, holder: string): Promise<Epoch> {
    const epoch = await store.take(pool, holder, ttl)
    if (!epoch) throw new Error(`${pool} was not free`)
    return epoch
  }

  describe(`the lease contract on ${name}`, () => {
    const clause = clausesFor(name, subject.can)

    beforeEach(async () => {
      harness = await subject.open()
      a = await harness.connect()
      b = await harness.connect()
    })
    afterEach(() => harness.dispose())

    describe('a lease', () => {
      clause('goes to one of two that take it at once, new or over', [], async () => {
        const pools = Array.from({ length: 10 }, (_, n) => `pool ${n}`)
        for (let term = 0; term < 3; term++) {
          const takes = pools.flatMap((pool) => [a.take(pool, 'one', ttl), b.take(pool, 'two', ttl)])
          const epochs = await Promise.all(takes)
          const winners = pools.map((_, n) => epochs.slice(2 * n, 2 * n + 2).filter(Boolean).length)
          expect(winners).toEqual(pools.map(() => 1))
          await harness.pass(ttl + 1)
        }
      })

      clause('has a larger number and another nonce with each term', [], async () => {
        const epochs: Epoch[] = []
        for (const store of [a, b, a]) {
          epochs.push(await taken(store, 'gpu', 'one'))
          await harness.pass(ttl + 1)
        }
        const released = await taken(b, 'gpu', 'one')
        await b.release('gpu', released)
        epochs.push(released, await taken(a, 'gpu', 'two'))
        const numbers = epochs.map(({ number }) => number)
        expect(numbers).toEqual([...numbers].sort((x, y) => x - y))
        expect([new Set(numbers).size, new Set(epochs.map(({ nonce }) => nonce)).size]).toEqual([5, 5])
      })

      clause('lasts as long as it is renewed', [], async () => {
        const epoch = await taken(a, 'gpu', 'one')
        for (let n = 0; n < 3; n++) {
          await harness.pass(ttl / 2)
          expect(leftOf(await a.renew(one, holding('gpu', epoch), ttl), 'gpu')).toBeGreaterThan(ttl / 2)
          expect(await b.take('gpu', 'two', ttl)).toBeUndefined()
        }
        await harness.pass(ttl + 1)
        expect(await b.take('gpu', 'two', ttl)).toBeDefined()
      })

      clause('that is over cannot be renewed, even if nobody took it', [], async () => {
        const epoch = await taken(a, 'gpu', 'one')
        await harness.pass(ttl + 1)
        expect(leftOf(await a.renew(one, holding('gpu', epoch), ttl), 'gpu')).toBeLessThanOrEqual(0)
        expect(await b.take('gpu', 'two', ttl)).toBeDefined()
      })

      clause('is renewed in its epoch and by its holder only', [], async () => {
        const epoch = await taken(a, 'gpu', 'one')
        await harness.pass(ttl / 2)
        const other = { ...epoch, nonce: '00000000-0000-4000-8000-000000000000' }
        await a.renew(one, holding('gpu', other), ttl)
        await a.renew(one, holding('gpu', { ...epoch, number: epoch.number + 1 }), ttl)
        await b.renew(two, holding('gpu', epoch), ttl)
        const view = await b.renew(two, none, ttl)
        expect(leftOf(view, 'gpu')).toBeLessThanOrEqual(ttl / 2)
        expect(leftOf(view, 'gpu')).toBeGreaterThan(0)
      })

      clause(
        'names the term that it followed: its holder may take it again, and know whether another led',
        [],
        async () => {
          const first = await taken(a, 'gpu', 'one')
          await harness.pass(ttl + 1)
          const again = await taken(a, 'gpu', 'one')
          await harness.pass(ttl + 1)
          const other = await taken(b, 'gpu', 'two')
          expect([first.before, again.before, other.before]).toEqual([undefined, first.nonce, again.nonce])
        },
      )

      clause('of an older epoch cannot be renewed or released', [], async () => {
        const old = await taken(a, 'gpu', 'one')
        await harness.pass(ttl + 1)
        const epoch = await taken(b, 'gpu', 'two')
        const view = await a.renew(one, holding('gpu', old), ttl)
        expect(view.leases).toMatchObject([{ pool: 'gpu', holder: 'two', epoch: termOf(epoch) }])
        await a.release('gpu', old)
        expect(await a.take('gpu', 'one', ttl)).toBeUndefined()
        expect(leftOf(await b.renew(two, holding('gpu', epoch), ttl), 'gpu')).toBeGreaterThan(0)
      })

      clause('that is released is free at once, and over for its holder', [], async () => {
        const epoch = await taken(a, 'gpu', 'one')
        await a.release('gpu', epoch)
        expect(leftOf(await a.renew(one, holding('gpu', epoch), ttl), 'gpu')).toBeLessThanOrEqual(0)
        expect(await b.take('gpu', 'two', ttl)).toBeDefined()
        await a.release('gpu', epoch)
        expect(await a.take('gpu', 'one', ttl)).toBeUndefined()
      })

      clause('that is answered late may be over: then it is worth nothing', [], async () => {
        const late = taken(a, 'gpu', 'one')
        await late
        await harness.pass(ttl + 1)
        const epoch = await taken(b, 'gpu', 'two')
        const view = await a.renew(one, holding('gpu', await late), ttl)
        expect(view.leases).toMatchObject([{ pool: 'gpu', holder: 'two', epoch: termOf(epoch) }])
      })

      clause('has the time of the store, whatever the clocks of the hosts show', [], async () => {
        for (const skew of [-300_000, 300_000]) {
          const clock = { now: () => Date.now() + skew, sleep: () => new Promise<void>(() => {}) }
          const store = await harness.connect(clock)
          const pool = `pool ${skew}`
          const self = { ...one, since: clock.now() }
          const epoch = await taken(store, pool, 'one')
          expect(await b.take(pool, 'two', ttl)).toBeUndefined()
          const left = leftOf(await store.renew(self, holding(pool, epoch), ttl), pool)
          expect([left > ttl / 2, left <= ttl]).toEqual([true, true])
          await harness.pass(ttl + 1)
          expect(leftOf(await store.renew(self, holding(pool, epoch), ttl), pool)).toBeLessThanOrEqual(0)
          expect(await b.take(pool, 'two', ttl)).toBeDefined()
        }
      })

      clause('can have any name', [], async () => {
        const names = ['provisioner', 'master', '@master', '@@master', 'pool/x', 'x', ' ', `"ü"'%\\ $1`]
        const epochs = new Map<string, Epoch>()
        for (const each of names) epochs.set(each, await taken(a, each, 'one'))
        const { leases } = await a.renew(one, epochs, ttl)
        expect(leases.map(({ pool, left }) => [pool, left > 0]).sort()).toEqual(
          names.map((each) => [each, true]).sort(),
        )
      })
    })

    describe('a provisioner', () => {
      clause('is announced as it is, until it leaves or stops renewing', [], async () => {
        const self = { ...one, since: 7, pools: ['gpu', 'ü "\''], wants: 'all' as const }
        await a.renew(self, none, ttl)
        const view = await b.renew(two, none, ttl)
        expect(live(view)).toEqual(['one', 'two'])
        expect(view.candidates.find(({ id }) => id === 'one')).toMatchObject(self)
        await a.renew({ ...self, pools: [] }, none, ttl)
        const { candidates } = await b.renew(two, none, ttl)
        expect(candidates.find(({ id }) => id === 'one')?.pools).toEqual([])
        await a.leave('one')
        expect(live(await b.renew(two, none, ttl))).toEqual(['two'])
        await harness.pass(ttl + 1)
        expect(live(await a.renew(one, none, ttl))).toEqual(['one'])
      })

      clause('of this machine that has exited is gone at once, and so are its leases', [], async () => {
        await a.renew({ ...one, ...exited }, none, ttl)
        await taken(a, 'gpu', 'one')
        const view = await b.renew(two, none, ttl)
        expect([live(view), leftOf(view, 'gpu') <= 0]).toEqual([['two'], true])
        const epoch = await taken(b, 'gpu', 'two')
        expect(leftOf(await b.renew(two, holding('gpu', epoch), ttl), 'gpu')).toBeGreaterThan(0)
        expect(await a.take('gpu', 'one', ttl)).toBeUndefined()
      })

      clause('of another machine, or still running, keeps its leases to their end', [], async () => {
        for (const [n, mark] of [elsewhere, {}].entries()) {
          const pool = `pool ${n}`
          const self = { ...one, ...mark, id: `of ${pool}` }
          await a.renew(self, none, ttl)
          await taken(a, pool, self.id)
          expect(await b.take(pool, 'two', ttl)).toBeUndefined()
          await a.leave(self.id)
          expect(await b.take(pool, 'two', ttl)).toBeUndefined()
        }
      })

      clause('and a pool that are long gone leave nothing behind', ['forgets'], async () => {
        const numbers: number[] = []
        for (let n = 0; n < 20; n++) {
          await a.renew(candidate(`start ${n}`), none, ttl)
          numbers.push((await taken(a, `pool ${n}`, `start ${n}`)).number)
        }
        await harness.pass(ttl + 660_000)
        await b.renew(two, none, ttl)
        await eventually(() => harness.rows!()).toEqual({ leases: 0, candidates: 1 })
        expect((await taken(b, 'pool 3', 'two')).number).toBeGreaterThan(Math.max(...numbers))
      })
    })

    describeLeasedJournals(clause, () => harness)
  })
}
