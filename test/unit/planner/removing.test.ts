import { describe, expect, it } from 'vitest'
import {
  briefly,
  busy,
  coming,
  hour,
  idle,
  minute,
  now,
  offering,
  planned,
  removed,
  second,
  snapshot,
  vm,
  work,
  works,
} from '../../support/planner.ts'

const idleLong = { instances: [vm('i1')], agents: [idle('i1', now - hour)] }
const drained = {
  instances: [vm('i1', { drainedAt: now - minute })],
  agents: [idle('i1', now - hour, { draining: true, enabled: false })],
}

describe('an instance in prepaid capacity that ends', () => {
  const until = (left: number) => ({
    ...idleLong,
    instances: [vm('i1', { capacityType: 'reserved', endsAt: now + left })],
  })

  it('is not removed while idle, because that saves nothing, until 40 minutes before its end', () => {
    expect(briefly(until(41 * minute))).toEqual([])
    expect(briefly(until(39 * minute))).toEqual(['drain i1 TIME_LIMIT'])
  })

  it('is drained while it is busy, terminated once it is idle, and replaced for jobs that wait', () => {
    const instances = [vm('i1', { endsAt: now + 30 * minute })]
    expect(briefly({ instances, agents: [busy('i1')], pending: [work('w', 4)] })).toEqual([
      'drain i1 TIME_LIMIT',
      'launch 1 m4/a',
    ])
    const drainedOne = [vm('i1', { endsAt: now + 30 * minute, drainedAt: now - minute })]
    const draining = { draining: true, enabled: false }
    expect(briefly({ instances: drainedOne, agents: [busy('i1', draining)] })).toEqual([])
    expect(briefly({ ...drained, instances: drainedOne })).toEqual(['terminate i1 TIME_LIMIT'])
  })

  it('is removed while idle where its time is limited but not paid for', () => {
    const instances = [vm('i1', { endsAt: now + 5 * hour })]
    expect(briefly({ ...idleLong, instances })).toEqual(['drain i1 LONG_IDLE'])
  })

  it('is still removed above max_instances', () => {
    expect(briefly(until(5 * hour), { maxInstances: 0 })).toEqual(['drain i1 ABOVE_MAX'])
  })
})

