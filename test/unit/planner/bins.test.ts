// Counting gives what a list of single agents gives, only quicker.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buy, createBins, type Kind, put, takeWhole, tiers, wholeBins } from '../../../src/planner/bins.ts'
import { IdleAgents, keepOrder } from '../../../src/planner/idle.ts'
import { idle, now, vm } from '../../support/planner.ts'

const tierNames = Object.keys(tiers) as Kind['tier'][]

const kindsOf = fc
  .uniqueArray(
    fc.record({
      tier: fc.constantFrom(...tierNames.slice(0, 3)),
      settled: fc.boolean(),
      size: fc.integer({ min: 1, max: 9 }),
      taken: fc.integer({ min: 0, max: 8 }),
      count: fc.integer({ min: 1, max: 5 }),
    }),
    { selector: ({ tier, settled, size, taken }) => `${tier} ${settled} ${size} ${Math.min(taken, size)}` },
  )
  .map((kinds) =>
    kinds.map(({ tier, settled, size, taken, count }): Kind => {
      const free = size - Math.min(taken, size)
      return { tier, settled, size, free, count, members: [], used: 0, filled: 0, aux: 0, filledAux: 0 }
    }),
  )

const steps = fc.array(
  fc.oneof(
    fc.record({
      step: fc.constant('put' as const),
      slots: fc.integer({ min: 1, max: 9 }),
      count: fc.nat(12),
    }),
    fc.record({
      step: fc.constant('take' as const),
      slots: fc.integer({ min: 1, max: 9 }),
      count: fc.nat(6),
    }),
    fc.record({ step: fc.constant('buy' as const), slots: fc.integer({ min: 1, max: 9 }), count: fc.nat(4) }),
  ),
  { maxLength: 12 },
)

interface Single {
  kind: Kind
  free: number
}

/**
 * The order in which room is used: the fullest fitting one of the first tier; among equals the smaller, then the settled,
 * then the one that is in use.
 */
function before(a: Single, b: Single): number {
  const rank = ({ kind, free }: Single) => [
    tiers[kind.tier],
    free,
    kind.size,
    kind.settled ? 0 : 1,
    free < kind.free ? 0 : 1,
  ]
  const [left, right] = [rank(a), rank(b)]
  const at = left.findIndex((part, index) => part !== right[index])
  return at < 0 ? 0 : left[at]! - right[at]!
}

describe('counted room', () => {
  it('holds as many allocations as single agents do, on the same agents', () => {
    fc.assert(
      fc.property(kindsOf, steps, (given, todo) => {
        // Copies: the bins change them, and a smaller counterexample is searched for with the same ones.
        const kinds = given.map((kind) => ({ ...kind }))
        const bins = createBins(kinds)
        const singles = kinds.flatMap((kind) =>
          Array.from({ length: kind.count }, (): Single => ({ kind, free: kind.free })),
        )
        const sum = (numbers: number[]) => numbers.reduce((all, one) => all + one, 0)
        const used = () => kinds.map(({ used }) => used)
        for (const { step, slots, count } of todo) {
          const whole = singles.filter(({ kind, free }) => kind.size === slots && free === slots)
          expect(wholeBins(bins, slots, () => true)).toBe(whole.length)
          if (step === 'buy' && count > 0) {
            buy(bins, kinds, slots, count, 1)
            const kind = kinds.find(({ tier, size }) => tier === 'bought' && size === slots)!
            for (let n = 0; n < count; n++) singles.push({ kind, free: slots })
          } else if (step === 'take') {
            const most = Math.min(count, whole.length)
            takeWhole(bins, slots, most, () => true)
            for (const single of whole.sort(before).slice(0, most)) single.free = 0
          } else if (step === 'put') {
            let left = count
            while (left > 0) {
              const single = singles.filter(({ free }) => free >= slots).sort(before)[0]
              if (!single) break
              for (; left > 0 && single.free >= slots; left--) single.free -= slots
            }
            expect(put(bins, slots, count, () => true)).toBe(count - left)
          }
          const of = (kind: Kind) => singles.filter((single) => single.kind === kind)
          // Of equals that are in use, it does not matter which one is filled.
          expect(sum(kinds.map(({ filled }) => filled))).toBe(
            sum(singles.map(({ kind, free }) => kind.free - free)),
          )
          expect(used()).toEqual(kinds.map((kind) => of(kind).filter(({ free }) => free < kind.free).length))
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('idle agents', () => {
  it('that are left are the first by id of those that are kept last, while more and more are used', () => {
    const members = fc.uniqueArray(
      fc.record({
        id: fc.integer({ min: 0, max: 99 }),
        ago: fc.integer({ min: 1, max: 5 }),
        connected: fc.boolean(),
      }),
      { selector: ({ id }) => id, minLength: 1, maxLength: 30 },
    )
    fc.assert(
      fc.property(
        members,
        fc.array(fc.nat(6), { maxLength: 8 }),
        fc.integer({ min: 1, max: 12 }),
        (given, more, least) => {
          const kind: Kind = {
            ...{ tier: 'ready', settled: true, size: 4, free: 4, used: 0, filled: 0, aux: 0, filledAux: 0 },
            count: given.length,
            members: given.map(({ id, ago, connected }) => {
              const name = `i${String(id).padStart(2, '0')}`
              return { instance: vm(name), agent: idle(name, now - ago, { connected }), phase: 'ready' }
            }),
          }
          const agents = new IdleAgents()
          for (const used of [0, ...more]) {
            kind.used = Math.min(given.length, kind.used + used)
            const left = [...kind.members]
              .sort(keepOrder)
              .slice(kind.used)
              .filter(({ agent }) => agent?.connected)
              .map(({ instance }) => instance.id)
            expect(agents.first([kind], () => least)).toEqual(
              left.length >= least ? left.sort().slice(0, 8) : [],
            )
          }
        },
      ),
    )
  })
})
