// Which instances are outdated, and when the jobs of one have had their time.
import { describe, expect, it } from 'vitest'
import { isDrainOver, lifetimeOf } from '../../../src/planner/outdated.ts'
import { hour, now, vm } from '../../support/planner.ts'

const timed = {
  when: 'budget',
  maxUnavailable: { count: 1 },
  surge: { count: 1 },
  drainTimeout: hour,
} as const

describe('max_lifetime', () => {
  it('makes an instance outdated after nine tenths to all of it, always at the same time for one id', () => {
    const lives = Array.from({ length: 1000 }, (_, n) => lifetimeOf(`i-0${n.toString(16)}`, 10 * hour))
    expect(Math.min(...lives)).toBeGreaterThan(9 * hour)
    expect(Math.min(...lives)).toBeLessThan(9.01 * hour)
    expect(Math.max(...lives)).toBeLessThanOrEqual(10 * hour)
    expect(Math.max(...lives)).toBeGreaterThan(9.99 * hour)
    const middle = lives.filter((life) => life < 9.5 * hour).length
    expect(middle).toBeGreaterThan(450)
    expect(middle).toBeLessThan(550)
    expect(lifetimeOf('i-0abc', hour)).toBe(lifetimeOf('i-0abc', hour))
  })
})

describe('drain_timeout', () => {
  it('counts only for an outdated instance that the master has taken out of service', () => {
    const over = vm('i1', { drifted: ['image'], rolledSince: now - 2 * hour, drainedAt: now - hour })
    const { drainedAt: _, ...undrained } = over
    const { drifted: __, ...restored } = over
    expect(isDrainOver(over, { rollout: timed }, now)).toBe(true)
    expect(isDrainOver(undrained, { rollout: timed }, now)).toBe(false)
    expect(isDrainOver({ ...over, undrainDoubt: true }, { rollout: timed }, now)).toBe(false)
    expect(isDrainOver(restored, { rollout: timed }, now)).toBe(false)
    expect(isDrainOver(over, { rollout: { ...timed, drainTimeout: undefined } }, now)).toBe(false)
    expect(isDrainOver(over, { rollout: { ...timed, when: 'idle' } }, now)).toBe(false)
    expect(isDrainOver(over, {}, now)).toBe(false)
  })
})