describe('what is removed', () => {
  it('is the longest idle first, down to min_instances', () => {
    const instances = ['i1', 'i2', 'i3'].map((id) => vm(id))
    const agents = [idle('i1', now - 30 * minute), idle('i2', now - hour), idle('i3', now - 40 * minute)]
    expect(briefly({ instances, agents }, { minInstances: 1 })).toEqual(['drain i2,i3 LONG_IDLE'])
  })

  it('is not an agent that waiting jobs are about to get', () => {
    expect(briefly({ ...idleLong, pending: [work('w', 4)] })).toEqual([])
  })

  it('is not an agent that auxiliary jobs are about to get', () => {
    const two = {
      instances: [vm('i1'), vm('i2')],
      agents: [idle('i1', now - 2 * hour), idle('i2', now - hour)],
    }
    expect(briefly({ ...idleLong, pending: [work('w', 0)] })).toEqual([])
    expect(briefly({ ...two, pending: works(2, 0) })).toEqual(['drain i1 LONG_IDLE'])
    expect(briefly({ ...two, pending: works(2, 0) }, { maxAuxPerAgent: 1 })).toEqual([])
  })

  it('is not one of the agents that a job on several is about to get: those of the preferred size', () => {
    const [small, large] = [
      ['i1', 'i2', 'i3', 'i4'],
      ['i5', 'i6'],
    ]
    const instances = [
      ...small!.map((id) => vm(id, { instanceType: 'm2', slots: 2 })),
      ...large!.map((id) => vm(id)),
    ]
    const agents = [
      ...small!.map((id) => idle(id, now - hour, { slots: 2, freeSlots: 2 })),
      ...large!.map((id) => idle(id, now - hour)),
    ]
    const removedFirst = (preferred: 'm2' | 'm4') =>
      removed(
        planned({
          ...{ instances, agents, pending: [work('w', 8)] },
          offerings: [
            offering('m2', 2, { preference: preferred === 'm2' ? 0 : 1 }),
            offering('m4', 4, { preference: preferred === 'm4' ? 0 : 1 }),
          ],
        }),
      )
    expect(removedFirst('m4')).toEqual(small)
    expect(removedFirst('m2')).toEqual(large)
  })

  it('is not an agent with auxiliary jobs, which use no slots', () => {
    expect(briefly({ instances: [vm('i1')], agents: [busy('i1', { freeSlots: 4 })] })).toEqual([])
  })

  it('is, above max_instances, first what has not joined, newest first', () => {
    const instances = [coming('i1'), coming('i2', { knownSince: now - second }), vm('i3')]
    expect(briefly({ instances, agents: [busy('i3')] }, { maxInstances: 2 })).toEqual([
      'terminate i2 ABOVE_MAX',
    ])
  })

  it('is, above max_instances, by id where they are equally new, in whatever order they are listed', () => {
    const [first, second] = [coming('i1'), coming('i2')]
    for (const instances of [
      [first, second],
      [second, first],
    ])
      expect(briefly({ instances }, { maxInstances: 1 })).toEqual(['terminate i1 ABOVE_MAX'])
  })

  it('is, beside an agent that was not given a job, only what min_instances does not need', () => {
    const instances = ['i1', 'i2', 'i3'].map((id) => vm(id))
    const agents = [idle('i1', now - minute), idle('i2', now - hour), idle('i3', now - hour)]
    const unplaced = new Map([['w', { agents: ['i1'], until: now }]])
    expect(briefly({ instances, agents, unplaced }, { minInstances: 1 })).toEqual([
      'drain i3 LONG_IDLE',
      'drain i1 UNPLACED_ON_FREE_AGENT',
    ])
  })

  it('is, above max_instances, of busy agents the one with the fewest slots in use', () => {
    const instances = [vm('i1', { knownSince: now - 2 * hour }), vm('i2'), vm('i3')]
    const agents = [busy('i1', { freeSlots: 3 }), busy('i2', { freeSlots: 1 }), busy('i3')]
    expect(briefly({ instances, agents }, { maxInstances: 2 })).toEqual(['drain i1 ABOVE_MAX'])
    expect(briefly({ instances, agents }, { maxInstances: 1 })).toEqual(['drain i1,i2 ABOVE_MAX'])
  })

  it('is nothing because of a launch in flight, which may be refused', () => {
    const inFlight = [{ intentId: 'a', offerings: snapshot().offerings, missing: 1 }]
    const given = { instances: [vm('i1'), vm('i2')], agents: [busy('i1'), idle('i2')], inFlight }
    expect(briefly(given, { maxInstances: 2 })).toEqual([])
  })

  it('is what was requested by hand, busy ones only with force', () => {
    const one = (ordered: 'when_idle' | 'even_if_busy') => ({
      instances: [vm('i1', { ordered })],
      agents: [busy('i1')],
    })
    expect(briefly(one('when_idle'))).toEqual(['drain i1 ORDERED'])
    expect(briefly(one('even_if_busy'))).toEqual(['terminate i1 ORDERED'])
  })

  it('is only what a person forced, without a view of the master', () => {
    const given = {
      instances: [vm('i1', { ordered: 'even_if_busy' }), vm('i2', { ordered: 'when_idle' }), vm('i3')],
      demandAt: undefined,
    }
    expect(briefly(given)).toEqual(['terminate i1 ORDERED', 'hold DEMAND_MISSING'])
    const paused = [{ code: 'PAUSED', stops: ['launch', 'remove'] }] as const
    expect(briefly({ ...given, holds: paused })).toEqual(['hold PAUSED', 'hold DEMAND_MISSING'])
    expect(briefly({ ...given, listing: { completeAt: now, complete: false } })).toEqual([
      'hold DEMAND_MISSING',
    ])
  })

  it('is a VM whose agent did not reconnect', () => {
    const lost = (ago: number) => ({ instances: [vm('i1', { lostSince: now - ago })], agents: [] })
    expect(briefly(lost(9 * minute))).toEqual([])
    expect(briefly(lost(11 * minute))).toEqual(['terminate i1 LONG_DISCONNECTED'])
  })

  it('is not a disconnected agent whose jobs the master still keeps', () => {
    const agents = [busy('i1', { connected: false })]
    expect(briefly({ instances: [vm('i1', { lostSince: now - hour })], agents })).toEqual([])
  })

  it.each([
    ['', { missingSince: now - second }],
    [', although the master still shows its agent', { unshownSince: now - second }],
  ])(
    'is nothing in place of a VM that the newest listing omitted%s, and nothing is launched for it',
    (_, omitted) => {
      const instances = [vm('i1', omitted), vm('i2')]
      const agents = [busy('i1'), idle('i2', now - hour)]
      expect(briefly({ instances, agents }, { minInstances: 1 })).toEqual([])
      expect(briefly({ instances, agents }, { minInstances: 2 })).toEqual([])
      expect(briefly({ instances, agents }, { minInstances: 0 })).toEqual(['drain i2 LONG_IDLE'])
    },
  )

  it.each([[{ unshownSince: now - second }], [{ missingSince: now - second }]])(
    'is nothing for a VM that listings omit while a person has disabled its agent, and nothing is launched for it',
    (omitted) => {
      const instances = [vm('i1', omitted)]
      const agents = [busy('i1', { enabled: false, draining: false })]
      expect(briefly({ instances, agents }, { minInstances: 1 })).toEqual([])
    },
  )

  it('is not requested twice', () => {
    expect(briefly({ instances: [vm('i1', { ending: true })], agents: [idle('i1', now - hour)] })).toEqual([])
  })
})

