// The safety rules, which plan() applies first and the fleet applies again.
import { describe, expect, it } from 'vitest'
import {
  allowancesOf,
  hasNeverJoined,
  isDemandFresh,
  isListingCertain,
  isListingUsable,
  isLive,
  isShortOfSlots,
  mayTerminate,
  roomBelowMax,
} from '../../../src/planner/rules.ts'
import { busy, hour, idle, minute, now, policy, second } from '../../support/planner.ts'
import { sourcesBelow } from '../../support/sources.ts'

const drained = { drainedAt: now - 10 * second }
const draining = { draining: true, enabled: false }

describe('a VM may be terminated', () => {
  it('when its agent is idle and drained in a younger view', () => {
    const agent = idle('i', now, draining)
    expect(mayTerminate(drained, agent, now)).toBe(true)
    expect(mayTerminate(drained, agent, drained.drainedAt)).toBe(false)
    expect(mayTerminate(drained, idle('i'), now)).toBe(false)
    expect(mayTerminate({}, agent, now)).toBe(false)
  })

  it('when the master has no connected agent for it, unless that agent still has jobs', () => {
    expect(mayTerminate({}, undefined, now)).toBe(true)
    expect(mayTerminate({}, idle('i', now, { connected: false }), now)).toBe(true)
    expect(mayTerminate(drained, busy('i', { connected: false }), now)).toBe(false)
  })

  it('never while it is busy, except on a forced order, which needs no view of the master', () => {
    const agent = busy('i', draining)
    expect(mayTerminate(drained, agent, now)).toBe(false)
    expect(mayTerminate({ ...drained, ordered: 'when_idle' }, agent, now)).toBe(false)
    expect(mayTerminate({ ordered: 'even_if_busy' }, agent)).toBe(true)
  })
})

describe('views', () => {
  it('of the cloud must be complete to terminate, and have begun after the drain, however long ago', () => {
    const listing = { completeAt: now - hour, complete: true }
    expect(isListingCertain(listing)).toBe(true)
    expect(isListingCertain(listing, { drainedAt: now - hour - 1 })).toBe(true)
    expect(isListingCertain(listing, { drainedAt: now - hour })).toBe(false)
    expect(isListingCertain(listing, { drainedAt: now, ordered: 'when_idle' })).toBe(false)
    expect(isListingCertain(listing, { drainedAt: now, ordered: 'even_if_busy' })).toBe(true)
    expect(isListingCertain({ completeAt: now, complete: false })).toBe(false)
    expect(isListingCertain({ completeAt: now, complete: false }, { ordered: 'even_if_busy' })).toBe(false)
    expect(isListingCertain(undefined)).toBe(false)
  })

  it('of the cloud may be older and partial to launch, by twice the time that a listing takes', () => {
    const rules = policy()
    const older = now - rules.maxListingAge
    const took = 5 * minute
    const slow = { completeAt: older - 2 * took, took, complete: true }
    expect(isListingUsable(slow, rules, now)).toBe(true)
    expect(isListingUsable({ ...slow, completeAt: slow.completeAt - 1 }, rules, now)).toBe(false)
    expect(isListingUsable({ completeAt: older, complete: false }, rules, now)).toBe(true)
    expect(isListingUsable({ completeAt: older - 1, complete: true }, rules, now)).toBe(false)
    expect(isListingUsable(undefined, rules, now)).toBe(false)
  })

  it('of the master must be fresh', () => {
    const rules = policy()
    expect(isDemandFresh(now - rules.maxSnapshotAge, rules, now)).toBe(true)
    expect(isDemandFresh(now - rules.maxSnapshotAge - 1, rules, now)).toBe(false)
    expect(isDemandFresh(now - rules.maxSnapshotAge - 40 * second, rules, now, 20 * second)).toBe(true)
    expect(isDemandFresh(now - rules.maxSnapshotAge - 40 * second - 1, rules, now, 20 * second)).toBe(false)
    expect(isDemandFresh(undefined, rules, now)).toBe(false)
  })
})

