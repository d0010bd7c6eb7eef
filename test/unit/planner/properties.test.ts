// Properties that hold for every snapshot that fast-check generates.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Decision } from '../../../src/planner/decision.ts'
import { plan } from '../../../src/planner/index.ts'
import type { KnownAgent, KnownInstance, Policy, Snapshot } from '../../../src/planner/snapshot.ts'
import { launched, minute, now, snapshot } from '../../support/planner.ts'
import { offerings, pending, policies, rolling, snapshots } from '../../support/snapshots.ts'

function holds(property: (snapshot: Snapshot, policy: Policy, decisions: Decision[]) => void): void {
  fc.assert(
    fc.property(snapshots, policies, (given, rules) => property(given, rules, plan(given, rules, now))),
    { numRuns: 400 },
  )
}

function exists({ state }: KnownInstance): boolean {
  return state === 'starting' || state === 'running' || state === 'unknown'
}

function idsOf(decisions: Decision[], kind: 'terminate' | 'drain' | 'undrain'): string[] {
  return decisions.flatMap((d) => (d.kind === kind ? d.ids : []))
}

describe('for any snapshot', () => {
  it('no launch takes what exists and what is in flight above max_instances', () => {
    holds(({ instances, inFlight }, { maxInstances }, decisions) => {
      const count = launched(decisions)
      const there = instances.filter(exists).length + inFlight.reduce((sum, l) => sum + l.missing, 0)
      if (count > 0) expect(there + count).toBeLessThanOrEqual(maxInstances)
    })
  })

  it('no busy agent is terminated without drain_timeout, and no connected one that was not drained', () => {
    holds(({ instances, agents }, { rollout }, decisions) => {
      const overdue = decisions.flatMap((d) => (d.reason.code === 'DRAIN_TIMEOUT' && 'ids' in d ? d.ids : []))
      if (rollout?.drainTimeout === undefined) expect(overdue).toEqual([])
      for (const id of idsOf(decisions, 'terminate')) {
        const agent = agents.find((a) => a.id === id)
        if (overdue.includes(id)) continue
        expect(agent?.busy ?? false).toBe(false)
        if (agent?.connected) expect(instances.find((i) => i.id === id)?.drainedAt).toBeDefined()
      }
    })
  })

  it('nothing is terminated based on a partial listing', () => {
    holds(({ listing }, _, decisions) => {
      if (!listing?.complete) expect(idsOf(decisions, 'terminate')).toEqual([])
    })
  })

  it('no healthy instance is removed below min_instances, except to make room for another size', () => {
    holds(({ instances }, { minInstances }, decisions) => {
      const healthy = ['LONG_IDLE', 'ABOVE_MAX']
      const gone = decisions.flatMap((d) =>
        (d.kind === 'drain' || d.kind === 'terminate') && healthy.includes(d.reason.code) ? d.ids : [],
      )
      const there = instances.filter((i) => exists(i) && !i.ending).length
      if (gone.length > 0) expect(there - gone.length).toBeGreaterThanOrEqual(minInstances)
    })
  })

  it('the order of the input changes nothing', () => {
    holds((given, rules, decisions) => {
      const turned: Snapshot = {
        ...given,
        instances: [...given.instances].reverse(),
        agents: [...given.agents].reverse(),
        pending: [...given.pending].reverse(),
        offerings: [...given.offerings].reverse(),
      }
      expect(plan(turned, rules, now)).toEqual(decisions)
    })
  })

  it('each VM gets one step at most, and every launch has one size', () => {
    holds((_, __, decisions) => {
      const ids = decisions.flatMap((d) => ('ids' in d ? d.ids : []))
      expect(new Set(ids).size).toBe(ids.length)
      for (const d of decisions)
        if (d.kind === 'launch') expect(new Set(d.offerings.map((o) => o.slots)).size).toBe(1)
    })
  })

  it('nothing is launched for jobs that is refused, in flight, or blocked', () => {
    holds(({ offerings: all, inFlight, probe }, _, decisions) => {
      const launches = decisions.filter((d) => d.kind === 'launch' && d.request === undefined)
      for (const { instanceType, zone } of launches.flatMap((d) => ('offerings' in d ? d.offerings : []))) {
        const same = (o: { instanceType: string; zone: string }) =>
          o.instanceType === instanceType && o.zone === zone
        expect(all.some((o) => same(o) && !o.refused)).toBe(true)
        expect(inFlight.flatMap((l) => l.offerings).some(same)).toBe(false)
      }
      if (probe) expect(launched(launches)).toBeLessThanOrEqual(1)
    })
  })

  it('every waiting allocation has room, a launch, or a reason', () => {
    holds(({ pending: work, agents, instances, inFlight }, _, decisions) => {
      const helped = agents.length + instances.length + inFlight.length > 0
      if (work.length > 0 && !helped) expect(decisions).not.toEqual([])
    })
  })
})