describe('how a VM is removed', () => {
  it('is terminated only when it is observed idle after the drain', () => {
    expect(briefly(drained)).toEqual(['terminate i1 LONG_IDLE'])
    const before = [vm('i1', { drainedAt: now - second })]
    expect(briefly({ ...drained, instances: before, demandAt: now - second })).toEqual([])
  })

  it('is terminated only when the master shows the drain', () => {
    expect(briefly({ ...drained, agents: [idle('i1', now - hour)] })).toEqual([])
  })

  it('is undrained when the scheduler placed a job before the drain', () => {
    const agents = [busy('i1', { draining: true, enabled: false })]
    expect(briefly({ ...drained, agents })).toEqual(['undrain i1 NEEDED_AGAIN'])
  })

  it('is undrained when min_instances needs it', () => {
    expect(briefly(drained, { minInstances: 1 })).toEqual(['undrain i1 NEEDED_AGAIN'])
  })

  it('does not change the choice', () => {
    const instances = [vm('i1'), vm('i2', { drainedAt: now - second })]
    const agents = [idle('i1', now - 2 * hour), idle('i2', now - hour, { draining: true, enabled: false })]
    expect(briefly({ instances, agents }, { minInstances: 1 })).toEqual([])
  })

  it('is undrained only on a view of the master that shows the result of the drain', () => {
    const before = { instances: [vm('i1', { drainedAt: now - second })], demandAt: now - second }
    expect(briefly({ ...drained, ...before }, { minInstances: 1 })).toEqual([])
    expect(briefly({ ...drained, ...before, demandAt: now }, { minInstances: 1 })).toEqual([
      'undrain i1 NEEDED_AGAIN',
    ])
  })

  it('is not undrained when a person has disabled its agent', () => {
    const disabled = { enabled: false, draining: true, disabledByPerson: true }
    const agents = [idle('i1', now - hour, disabled)]
    expect(briefly({ ...drained, agents }, { minInstances: 1 })).toEqual([])
    expect(briefly({ ...drained, agents, pending: [work('w', 4)] })).toEqual([
      'terminate i1 LONG_IDLE',
      'launch 1 m4/a',
    ])
  })

  it('is not terminated based on a partial listing', () => {
    const partial = { completeAt: now - second, complete: false }
    expect(briefly({ ...drained, listing: partial })).toEqual(['hold LISTING_PARTIAL'])
  })

  it('waits for a complete listing that began after the drain, however long that takes', () => {
    const drainedAt = drained.instances[0]!.drainedAt!
    const took = 10 * minute
    const before = { completeAt: drainedAt, took, complete: true }
    expect(briefly({ ...drained, listing: before })).toEqual([])
    const after = { completeAt: drainedAt + 1, took, complete: true }
    expect(briefly({ ...drained, listing: after })).toEqual(['terminate i1 LONG_IDLE'])
  })
})

describe('everything is blocked', () => {
  it('if the master was never read successfully', () => {
    const given = { ...idleLong, pending: [work('w', 4)] }
    expect(briefly({ ...given, demandAt: undefined })).toEqual(['hold DEMAND_MISSING'])
    expect(briefly({ ...given, demandAt: now - 16 * second })).toEqual(['hold DEMAND_MISSING'])
  })

  it('if the pool was never listed, or not recently', () => {
    expect(briefly({ ...idleLong, listing: undefined })).toEqual(['hold LISTING_MISSING'])
    const old = { completeAt: now - 3 * minute, complete: false }
    expect(briefly({ ...idleLong, listing: old })).toEqual(['hold LISTING_MISSING'])
  })

  it('by a hold, as far as the hold applies', () => {
    const given = {
      instances: [vm('i1')],
      agents: [idle('i1', now - hour, { slots: 1 })],
      pending: [work('w', 4)],
    }
    const held = (...stops: ('launch' | 'remove')[]) =>
      briefly({ ...given, holds: [{ code: 'BREAKER_OPEN', stops }] })
    expect(held()).toEqual(['drain i1 SHORT_OF_SLOTS', 'launch 1 m4/a', 'hold BREAKER_OPEN'])
    expect(held('launch')).toEqual(['drain i1 SHORT_OF_SLOTS', 'hold BREAKER_OPEN'])
    expect(held('remove')).toEqual(['launch 1 m4/a', 'hold BREAKER_OPEN'])
  })

  it('with the numbers that led to the decision', () => {
    expect(planned(idleLong)).toMatchObject([
      { reason: { numbers: { live: 1, inFlight: 0, min: 0, max: 10 } } },
    ])
  })
})
