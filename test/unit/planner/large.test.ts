// Large inputs. What took time for each gang, or compared all sizes with all agents, would not end within a test.
import { describe, expect, it } from 'vitest'
import { plan } from '../../../src/planner/index.ts'
import type { Snapshot } from '../../../src/planner/snapshot.ts'
import {
  briefly,
  idle,
  minute,
  now,
  offering,
  policy,
  second,
  snapshot,
  vm,
  work,
} from '../../support/planner.ts'

const many = 100_000

function pending(slots: (n: number) => number, since = now): Snapshot['pending'] {
  return Array.from({ length: many }, (_, n) => ({ ...work(`w${n}`, slots(n)), since }))
}

/** Launches and removals by reason: how many instances each concerns. */
function counted(given: Partial<Snapshot>, maxInstances = 1_000_000): Record<string, number> {
  const counts: Record<string, number> = {}
  const rules = policy({ maxInstances, launchRate: undefined })
  for (const decision of plan(snapshot({ offerings: [offering('m8', 8)], ...given }), rules, now)) {
    const code = decision.reason.code
    const count = decision.kind === 'launch' ? decision.count : 'ids' in decision ? decision.ids.length : 1
    counts[`${decision.kind} ${code}`] = (counts[`${decision.kind} ${code}`] ?? 0) + count
  }
  return counts
}

describe(`${many} allocations`, () => {
  it('that each need several instances', () => {
    expect(counted({ pending: pending(() => 24) })).toEqual({ 'launch WORK_WAITS': 3 * many })
  })

  it('that each need several instances, as many as max_instances leaves room for', () => {
    const decisions = counted({ pending: pending(() => 24) }, 100_000)
    expect(decisions).toEqual({ 'launch WORK_WAITS': 99_999, 'hold MAX_REACHED': 1 })
  })

  it('of sizes that are all different', () => {
    const offerings = [offering('m4095', 4095)]
    const decisions = counted({ offerings, pending: pending((n) => 1 + n) })
    expect(decisions['hold NEVER_FITS']).toBeGreaterThan(90_000)
    expect(decisions['launch WORK_WAITS']).toBeGreaterThan(2000)
  })

  it('of many sizes that waited for long beside idle agents', () => {
    const ids = Array.from({ length: many }, (_, n) => `i${n}`)
    const given = {
      offerings: [offering('m4000', 4000)],
      instances: ids.map((id) => vm(id, { slots: 4000 })),
      agents: ids.map((id) => idle(id, now - 10 * minute, { slots: 4000 })),
      pending: pending((n) => 1 + (n % 4000), now - 10 * minute),
    }
    // The agents that did not get them are presumed sound, and the allocations unplaceable.
    expect(counted(given)['hold WORK_UNPLACEABLE']).toBe(4000)
  })
})

describe('gangs', () => {
  const [four, eight] = [offering('m4', 4, { preference: 2 }), offering('m8', 8, { preference: 1 })]
  const gangs = (count: number) => Array.from({ length: count }, (_, n) => work(`w${n}`, 16))

  it('share what one of them leaves over', () => {
    const there = { instances: [vm('a', { slots: 8 })], agents: [idle('a', now - second, { slots: 8 })] }
    expect(briefly({ ...there, offerings: [eight], pending: gangs(3) })).toEqual(['launch 5 m8/a'])
  })

  it('share it also where max_instances leaves no room to buy all', () => {
    const there = { instances: [vm('a', { slots: 8 })], agents: [idle('a', now - second, { slots: 8 })] }
    const given = { ...there, offerings: [eight], pending: gangs(3) }
    expect(briefly(given, { maxInstances: 4 })).toEqual(['launch 3 m8/a', 'hold MAX_REACHED'])
  })

  it('make room by removing idle agents of other sizes, not those that they use', () => {
    const given = {
      offerings: [eight],
      instances: [vm('a', { slots: 8 }), vm('b')],
      agents: [idle('a', now - 10 * minute, { slots: 8 }), idle('b', now - minute)],
      pending: [work('w', 24)],
    }
    const decisions = ['drain b ROOM_FOR_OTHER_WORK', 'hold MAX_REACHED']
    expect(briefly(given, { maxInstances: 3 })).toEqual(decisions)
  })

  it('take the next size where the preferred one is refused', () => {
    const refused = { class: 'capacity', until: now + minute, failures: 1 } as const
    expect(briefly({ offerings: [{ ...eight, refused }, four], pending: gangs(2) })).toEqual([
      'launch 8 m4/a',
    ])
  })
})
