// Manual launches are requests in the snapshot: the plan grants each completely, or blocks it with the reason.
import { describe, expect, it } from 'vitest'
import type { Snapshot } from '../../../src/planner/snapshot.ts'
import { briefly, coming, now, offering, planned, vm, works } from '../../support/planner.ts'

const requests = [{ id: 'r', count: 2 }]
const refused = { class: 'capacity', until: now + 1, failures: 1 } as const

function answers(given: Partial<Snapshot>, rules = {}): string[] {
  return briefly({ requests, ...given }, rules).filter((text) => /^(launch|block)/.test(text))
}

describe('a manual launch', () => {
  it('is granted as a launch that carries its id', () => {
    expect(planned({ requests })).toEqual([
      {
        kind: 'launch',
        count: 2,
        offerings: [{ instanceType: 'm4', zone: 'a', capacityType: 'on_demand', slots: 4 }],
        request: 'r',
        reason: { code: 'ORDERED', numbers: { count: 2 } },
      },
    ])
  })

  it('comes after what jobs need, which counts against max_instances and launch_rate first', () => {
    const pending = works(2, 4)
    expect(answers({ pending })).toEqual(['launch 2 m4/a', 'launch 2 m4/a'])
    expect(answers({ pending }, { maxInstances: 3 })).toEqual(['launch 2 m4/a', 'block r MAX_REACHED'])
    const budget = { spent: 7, at: now }
    expect(answers({ pending, budget })).toEqual(['launch 2 m4/a', 'block r LAUNCH_RATE_SPENT'])
  })

  it('counts against those that follow it', () => {
    const two = [...requests, { id: 's', count: 1 }]
    expect(answers({ requests: two }, { maxInstances: 2 })).toEqual(['launch 2 m4/a', 'block s MAX_REACHED'])
  })

  it('counts VMs and launches in flight, and reports how much room there is', () => {
    const inFlight = [{ intentId: 'a', offerings: [offering('m4', 4)], missing: 1 }]
    const decisions = planned({ requests, instances: [coming('i1')], inFlight }, { maxInstances: 3 })
    expect(decisions).toContainEqual({
      kind: 'block',
      request: 'r',
      reason: { code: 'MAX_REACHED', numbers: { max: 3, room: 1 } },
    })
    const above = planned({ requests, instances: [coming('i1'), coming('i2')] }, { maxInstances: 1 })
    expect(above).toContainEqual({
      kind: 'block',
      request: 'r',
      reason: { code: 'MAX_REACHED', numbers: { max: 1, room: 0 } },
    })
  })

  it('needs no view of the master, but one of the cloud', () => {
    expect(answers({ demandAt: undefined })).toEqual(['launch 2 m4/a'])
    expect(answers({ listing: undefined })).toEqual(['block r LISTING_MISSING'])
    expect(answers({ listing: undefined, demandAt: undefined })).toEqual(['block r LISTING_MISSING'])
  })

  it('is blocked by what stops launches, but not by earlier launch errors', () => {
    const stops = ['launch'] as const
    expect(answers({ holds: [{ code: 'LAUNCH_ERROR', stops }] })).toEqual(['launch 2 m4/a'])
    const holds = [
      { code: 'LAUNCH_ERROR', stops },
      { code: 'PAUSED', stops },
    ] as const
    expect(answers({ holds })).toEqual(['block r PAUSED'])
  })

  it('is one VM at a time while a probe is needed, whatever else is starting', () => {
    const one = [{ id: 'r', count: 1 }]
    expect(answers({ probe: true })).toEqual(['block r PROBE_FIRST'])
    expect(answers({ probe: true, instances: [coming('i1')], requests: one })).toEqual(['launch 1 m4/a'])
    const breaker = { state: 'open', until: now + 1, failures: 3 } as const
    expect(answers({ breaker })).toEqual(['block r BREAKER_PROBING'])
    expect(answers({ breaker, requests: one })).toEqual(['launch 1 m4/a'])
  })

  it('uses offerings refused a moment ago only when all were refused', () => {
    const first = offering('m8', 8, { refused })
    expect(answers({ offerings: [first, offering('m4', 4, { preference: 1 })] })).toEqual(['launch 2 m4/a'])
    expect(answers({ offerings: [first] })).toEqual(['launch 2 m8/a'])
    expect(answers({ offerings: [] })).toEqual(['block r NO_OFFERING'])
  })

  it('does not change other decisions', () => {
    const given = { pending: works(1, 4), instances: [vm('i1')], holds: [] }
    const rest = briefly({ ...given, requests }).filter((text) => !text.startsWith('launch 2'))
    expect(rest).toEqual(briefly(given))
  })
})
