// Each row of the table in docs/internals/planner.md: what Determined's provisioner does, and what plan() does, on the
// same snapshot.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { Policy, Snapshot } from '../../../src/planner/snapshot.ts'
import { planAsDetermined } from '../../../src/simulator/determined-policy.ts'
import {
  brief,
  briefly,
  busy,
  coming,
  hour,
  idle,
  launched,
  minute,
  now,
  offering,
  planned,
  policy,
  removed,
  second,
  snapshot,
  vm,
  work,
  works,
} from '../../support/planner.ts'
import { root } from '../../support/sources.ts'

const rows: string[] = []

function row(name: string, body: () => void): void {
  rows.push(name)
  it(name, body)
}

function origin(
  given: Partial<Snapshot>,
  rules: Partial<Policy> = {},
  idleSince: Record<string, number> = {},
) {
  const timers = { idle: new Map(Object.entries(idleSince)), disconnected: new Map<string, number>() }
  return planAsDetermined(snapshot(given), policy(rules), now, timers).decisions
}

const ids = (count: number) => Array.from({ length: count }, (_, n) => `i${n}`)

describe("differences from Determined's provisioner", () => {
  row('free-slots', () => {
    const given = { instances: [vm('i1')], agents: [idle('i1')], pending: [work('w', 4)] }
    expect(launched(origin(given))).toBe(1)
    expect(planned(given)).toEqual([])
  })

  const waited = work('w', 4, { since: now - hour })

  row('unplaced-agent', () => {
    const given = { instances: [vm('i1')], agents: [idle('i1', now - minute)], pending: [waited] }
    expect(removed(origin(given))).toEqual([])
    expect(briefly(given)).toEqual(['drain i1 UNPLACED_ON_FREE_AGENT', 'mark w i1', 'launch 1 m4/a'])
  })

  row('unplaced-work', () => {
    const agents = [idle('i1', now - minute), idle('i2', now - minute)]
    const given = { instances: [vm('i1'), vm('i2')], agents, pending: [waited] }
    expect(launched(origin(given))).toBe(1)
    expect(briefly(given)).toEqual(['mark w i1,i2', 'hold WORK_UNPLACEABLE'])
    const later = { ...given, unplaced: new Map([['w', { agents: ['i1', 'i2'], until: now + minute }]]) }
    expect(briefly(later)).toEqual(['hold WORK_UNPLACEABLE'])
  })

  row('job-limit', () => {
    const pending = works(3, 4, { job: 'j', maxSlots: 8, jobRunningSlots: 4 })
    expect(launched(origin({ pending }))).toBe(2)
    expect(briefly({ pending })).toEqual(['launch 1 m4/a', 'hold JOB_AT_MAX_SLOTS'])
  })

  row('in-flight', () => {
    const inFlight = [{ intentId: 'a', offerings: [offering('m4', 4)], missing: 2 }]
    const given = { pending: works(2, 4), inFlight }
    expect(launched(origin(given))).toBe(2)
    expect(launched(planned(given))).toBe(0)
  })

  row('joined-then-failed', () => {
    const joined = { knownSince: now - 3 * minute, joinedAt: now - 2 * minute, lostSince: now - minute }
    const given = { instances: [vm('i1', joined)], pending: [work('w', 4)] }
    expect(launched(origin(given))).toBe(0)
    expect(launched(planned(given))).toBe(1)
  })

  row('cloud-clock', () => {
    const skewed = coming('i1', { knownSince: now - second, launchedAt: now - hour })
    const given = { instances: [skewed], pending: [work('w', 4)] }
    expect(launched(origin(given))).toBe(1)
    expect(planned(given)).toEqual([])
  })

  row('drain-first', () => {
    const given = { instances: [vm('i1')], agents: [idle('i1', now - hour)] }
    expect(origin(given, {}, { i1: now - hour }).map(brief)).toEqual(['terminate i1 LONG_IDLE'])
    expect(briefly(given)).toEqual(['drain i1 LONG_IDLE'])
    const drained = [vm('i1', { drainedAt: now - minute })]
    const seen = [idle('i1', now - hour, { draining: true, enabled: false })]
    expect(briefly({ instances: drained, agents: seen })).toEqual(['terminate i1 LONG_IDLE'])
  })

  const stopped = [vm('s1', { state: 'stopped' }), vm('s2', { state: 'stopped' })]

  row('stopped-above-max', () => {
    const given = {
      instances: [...stopped, ...ids(4).map((id) => vm(id))],
      agents: ids(4).map((id) => idle(id)),
    }
    expect(removed(origin(given, { maxInstances: 2 }))).toEqual(['s1', 's2'])
    expect(removed(planned(given, { maxInstances: 2 }))).toEqual(['i2', 'i3', 's1', 's2'])
  })

  row('stopped-above-min', () => {
    const since = now - hour
    const given = {
      instances: [...stopped, vm('i0'), vm('i1')],
      agents: [idle('i0', since), idle('i1', since)],
    }
    const timers = { i0: since, i1: since }
    expect(removed(origin(given, {}, timers))).toEqual(['s1', 's2'])
    expect(removed(planned(given))).toEqual(['i0', 'i1', 's1', 's2'])
  })

  row('busy-above-max', () => {
    const given = {
      instances: [vm('i0'), vm('i1', { knownSince: now - minute })],
      agents: [busy('i0'), busy('i1')],
    }
    expect(origin(given, { maxInstances: 1 }).map(brief)).toEqual(['terminate i1 ABOVE_MAX'])
    expect(briefly(given, { maxInstances: 1 })).toEqual(['drain i1 ABOVE_MAX'])
    const drained = [vm('i0'), vm('i1', { drainedAt: now - minute })]
    const working = [busy('i0'), busy('i1', { draining: true, enabled: false })]
    expect(briefly({ instances: drained, agents: working }, { maxInstances: 1 })).toEqual([])
  })

  row('long-pending', () => {
    const request = coming('sir-1', { state: 'starting', launchedAt: now, knownSince: now - hour })
    expect(origin({ instances: [request] })).toEqual([])
    expect(briefly({ instances: [request] })).toEqual(['terminate sir-1 NEVER_JOINED'])
  })

  row('backoff', () => {
    const refused = { class: 'capacity', until: now + minute, failures: 3 } as const
    const given = { pending: [work('w', 4)], offerings: [offering('m4', 4, { refused })] }
    expect(launched(origin(given))).toBe(1)
    expect(briefly(given)).toEqual(['hold OFFERINGS_OUT_OF_CAPACITY'])
  })

  row('fallback', () => {
    const refused = { class: 'capacity', until: now + minute, failures: 1 } as const
    const offerings = [offering('m4', 4, { refused }), offering('n4', 4, { zone: 'b', preference: 1 })]
    const given = { pending: [work('w', 4)], offerings }
    expect(origin(given).map(brief)).toEqual(['launch 1 m4/a'])
    expect(briefly(given)).toEqual(['launch 1 n4/b'])
  })

  row('fit', () => {
    const given = { pending: works(4, 3) }
    expect(launched(origin({ pending: works(4, 3) }))).toBe(3)
    expect(launched(planned(given))).toBe(4)
  })

  row('never-fits', () => {
    const given = { pending: [work('w', 6)] }
    expect(origin(given)).toEqual([])
    expect(planned(given)).toMatchObject([{ kind: 'hold', reason: { code: 'NEVER_FITS', work: ['w'] } }])
  })

  row('exceeds-max', () => {
    const given = { pending: [work('w', 16)] }
    expect(launched(origin(given, { maxInstances: 3 }))).toBe(3)
    expect(briefly(given, { maxInstances: 3 })).toEqual(['hold EXCEEDS_MAX'])
  })

  row('all-or-none', () => {
    const given = { instances: [vm('i0')], agents: [busy('i0')], pending: [work('w', 12)] }
    expect(launched(origin(given, { maxInstances: 3 }))).toBe(2)
    expect(briefly(given, { maxInstances: 3 })).toEqual(['hold MAX_REACHED'])
    expect(briefly(given, { maxInstances: 4 })).toEqual(['launch 3 m4/a'])
  })

  row('short-of-slots', () => {
    const given = { instances: [vm('i0')], agents: [idle('i0', now - minute, { slots: 3 })] }
    expect(origin(given)).toEqual([])
    expect(briefly(given)).toEqual(['drain i0 SHORT_OF_SLOTS'])
  })

  row('unknown-state', () => {
    const given = { instances: [coming('i0', { state: 'unknown' })], pending: works(2, 4) }
    expect(launched(origin(given, { maxInstances: 2 }))).toBe(2)
    expect(launched(planned(given, { maxInstances: 2 }))).toBe(1)
  })

  row('breaker', () => {
    const given = { pending: works(3, 4) }
    expect(launched(origin(given))).toBe(3)
    const open = { ...given, breaker: { state: 'open', until: now + minute, failures: 3 } as const }
    expect(briefly(open)).toEqual(['hold BREAKER_OPEN'])
    const probing = { ...given, breaker: { state: 'probing', failures: 3 } as const }
    expect(briefly(probing)).toEqual(['launch 1 m4/a', 'hold BREAKER_PROBING'])
  })

  row('launch-rate', () => {
    const given = { pending: works(5, 4), budget: { spent: 8, at: now } }
    expect(launched(origin(given))).toBe(5)
    expect(briefly(given, { launchRate: 20 })).toEqual(['launch 2 m4/a', 'hold LAUNCH_RATE_SPENT'])
    // Instances on this machine have no such limit.
    expect(briefly(given, { launchRate: undefined })).toEqual(['launch 5 m4/a'])
  })

  row('spot-notice', () => {
    const reclaimed = vm('i0', { interruptedAt: now - second })
    const given = { instances: [reclaimed], agents: [idle('i0')], pending: [work('w', 4)] }
    expect(removed(origin(given))).toEqual([])
    expect(briefly(given)).toEqual(['drain i0 SPOT_INTERRUPTED', 'launch 1 m4/a'])
  })

  row('other-size', () => {
    const offerings = [offering('m4', 4), offering('m8', 8, { preference: 1 })]
    const given = {
      offerings,
      instances: [vm('i0')],
      agents: [idle('i0', now - minute)],
      pending: [work('w', 8)],
    }
    const rules = { minInstances: 1, maxInstances: 1 }
    expect(removed(origin(given, rules))).toEqual([])
    expect(briefly(given, rules)).toEqual(['drain i0 ROOM_FOR_OTHER_WORK', 'hold MAX_REACHED'])
  })
})

afterAll(() => {
  const page = readFileSync(join(root, 'docs/internals/planner.md'), 'utf8')
  const listed = [...page.matchAll(/^\| `([a-z-]+)` \|/gm)].map((match) => match[1])
  expect(rows, 'the rows of docs/internals/planner.md and their tests').toEqual(listed)
})
