// The requirements for every store that provisioners share for views and orders: see src/state/exchange/port.ts.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import { type Exchange, mostWaiting, type NewOrder, type NewView } from '../../src/state/exchange/port.ts'
import type { Epoch } from '../../src/state/leases/port.ts'
import { clausesFor } from '../../src/testing/clauses.ts'

export interface ExchangeHarness {
  exchange: Exchange
  /** The same store over connections of its own. */
  other: Exchange
  /** Gives the lease to a new leader; returns its epoch. */
  lead(lease: string): Promise<Epoch>
  /** As if so many milliseconds had passed since all orders were placed. */
  age?(ms: number): Promise<void>
  /** How many orders are stored. */
  orders?(): Promise<number>
  dispose(): Promise<void>
}

export interface ExchangeSubject {
  can: readonly ('stores' | 'sessions')[]
  open(): Promise<ExchangeHarness>
}

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (body: Uint8Array) => new TextDecoder().decode(body)

export function describeExchangeContract(subjectName: string, subject: ExchangeSubject): void {
  let harness: ExchangeHarness
  let exchange: Exchange

  const view = (name: string, epoch: Epoch, summary: string, body?: string): NewView => ({
    ...{ name, lease: name, epoch, summary },
    ...(body !== undefined && { body: bytes(body) }),
  })
  const summaries = async () => (await exchange.views()).map(({ name, summary }) => [name, summary])
  const order = (lease: string, given: Partial<NewOrder> = {}): NewOrder => ({
    ...{ id: randomUUID(), lease, order: '{"kind":"pause"}', from: 'host a, process 7', ttl: 10_000 },
    ...given,
  })

  describe(`the exchange in ${subjectName}`, () => {
    const clause = clausesFor(subjectName, subject.can)
    beforeEach(async () => {
      harness = await subject.open()
      exchange = harness.exchange
    })
    afterEach(() => harness.dispose())

    describe('a view', () => {
      clause('is read by everybody, with its epoch and its age', [], async () => {
        const epoch = await harness.lead('gpu')
        expect(await exchange.publish([view('gpu', epoch, 'é "1"', 'whole')])).toEqual(new Set(['gpu']))
        await sleep(20)
        const [seen] = await harness.other.views()
        expect(seen).toMatchObject({ name: 'gpu', epoch, summary: 'é "1"' })
        expect(seen!.age).toBeGreaterThanOrEqual(15)
        expect(seen!.age).toBeLessThan(5_000)
        const [stored] = await harness.other.bodies(['gpu', 'none'])
        expect(text(stored!.body)).toBe('whole')
      })

      clause(
        'replaces the one before; without a body, that of before stays and grows older',
        [],
        async () => {
          const epoch = await harness.lead('gpu')
          await exchange.publish([view('gpu', epoch, '1', 'first')])
          await sleep(30)
          await exchange.publish([view('gpu', epoch, '2')])
          expect(await summaries()).toEqual([['gpu', '2']])
          const [stored] = await exchange.bodies(['gpu'])
          expect([text(stored!.body), stored!.age >= 25]).toEqual(['first', true])
          expect((await exchange.views())[0]!.age).toBeLessThan(stored!.age)
          await exchange.publish([view('gpu', epoch, '3', 'second')])
          expect(text((await exchange.bodies(['gpu']))[0]!.body)).toBe('second')
        },
      )

      clause('of an earlier leader is refused, and those of its other pools are not', [], async () => {
        const [old, cpu] = [await harness.lead('gpu'), await harness.lead('cpu')]
        const next = await harness.lead('gpu')
        await exchange.publish([view('gpu', next, 'new')])
        const late = [view('gpu', old, 'old'), view('cpu', cpu, 'cpu'), view('none', cpu, 'none')]
        expect(await exchange.publish(late)).toEqual(new Set(['cpu']))
        const forged = { ...next, nonce: old.nonce }
        expect(await exchange.publish([view('gpu', forged, 'forged')])).toEqual(new Set())
        expect(await summaries()).toEqual([
          ['cpu', 'cpu'],
          ['gpu', 'new'],
        ])
      })

      clause('of many pools may hang on one lease', [], async () => {
        const epoch = await harness.lead('@all')
        const views = ['a', 'b', 'c'].map((name) => ({ ...view(name, epoch, name, name), lease: '@all' }))
        expect((await exchange.publish(views)).size).toBe(3)
        expect((await exchange.bodies(['a', 'c'])).map(({ name }) => name).sort()).toEqual(['a', 'c'])
        expect(await exchange.publish([])).toEqual(new Set())
        expect(await exchange.bodies([])).toEqual([])
      })
    })

    describe('an order', () => {
      clause('is taken once, by the leader of its lease, in the order of arrival', [], async () => {
        const [gpu, cpu] = [await harness.lead('gpu'), await harness.lead('cpu')]
        const first = order('gpu', { order: 'é "1"\n' })
        const second = order('gpu')
        for (const each of [first, second, order('cpu')]) {
          await exchange.place(each)
          await sleep(2)
        }
        const leader = harness.other
        expect(await leader.take(new Map())).toEqual([])
        expect(await leader.take(new Map([['gpu', gpu]]))).toEqual(
          [first, second].map(({ ttl: _, ...each }) => each),
        )
        expect(await leader.take(new Map([['gpu', gpu]]))).toEqual([])
        expect(await leader.take(new Map([['cpu', cpu]]))).toMatchObject([{ lease: 'cpu' }])
      })

      clause('is not taken by an earlier leader, and waits for the next one', [], async () => {
        const old = await harness.lead('gpu')
        const placed = order('gpu')
        await exchange.place(placed)
        const next = await harness.lead('gpu')
        expect(await exchange.take(new Map([['gpu', old]]))).toEqual([])
        expect(await exchange.take(new Map([['gpu', next]]))).toMatchObject([{ id: placed.id }])
      })

      clause('is not taken again by the next leader', [], async () => {
        const old = await harness.lead('gpu')
        await exchange.place(order('gpu'))
        expect(await exchange.take(new Map([['gpu', old]]))).toHaveLength(1)
        const next = await harness.lead('gpu')
        expect(await exchange.take(new Map([['gpu', next]]))).toEqual([])
      })

      clause('is not taken after it expired', [], async () => {
        const gpu = await harness.lead('gpu')
        await exchange.place(order('gpu', { ttl: 20 }))
        await sleep(40)
        expect(await exchange.take(new Map([['gpu', gpu]]))).toEqual([])
      })

      clause('is answered once it was taken; the first answer counts', [], async () => {
        const gpu = await harness.lead('gpu')
        const [one, other] = [order('gpu'), order('gpu')]
        await exchange.place(one)
        await exchange.answer(one.id, 'too early')
        await exchange.place(other)
        await exchange.take(new Map([['gpu', gpu]]))
        expect(await exchange.answers([one.id, other.id])).toEqual(new Map())
        await exchange.answer(one.id, '{"status":200}')
        await exchange.answer(one.id, 'again')
        expect(await harness.other.answers([one.id, other.id])).toEqual(new Map([[one.id, '{"status":200}']]))
      })

      clause('can be withdrawn until it is taken', [], async () => {
        const gpu = await harness.lead('gpu')
        const [one, other] = [order('gpu'), order('gpu')]
        await exchange.place(one)
        expect(await exchange.withdraw(one.id)).toBe(true)
        await exchange.place(other)
        expect(await exchange.take(new Map([['gpu', gpu]]))).toMatchObject([{ id: other.id }])
        expect(await exchange.withdraw(other.id)).toBe(false)
        expect(await exchange.withdraw(randomUUID())).toBe(false)
      })

      clause('is refused when too many wait', [], async () => {
        for (let n = 0; n < mostWaiting; n++) await exchange.place(order('nobody'))
        await expect(exchange.place(order('nobody'))).rejects.toThrow(/^ORDER_UNANSWERED/)
      })

      clause('is removed some minutes after it expired', ['stores'], async () => {
        await exchange.place(order('gpu'))
        await exchange.place(order('gpu'))
        await harness.age!(3_600_000)
        await exchange.place(order('gpu'))
        expect(await harness.orders!()).toBe(1)
      })

      clause('is taken by one of several that ask at once', ['sessions'], async () => {
        const gpu = await harness.lead('gpu')
        const placed = Array.from({ length: 40 }, () => order('gpu'))
        for (const each of placed) await exchange.place(each)
        const held = new Map([['gpu', gpu]])
        const takes = Array.from({ length: 12 }, (_, n) => (n % 2 ? exchange : harness.other).take(held))
        const taken = (await Promise.all(takes)).flat().map(({ id }) => id)
        expect(taken.sort()).toEqual(placed.map(({ id }) => id).sort())
      })
    })
  })
}
