// An explanation must show what the plan did, and its numbers must add up.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Explanation, explain } from '../../../src/planner/explain.ts'
import { plan } from '../../../src/planner/index.ts'
import type { Policy, Snapshot } from '../../../src/planner/snapshot.ts'
import {
  busy,
  coming,
  idle,
  now,
  offering,
  policy,
  second,
  snapshot,
  vm,
  work,
  works,
} from '../../support/planner.ts'
import { policies, snapshots } from '../../support/snapshots.ts'

function explained(given: Partial<Snapshot>, rules: Partial<Policy> = {}): Explanation {
  return explain(snapshot(given), policy(rules), now)
}

const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0)

describe('an explanation', () => {
  it('shows the waiting allocations, the room for them and what is bought', () => {
    const { demand, instances, room, decisions } = explained({
      instances: [vm('i1'), vm('i2'), coming('i3')],
      agents: [busy('i1', { freeSlots: 1, freeAux: 0 }), idle('i2')],
      pending: [work('a', 4), work('b', 4), work('c', 1), work('d', 4, { since: now - 60 * second })],
    })
    expect(demand).toMatchObject({ allocations: 4, slots: 13, aux: 0 })
    expect(demand.sizes).toEqual([
      { slots: 4, allocations: 3, fresh: 2 },
      { slots: 1, allocations: 1, fresh: 1 },
    ])
    expect(instances).toMatchObject({ live: 3, busy: 1, idle: 1, coming: 1, faulty: {} })
    expect(room).toEqual([
      { where: 'free', instances: 2, slots: 5, filled: 5, filledAux: 0 },
      { where: 'coming', instances: 1, slots: 4, filled: 4, filledAux: 0 },
      { where: 'to_buy', instances: 1, slots: 4, filled: 4, filledAux: 0 },
    ])
    expect(decisions).toMatchObject([{ kind: 'launch', count: 1, code: 'WORK_WAITS', ids: [] }])
    expect(decisions[0]!.offerings).toEqual(['on_demand/m4/a'])
  })

  it('counts auxiliary allocations and their room apart from slots', () => {
    const { demand, room } = explained(
      {
        instances: [vm('i1'), coming('i2')],
        agents: [busy('i1', { freeAux: 2 })],
        pending: [...works(4, 0), work('a', 2)],
      },
      { maxAuxPerAgent: 3 },
    )
    expect(demand).toMatchObject({ allocations: 5, slots: 2, aux: 4 })
    expect(demand.sizes).toEqual([{ slots: 2, allocations: 1, fresh: 1 }])
    expect(room).toEqual([
      { where: 'free', instances: 1, slots: 0, filled: 0, filledAux: 2 },
      { where: 'coming', instances: 1, slots: 4, filled: 2, filledAux: 2 },
    ])
  })

  it('names the faults of VMs, and remedies for blocked steps', () => {
    const { instances, decisions } = explained({
      instances: [vm('i1', { state: 'stopped' })],
      pending: [work('huge', 5)],
      offerings: [offering('m4', 4)],
    })
    expect(instances).toMatchObject({ live: 0, faulty: { STOPPED: 1 } })
    const never = decisions.find(({ code }) => code === 'NEVER_FITS')
    expect(never).toMatchObject({ kind: 'hold', allocations: ['huge'], numbers: { slots: 5, largest: 4 } })
    expect(never?.remedy).toMatch(/fewer slots/)
  })

  it('names the first ten allocations that are presumed unplaceable', () => {
    const ids = Array.from({ length: 12 }, (_, n) => `w${String(n).padStart(2, '0')}`)
    const { decisions } = explained({
      instances: ids.map((id) => vm(`i-${id}`)),
      agents: ids.map((id) => idle(`i-${id}`, now - 60 * second)),
      pending: ids.map((id) => work(id, 4, { since: now - 3600 * second })),
      unplaced: new Map(ids.map((id) => [id, { agents: ['i-0', 'i-1'], until: now }])),
    })
    const mark = decisions.filter(({ kind }) => kind === 'mark')
    expect(mark).toMatchObject([{ allocations: ids.slice(0, 10) }])
  })

  it('decides nothing on a view that is missing or too old', () => {
    const { instances, room, views, decisions } = explained({ demandAt: now - 60 * second })
    expect([instances, room]).toEqual([undefined, undefined])
    expect(views).toMatchObject({ demandAge: 60_000, listingAge: 1000, listingComplete: true })
    expect(decisions.map(({ code }) => code)).toEqual(['DEMAND_MISSING'])
  })

  it('lists all decisions of the plan, in their order', () => {
    fc.assert(
      fc.property(snapshots, policies, (given, rules) => {
        const reported = explain(given, rules, now).decisions.map(({ kind, code }) => [kind, code])
        expect(reported).toEqual(plan(given, rules, now).map(({ kind, reason }) => [kind, reason.code]))
      }),
    )
  })

  it('accounts for every slot of the waiting allocations: room, or a reason', () => {
    fc.assert(
      fc.property(snapshots, policies, (given, rules) => {
        const { demand, room = [], decisions } = explain(given, rules, now)
        const filled = sum(room.map((each) => each.filled))
        const unserved = sum(
          decisions
            .filter(({ kind }) => kind === 'hold')
            .map(({ numbers }) => (numbers['allocations'] ?? 0) * (numbers['slots'] ?? 0)),
        )
        for (const each of room) expect(each.filled).toBeLessThanOrEqual(each.slots)
        if (decisions.some(({ code }) => code === 'WORK_UNPLACEABLE'))
          expect(filled + unserved).toBeLessThanOrEqual(demand.slots)
        else expect(filled + unserved).toBe(demand.slots)
      }),
    )
  })
})
