// Each waiting allocation gets one reason: what blocks it, or which room it is about to get.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { whyAllWait } from '../../../src/planner/index.ts'
import type { Policy, Snapshot } from '../../../src/planner/snapshot.ts'
import { neverRuns, type WaitReason } from '../../../src/planner/waiting.ts'
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
} from '../../support/planner.ts'
import { policies, snapshots } from '../../support/snapshots.ts'

function reasons(given: Partial<Snapshot>, rules: Partial<Policy> = {}): Record<string, WaitReason> {
  return Object.fromEntries(whyAllWait(snapshot(given), policy(rules), now))
}

function codes(given: Partial<Snapshot>, rules: Partial<Policy> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(reasons(given, rules)).map(([id, { code }]) => [id, code]))
}

const four = { offerings: [offering('m4', 4)] }

describe('the reason of a waiting allocation', () => {
  it('is its own, where several wait for different things', () => {
    const instances = [vm('i1'), coming('i2')]
    const agents = [idle('i1')]
    const pending = [
      work('old', 4, { since: now - 3 * second }),
      work('next', 4, { since: now - 2 * second }),
      work('late', 4, { since: now - second }),
      work('last', 4, { since: now }),
      work('huge', 7),
    ]
    expect(codes({ ...four, instances, agents, pending }, { maxInstances: 3 })).toEqual({
      old: 'AGENT_FREE',
      next: 'INSTANCE_STARTING',
      late: 'WORK_WAITS',
      last: 'MAX_REACHED',
      huge: 'NEVER_FITS',
    })
  })

  it('is room for the first by id of those that have waited equally long, in whatever order they are reported', () => {
    const since = now - second
    const [a, b, c] = [work('a', 4, { since }), work('b', 4, { since }), work('c', 4, { since })]
    for (const pending of [
      [a, b, c],
      [c, b, a],
      [b, a, c],
    ])
      expect(
        codes({ ...four, instances: [vm('i1')], agents: [idle('i1')], pending }, { maxInstances: 2 }),
      ).toEqual({
        a: 'AGENT_FREE',
        b: 'WORK_WAITS',
        c: 'MAX_REACHED',
      })
  })

  it('names the instance that is starting, since when, and when it is given up', () => {
    const { a } = reasons(
      { ...four, instances: [coming('i2', { knownSince: now - 5 * second })], pending: [work('a', 4)] },
      { bootTimeout: 60 * second },
    )
    expect(a).toEqual({
      code: 'INSTANCE_STARTING',
      numbers: { starting: 1 },
      instances: ['i2'],
      since: now - 5 * second,
      nextAt: now + 55 * second,
    })
  })

  it('is the launch itself until the cloud has named an instance', () => {
    const inFlight = [{ intentId: 'x', offerings: four.offerings, missing: 1 }]
    expect(codes({ ...four, inFlight, pending: [work('a', 4)] })).toEqual({ a: 'WORK_WAITS' })
  })

  it('is what stops launches, except for one that could not run anyway, or has room', () => {
    const holds = [{ code: 'PAUSED', stops: ['launch', 'remove'] }] as const
    const given = {
      ...four,
      holds,
      instances: [coming('i2')],
      pending: [work('a', 4, { since: now - second }), work('b', 4), work('huge', 12)],
    }
    expect(codes(given, { maxInstances: 2 })).toEqual({
      a: 'INSTANCE_STARTING',
      b: 'PAUSED',
      huge: 'EXCEEDS_MAX',
    })
  })

  it('is, beside what stops launches, what holds once they are possible again', () => {
    const holds = [{ code: 'PAUSED', stops: ['launch', 'remove'] }] as const
    const since = now - 60 * second
    const job = { job: 'j', maxSlots: 4 }
    const given = {
      ...four,
      holds,
      instances: [vm('i1'), vm('i2')],
      agents: [idle('i1', since), idle('i2', since)],
      pending: [work('unplaceable', 4, { since }), work('limited', 4, { ...job, jobRunningSlots: 4 })],
    }
    expect(codes(given)).toEqual({ unplaceable: 'WORK_UNPLACEABLE', limited: 'JOB_AT_MAX_SLOTS' })
    const large = { ...given, pending: [work('large', 16)] }
    expect(codes(large, { maxInstances: 3 })).toEqual({ large: 'EXCEEDS_MAX' })
    const others = { ...large, agents: [busy('i1'), busy('i2')] }
    expect(codes(others, { maxInstances: 4 })).toEqual({ large: 'MAX_REACHED' })
  })

  it('is the limit of the launch rate or the open breaker, with the time of the next launch', () => {
    const breaker = { state: 'open', until: now + 30 * second, failures: 3 } as const
    const { a } = reasons({ ...four, breaker, pending: [work('a', 4)] })
    expect(a).toMatchObject({ code: 'BREAKER_OPEN', nextAt: now + 30 * second })
  })

  it('is the refusal of the cloud, with the time of the next try', () => {
    const refused = { class: 'capacity', until: now + 20 * second, failures: 2 } as const
    const { a } = reasons({ offerings: [offering('m4', 4, { refused })], pending: [work('a', 4)] })
    expect(a).toMatchObject({ code: 'OFFERINGS_OUT_OF_CAPACITY', nextAt: now + 20 * second })
  })

  it('is the missing view while nothing can be decided', () => {
    expect(codes({ ...four, listing: undefined, pending: [work('a', 4)] })).toEqual({ a: 'LISTING_MISSING' })
  })

  it('is given for auxiliary allocations as well', () => {
    const full = { instances: [vm('i1')], agents: [busy('i1', { freeSlots: 0, freeAux: 1 })] }
    const pending = [work('a', 0, { since: now - second }), work('b', 0)]
    expect(codes({ ...four, ...full, pending }, { maxInstances: 1 })).toEqual({
      a: 'AGENT_FREE',
      b: 'MAX_REACHED',
    })
    expect(codes({ ...four, pending }, { maxAuxPerAgent: 0 })).toEqual({
      a: 'AUX_NOT_ALLOWED',
      b: 'AUX_NOT_ALLOWED',
    })
  })

  it('exists for every allocation, in any situation', () => {
    fc.assert(
      fc.property(snapshots, policies, (given, rules) => {
        const found = whyAllWait(given, rules, now)
        expect([...found.keys()].sort()).toEqual([...new Set(given.pending.map(({ id }) => id))].sort())
      }),
    )
  })
})

