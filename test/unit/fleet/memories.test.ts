// The memory of failures: offerings, the breaker, launch errors, the launch rate.
import { describe, expect, it } from 'vitest'
import {
  breakerView,
  closedBreaker,
  forgetLaunchFailures,
  fullBudget,
  launchErrorOf,
  learn,
  noLaunchError,
  type OfferingMemory,
  recordFailedInstances,
  recordLaunchFailure,
  recordUsable,
  refusalGrowth,
  spend,
} from '../../../src/fleet/failures.ts'
import { spentAt } from '../../../src/planner/rules.ts'
import type { FailureClass, Instance, Offering } from '../../../src/planner/snapshot.ts'
import { delayAfter } from '../../../src/platform/backoff.ts'
import { problem } from '../../../src/problems/index.ts'
import type { LaunchFailure } from '../../../src/providers/contract.ts'

const now = Date.parse('2026-11-23T12:00:00Z')
const second = 1000
const minute = 60 * second
const hour = 60 * minute
const none = () => 0
const trouble = problem('PROVIDER_CAPACITY', 'out of stock')

function offering(zone: string, instanceType = 'm4'): Offering {
  return { instanceType, zone, capacityType: 'on_demand', slots: 4 }
}

function failure(failureClass: FailureClass, of?: Offering): LaunchFailure {
  return { class: failureClass, offering: of, missing: 1, problem: trouble }
}

describe('the wait after refusals', () => {
  it('doubles up to half an hour', () => {
    const waits = [1, 2, 3, 7, 50].map((n) => delayAfter(n, refusalGrowth.capacity, none) / second)
    expect(waits).toEqual([30, 60, 120, 1800, 1800])
  })

  it('is spread by up to a quarter, and never shortened', () => {
    const waits = [0, 0.5, 0.999].map((r) => delayAfter(1, refusalGrowth.capacity, () => r) / second)
    expect(waits).toEqual([30, 33.75, 37.493])
  })

  it.each(Object.entries(refusalGrowth))('allows at most ten calls for %s in the first hour', (_, growth) => {
    let calls = 0
    for (let at = 0; at < hour; at += delayAfter(calls, growth, none)) calls++
    expect(calls).toBeLessThanOrEqual(10)
  })
})

describe('the memory of offerings', () => {
  const [a, b] = [offering('a'), offering('b', 'n4')]
  const vm = { instanceType: 'n4', zone: 'b', capacityType: 'on_demand' } as Instance

  it('remembers each one that refused, longer each time', () => {
    const memory: OfferingMemory = new Map()
    learn(memory, [a, b], [vm], [failure('capacity', a)], now, none)
    expect([...memory]).toEqual([
      ['on_demand/m4/a', { class: 'capacity', failures: 1, until: now + 30 * second }],
    ])
    learn(memory, [a], [], [failure('quota', a)], now, none)
    expect(memory.get('on_demand/m4/a')).toEqual({ class: 'quota', failures: 2, until: now + minute })
  })

  it('treats a failure of the whole call as one of each offering', () => {
    const memory: OfferingMemory = new Map()
    learn(memory, [a, b], [], [failure('auth')], now, none)
    expect([...memory.keys()]).toEqual(['on_demand/m4/a', 'on_demand/n4/b'])
  })

  it('forgets an offering that gave VMs, but not one that gave some and then refused', () => {
    const memory: OfferingMemory = new Map()
    learn(memory, [a, b], [], [failure('capacity')], now, none)
    learn(memory, [a, b], [vm], [failure('capacity', b)], now, none)
    expect(memory.get('on_demand/n4/b')?.failures).toBe(2)
    learn(memory, [b], [vm], [], now, none)
    expect([...memory.keys()]).toEqual(['on_demand/m4/a'])
  })
})