describe('after the launches have succeeded', () => {
  it('nothing more is launched, and nothing is removed', () => {
    fc.assert(
      fc.property(offerings, pending, policies, (all, work, rules) => {
        const open = all.map(({ refused: _, ...rest }) => rest)
        const fresh = work.map((w) => ({ ...w, since: now }))
        const first = plan(snapshot({ offerings: open, pending: fresh }), { ...rules, launchRate: 1000 }, now)
        const instances = first.flatMap((d, call) =>
          d.kind !== 'launch'
            ? []
            : Array.from({ length: d.count }, (_, n): KnownInstance => {
                const { slots, ...rest } = d.offerings[0]!
                const id = `i${call}-${n}`
                return {
                  id,
                  pool: 'default',
                  state: 'starting',
                  launchedAt: now,
                  knownSince: now,
                  slots,
                  ...rest,
                }
              }),
        )
        const second = plan(snapshot({ offerings: open, pending: fresh, instances }), rules, now)
        expect(second.filter((d) => d.kind !== 'hold')).toEqual([])
        const agents = instances.map(
          ({ id, slots = 0 }): KnownAgent => ({
            id,
            slots,
            freeSlots: slots,
            busy: false,
            idleSince: now,
            connected: true,
            enabled: true,
            draining: false,
            settledSince: now,
          }),
        )
        const joined = instances.map((i) => ({ ...i, state: 'running' as const, joinedAt: now }))
        const third = plan(
          snapshot({ offerings: open, pending: fresh, instances: joined, agents }),
          rules,
          now,
        )
        expect(third.filter((d) => d.kind !== 'hold')).toEqual([])
      }),
      { numRuns: 400 },
    )
  })
})

describe('for any pool with outdated instances', () => {
  it('a rollout keeps its budget and min_instances, and begins nothing that must wait', () => {
    let begins = 0
    const isRolled = ({ rolledSince }: KnownInstance) => rolledSince !== undefined
    const check = (given: Snapshot, rules: Policy) => {
      const { instances, agents, rollout: state } = given
      const { rollout } = rules
      const decisions = plan(given, rules, now)
      const reasons = decisions.filter(({ reason }) => ['DRIFTED', 'MAX_LIFETIME'].includes(reason.code))
      const leaving = new Set(reasons.flatMap((d) => ('ids' in d ? d.ids : [])))
      const begun = instances.filter((one) => leaving.has(one.id) && !isRolled(one))
      if (begun.length === 0) return
      begins++
      const { maxUnavailable, when } = rollout!
      const most =
        'count' in maxUnavailable
          ? maxUnavailable.count
          : Math.max(1, Math.floor((instances.length * maxUnavailable.percent) / 100))
      const agentOf = ({ id }: KnownInstance) => agents.find((agent) => agent.id === id)
      const isOut = (one: KnownInstance) => isRolled(one) && (when === 'budget' || leaving.has(one.id))
      expect(instances.filter(isOut).length + begun.length).toBeLessThanOrEqual(most)
      const staying = instances.filter((one) => agentOf(one) && !isRolled(one) && !leaving.has(one.id))
      const { minInstances, maxInstances } = rules
      const below = maxInstances > minInstances ? 0 : most
      expect(staying.length).toBeGreaterThanOrEqual(minInstances - below)
      expect([state!.paused, state!.open, when === 'never']).toEqual([false, true, false])
      const hasJoined = ({ joinedAt = now, generation }: KnownInstance) =>
        generation === state!.generation && now - joinedAt >= 2 * minute
      if (!state!.proven && !instances.some((one) => hasJoined(one) && agentOf(one)?.connected)) {
        expect(begun.length).toBe(1)
        expect(instances.length).toBeGreaterThanOrEqual(maxInstances)
      }
      if (when === 'idle') expect(begun.filter((one) => agentOf(one)!.busy)).toEqual([])
    }
    fc.assert(fc.property(rolling, policies, check), { numRuns: 2000 })
    expect(begins).toBeGreaterThan(50)
  })

  it('launches for a rollout are within surge', () => {
    let launches = 0
    fc.assert(
      fc.property(rolling, policies, (given, rules) => {
        for (const { reason } of plan(given, rules, now)) {
          const count = reason.numbers['forRollout'] ?? 0
          if (count === 0) continue
          launches++
          const { surge } = rules.rollout!
          expect(count).toBeLessThanOrEqual(
            'count' in surge
              ? surge.count
              : Math.max(1, Math.floor((given.instances.length * surge.percent) / 100)),
          )
        }
      }),
      { numRuns: 2000 },
    )
    expect(launches).toBeGreaterThan(50)
  })
})