describe('a job that can never run', () => {
  const rules = policy({ maxInstances: 2, maxAuxPerAgent: 0 })
  const pool = { agents: [], instances: [], offerings: [offering('m4', 4)] }

  it('needs more than max_instances, a number that does not divide, or auxiliary room', () => {
    expect([1, 4, 8].map((slots) => neverRuns(slots, pool, rules))).toEqual(Array(3).fill(undefined))
    expect(neverRuns(12, pool, rules)).toBe('EXCEEDS_MAX')
    expect(neverRuns(6, pool, rules)).toBe('NEVER_FITS')
    expect(neverRuns(0, pool, rules)).toBe('AUX_NOT_ALLOWED')
  })

  it('may run on a large agent that is there', () => {
    expect(neverRuns(6, { ...pool, agents: [idle('x', now, { slots: 8 })] }, rules)).toBeUndefined()
  })

  it('may run with agents from elsewhere, but not with more of the pool than there may be', () => {
    const agents = [idle('i1'), idle('i2')]
    expect(neverRuns(12, { ...pool, agents }, rules)).toBeUndefined()
    expect(neverRuns(12, { ...pool, agents, instances: agents }, rules)).toBe('EXCEEDS_MAX')
  })

  it('is told by the plan with the same code', () => {
    for (const slots of [1, 3, 4, 5, 6, 8, 9, 12, 16, 40]) {
      const planned = codes({ ...four, pending: [work('a', slots)] }, { maxInstances: 2 })['a']
      const told = neverRuns(slots, pool, policy({ maxInstances: 2 }))
      expect([slots, planned]).toEqual([slots, told ?? 'WORK_WAITS'])
    }
  })
})
