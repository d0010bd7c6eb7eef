// A launch of its own for each gang, where the provider can place its instances near each other.
import { describe, expect, it } from 'vitest'
import type { LaunchDecision } from '../../../src/planner/decision.ts'
import { brief, coming, idle, now, offering, planned, vm, work, works } from '../../support/planner.ts'

type Given = Parameters<typeof planned>[0]
type Rules = Parameters<typeof planned>[1]

/** Launches with `gang` marked, and the other decisions. */
function separately(given: Given, rules: Rules = {}): string[] {
  return planned(given, { separateGangs: true, maxInstances: 1000, ...rules }).map(
    (decision) => `${brief(decision)}${decision.kind === 'launch' && decision.gang ? ' together' : ''}`,
  )
}

describe('a gang', () => {
  it('gets a launch of its own, apart from other gangs and from jobs on one instance', () => {
    const pending = [...works(2, 16), work('alone', 4), work('larger', 12)]
    expect(separately({ pending }).sort()).toEqual([
      'launch 1 m4/a',
      'launch 3 m4/a together',
      'launch 4 m4/a together',
      'launch 4 m4/a together',
    ])
    expect(planned({ pending }, { maxInstances: 1000 }).map(brief)).toEqual(['launch 12 m4/a'])
  })

  it('has the numbers of its own launch in the reason', () => {
    const decisions = planned({ pending: works(2, 8) }, { separateGangs: true, minInstances: 5 })
    const launches = decisions.filter((one): one is LaunchDecision => one.kind === 'launch')
    expect(launches.map(({ count, reason }) => [count, reason.code, reason.numbers])).toEqual([
      [2, 'WORK_WAITS', { forJobs: 2, forMin: 0 }],
      [2, 'WORK_WAITS', { forJobs: 2, forMin: 0 }],
      [1, 'BELOW_MIN', { forJobs: 0, forMin: 1 }],
    ])
  })

  it('is never marked without the policy', () => {
    for (const decision of planned({ pending: works(2, 8) })) expect(decision).not.toHaveProperty('gang')
  })

  it('uses what is there first; a single instance has nothing to be near to', () => {
    const there = { instances: [vm('i1'), coming('i2')], agents: [idle('i1')] }
    expect(separately({ ...there, pending: [work('w', 16)] })).toEqual(['launch 2 m4/a together'])
    expect(separately({ ...there, pending: [work('w', 12)] })).toEqual(['launch 1 m4/a'])
  })

  it('is launched as far as is allowed now', () => {
    expect(separately({ pending: works(2, 12), probe: true })).toEqual(['launch 1 m4/a', 'hold PROBE_FIRST'])
    const budget = { spent: 8, at: now }
    expect(separately({ pending: works(2, 12), budget }, { launchRate: 20, maxInstances: 10 })).toEqual([
      'launch 2 m4/a together',
      'hold LAUNCH_RATE_SPENT',
    ])
  })

  it('waits for the answers to earlier launches when there are many', () => {
    const decisions = separately({ pending: works(30, 8) })
    expect(decisions.filter((one) => one === 'launch 2 m4/a together')).toHaveLength(20)
    expect(decisions.at(-1)).toBe('hold LAUNCH_IN_FLIGHT')
    const inFlight = [{ intentId: 'a', offerings: [offering('m4', 4)], missing: 40 }]
    expect(separately({ pending: works(30, 8), inFlight })).toEqual(['hold LAUNCH_IN_FLIGHT'])
  })

  it('never takes more instances than without the policy', () => {
    const pending = [...works(3, 16), work('b', 12), work('c', 8), work('d', 5), work('e', 1), work('f', 0)]
    for (const maxInstances of [1, 3, 7, 9, 100])
      for (const minInstances of [0, 2]) {
        const count = (separateGangs: boolean) =>
          planned({ pending }, { separateGangs, maxInstances, minInstances }).reduce(
            (sum, one) => sum + (one.kind === 'launch' ? one.count : 0),
            0,
          )
        expect(count(true)).toBe(count(false))
      }
  })
})