describe('the breaker', () => {
  it('opens after three failed instances in a row, and lets one probe through after a minute', () => {
    const memory = closedBreaker()
    expect([1, 2, 3].map(() => recordFailedInstances(memory, now, now, none))).toEqual([false, false, true])
    expect(breakerView(memory, now)).toEqual({ state: 'open', until: now + minute, failures: 3 })
    expect(breakerView(memory, now + minute)).toEqual({ state: 'probing', failures: 3 })
  })

  it('is reset by a usable VM', () => {
    const memory = closedBreaker()
    recordFailedInstances(memory, now, now, none)
    recordFailedInstances(memory, now, now, none)
    recordUsable(memory)
    expect(recordFailedInstances(memory, now, now, none)).toBe(false)
    expect(breakerView(memory, now)).toEqual({ state: 'closed' })
  })

  it('waits longer after each failed probe, but not for VMs launched before it opened', () => {
    const memory = closedBreaker()
    for (let n = 0; n < 3; n++) recordFailedInstances(memory, now - hour, now, none)
    expect(recordFailedInstances(memory, now - hour, now + second, none)).toBe(false)
    expect(recordFailedInstances(memory, now + minute, now + hour, none)).toBe(true)
    expect(memory.until).toBe(now + hour + 2 * minute)
  })

  it('counts a probe that was launched in the millisecond in which it opened', () => {
    const memory = closedBreaker()
    for (let n = 0; n < 3; n++) recordFailedInstances(memory, now - hour, now, none)
    expect(recordFailedInstances(memory, now - 1, now + hour, none)).toBe(false)
    expect(recordFailedInstances(memory, now, now + hour, none)).toBe(true)
  })
})

describe('launch_error_timeout and launch_error_retries', () => {
  const rules = { timeout: 30 * second, retries: 3 }
  const fail = (memory = noLaunchError(), times = 1, at = now) => {
    for (let n = 0; n < times; n++) recordLaunchFailure(memory, rules, trouble, at, at)
    return memory
  }

  it("are those of Determined's provisioner: the failure after the retries lasts until the timeout after the last", () => {
    const memory = fail(undefined, 3)
    expect(launchErrorOf(memory, rules, now)).toBeUndefined()
    fail(memory)
    expect(launchErrorOf(memory, rules, now + 29 * second)).toBe(trouble)
    expect(launchErrorOf(memory, rules, now + 31 * second)).toBeUndefined()
    expect(launchErrorOf(memory, rules, now + 48 * hour)).toBeUndefined()
  })

  it('restart after a success, and after the timeout', () => {
    const memory = fail(undefined, 3)
    forgetLaunchFailures(memory)
    expect(launchErrorOf(fail(memory, 3), rules, now)).toBeUndefined()
    expect(launchErrorOf(fail(memory, 3, now + 48 * hour), rules, now + 48 * hour)).toBeUndefined()
    expect(launchErrorOf(fail(memory, 1, now + 48 * hour), rules, now + 48 * hour)).toBe(trouble)
  })

  it('are never lasting without a timeout', () => {
    expect(launchErrorOf(fail(undefined, 9), { timeout: 0, retries: 0 }, now)).toBeUndefined()
  })

  it('do not count our own pauses', () => {
    const memory = noLaunchError()
    recordLaunchFailure(memory, rules, trouble, now, now + hour)
    recordLaunchFailure(memory, rules, trouble, now + hour + second, now + 2 * hour)
    expect(memory.failures).toBe(2)
    recordLaunchFailure(memory, rules, trouble, now + 2 * hour + 31 * second, now + 3 * hour)
    expect(memory.failures).toBe(1)
  })
})

describe('the launch rate', () => {
  it('gives tokens back with time, never more than were taken', () => {
    const budget = fullBudget()
    const rules = { launchRate: 4 }
    for (let n = 0; n < 3; n++) spend(budget, rules, now)
    expect(budget).toEqual({ spent: 3, at: now })
    expect(spentAt(budget, rules, now + 15 * minute)).toBe(2)
    expect(spentAt(budget, rules, now + 10 * hour)).toBe(0)
    spend(budget, rules, now + 10 * hour)
    expect(budget).toEqual({ spent: 1, at: now + 10 * hour })
  })

  it('gives nothing back when a clock is set back', () => {
    const budget = { spent: 3, at: now }
    expect(spentAt(budget, { launchRate: 4 }, now - hour)).toBe(3)
  })
})