describe('a failed VM', () => {
  it('has not joined within its boot timeout', () => {
    const rules = policy({ bootTimeout: 10 * minute })
    expect(hasNeverJoined({ knownSince: now - 10 * minute }, rules, now)).toBe(true)
    expect(hasNeverJoined({ knownSince: now - 10 * minute + 1 }, rules, now)).toBe(false)
    expect(hasNeverJoined({ knownSince: 0, joinedAt: 1 }, rules, now)).toBe(false)
  })

  it('has an agent that still has too few slots', () => {
    const rules = policy({ placementGrace: 30 * second })
    const joined = { slots: 4, joinedAt: now - 30 * second }
    expect(isShortOfSlots(joined, { slots: 3 }, rules, now)).toBe(true)
    expect(isShortOfSlots(joined, { slots: 3 }, rules, now - 1)).toBe(false)
    expect(isShortOfSlots({ slots: 4 }, { slots: 3 }, rules, now)).toBe(false)
    expect(isShortOfSlots(joined, { slots: 4 }, rules, now)).toBe(false)
    expect(isShortOfSlots(joined, undefined, rules, now)).toBe(false)
    expect(isShortOfSlots({ joinedAt: 0 }, { slots: 0 }, rules, now)).toBe(false)
  })
})

describe('launches', () => {
  it('are bounded by max_instances with all instances that may bill', () => {
    const states = ['starting', 'running', 'stopping', 'stopped', 'terminated', 'unknown'] as const
    expect(states.filter((state) => isLive({ state }))).toEqual(['starting', 'running', 'unknown'])
    expect(roomBelowMax({ live: 3, inFlight: 2 }, { maxInstances: 6 })).toBe(1)
    expect(roomBelowMax({ live: 3, inFlight: 2 }, { maxInstances: 4 })).toBe(-1)
  })

  it('report with the open breaker how many instances failed, and when the next may be launched', () => {
    const breaker = { state: 'open', until: now + minute, failures: 3 } as const
    const state = { probe: false, budget: { spent: 0, at: now }, breaker }
    const [allowance] = allowancesOf(
      'work',
      { coming: 0, inFlight: 0 },
      state,
      policy({ launchRate: undefined }),
      now,
    )
    expect(allowance).toEqual({
      code: 'BREAKER_OPEN',
      vms: 0,
      numbers: { failures: 3, retryAt: now + minute },
    })
  })

  it('for jobs share one probe; a person may launch another, also before the breaker would', () => {
    const state = { probe: true, budget: { spent: 6, at: now }, breaker: { state: 'closed' } as const }
    const waiting = { coming: 1, inFlight: 0 }
    const left = (asker: 'work' | 'person', given = {}) =>
      allowancesOf(asker, waiting, { ...state, ...given }, { launchRate: 10, maxInstances: 4 }, now).map(
        (a) => `${a.code} ${a.vms}`,
      )
    expect(left('work')).toEqual(['LAUNCH_RATE_SPENT 3', 'PROBE_FIRST 0'])
    expect(left('person')).toEqual(['LAUNCH_RATE_SPENT 3', 'PROBE_FIRST 1'])
    const open = { probe: false, breaker: { state: 'open', until: now, failures: 3 } }
    expect(left('work', open)).toEqual(['LAUNCH_RATE_SPENT 3', 'BREAKER_OPEN 0'])
    expect(left('person', open)).toEqual(['LAUNCH_RATE_SPENT 3', 'BREAKER_PROBING 1'])
    const probing = { probe: false, breaker: { state: 'probing', failures: 3 } }
    expect(left('work', probing)).toEqual(['LAUNCH_RATE_SPENT 3', 'BREAKER_PROBING 0'])
    expect(left('person', probing)).toEqual(['LAUNCH_RATE_SPENT 3', 'BREAKER_PROBING 1'])
  })
})

it('each rule is used in more than one file, or it belongs in the file that uses it', () => {
  const files = sourcesBelow('src').filter(({ path }) => /^src\/(planner|fleet)\/(?!rules)/.test(path))
  const rules = {
    mayTerminate,
    isListingCertain,
    isDemandFresh,
    isListingUsable,
    hasNeverJoined,
    isShortOfSlots,
  }
  const asked = Object.fromEntries(
    Object.keys(rules).map((name) => [
      name,
      files.flatMap(({ text }) => text.split(`${name}(`).slice(1)).length,
    ]),
  )
  for (const [name, times] of Object.entries(asked)) expect(times, name).toBeGreaterThan(1)
})
