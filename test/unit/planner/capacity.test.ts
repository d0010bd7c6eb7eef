import { describe, expect, it } from 'vitest'
import type { PendingAllocation, Unplaced } from '../../../src/planner/snapshot.ts'
import {
  briefly,
  busy,
  coming,
  hour,
  idle,
  minute,
  now,
  planned,
  second,
  vm,
  work,
  works,
} from '../../support/planner.ts'

const one = { instances: [vm('i1')], pending: [work('w', 4)] }

describe('what counts as room for jobs', () => {
  it('is what fits on one agent, not what is free in total', () => {
    const agents = [busy('i1', { freeSlots: 2 }), busy('i2', { freeSlots: 2 })]
    const given = { instances: [vm('i1'), vm('i2')], agents }
    expect(briefly({ ...given, pending: works(2, 2) })).toEqual([])
    expect(briefly({ ...given, pending: works(1, 3) })).toEqual(['launch 1 m4/a'])
  })

  it('is also an agent of the pool on an unmanaged machine', () => {
    expect(briefly({ agents: [idle('static')], pending: [work('w', 4)] })).toEqual([])
  })

  it('is not a disabled agent', () => {
    expect(briefly({ ...one, agents: [idle('i1', now - minute, { enabled: false })] })).toEqual([
      'launch 1 m4/a',
    ])
    expect(briefly({ agents: [idle('static', now, { enabled: false })], pending: one.pending })).toEqual([
      'launch 1 m4/a',
    ])
  })

  it('is not an agent that a person disabled a moment ago, drained by us or not', () => {
    for (const draining of [false, true])
      for (const drainedAt of [undefined, now - minute]) {
        const disabled = { enabled: false, draining, disabledByPerson: true }
        const agents = [idle('i1', now - second, disabled)]
        const given = { ...one, instances: [vm('i1', { drainedAt })], agents }
        expect(briefly(given)).toEqual(['launch 1 m4/a'])
      }
  })

  it('is an agent that lost its connection a moment ago, which Determined shows as drained', () => {
    const lost = [idle('i1', now - second, { enabled: false, draining: true })]
    expect(briefly({ ...one, agents: lost })).toEqual([])
  })

  it('is an agent that may still reconnect, but not one that stays away', () => {
    const lost = (ago: number) => ({
      ...one,
      instances: [vm('i1', { lostSince: now - ago })],
      agents: [idle('i1', now - ago, { connected: false })],
    })
    expect(briefly(lost(10 * second))).toEqual([])
    expect(briefly(lost(40 * second))).toEqual(['launch 1 m4/a'])
  })

  it('is an agent whose connection to the master broke a moment ago', () => {
    expect(briefly({ ...one, instances: [vm('i1', { lostSince: now - second })] })).toEqual([])
  })

  it('is a VM being launched, until its boot timeout is over', () => {
    expect(briefly({ ...one, instances: [coming('i1')] })).toEqual([])
    expect(briefly({ ...one, instances: [coming('i1', { knownSince: now - 11 * minute })] })).toEqual([
      'terminate i1 NEVER_JOINED',
      'launch 1 m4/a',
    ])
  })

  it('is a VM being launched as long as the master was not read after its boot timeout', () => {
    const late = coming('i1', { knownSince: now - 10 * minute - second })
    expect(briefly({ ...one, instances: [late], demandAt: now - 2 * second })).toEqual([])
  })

  it('undrains an agent we drained before it launches another', () => {
    const instances = [vm('i1', { drainedAt: now - minute }), vm('i2', { drainedAt: now - minute })]
    const drained = { draining: true, enabled: false }
    const agents = [idle('i1', now - 40 * minute, drained), idle('i2', now - 30 * minute, drained)]
    expect(briefly({ instances, agents, pending: [work('w', 4)] })).toEqual([
      'terminate i1 LONG_IDLE',
      'undrain i2 NEEDED_AGAIN',
    ])
  })

  it('does not assign a job that has waited to an agent which could have had it long ago', () => {
    const agents = [busy('i1', { freeSlots: 3 })]
    const old = { instances: [vm('i1')], agents, pending: [work('w', 2, { since: now - hour })] }
    expect(briefly(old)).toEqual(['launch 1 m4/a'])
    expect(briefly({ ...old, agents: [busy('i1', { freeSlots: 3, settledSince: now - second })] })).toEqual(
      [],
    )
  })

  it('assigns a job that has waited to an agent that became free lately, beside one like it that was free before', () => {
    const [old, fresh] = [busy('i1', { freeSlots: 3 }), busy('i2', { freeSlots: 3, settledSince: now })]
    const given = { instances: [vm('i1'), vm('i2')], pending: [work('w', 2, { since: now - hour })] }
    for (const agents of [
      [old, fresh],
      [fresh, old],
    ])
      expect(briefly({ ...given, agents })).toEqual([])
    expect(
      briefly({ ...given, instances: [vm('i1'), vm('i3')], agents: [old, { ...old, id: 'i3' }] }),
    ).toEqual(['launch 1 m4/a'])
  })

  it('keeps whole agents that wait for the last one of their job', () => {
    const agents = [idle('i1', now - hour), idle('i2', now - hour)]
    const instances = [vm('i1'), vm('i2'), coming('i3')]
    expect(briefly({ instances, agents, pending: [work('w', 12, { since: now - hour })] })).toEqual([])
  })

  it('presumes the allocation unplaceable when all agents it needs together were idle', () => {
    const agents = [idle('i1', now - minute), idle('i2', now - minute)]
    const given = { instances: [vm('i1'), vm('i2')], agents, pending: [work('w', 8, { since: now - hour })] }
    expect(briefly(given)).toEqual(['mark w i1,i2', 'hold WORK_UNPLACEABLE'])
  })

  it('does not mark an agent failed that a larger allocation is about to take', () => {
    const agents = [idle('i1', now - minute)]
    const pending = [work('large', 8, { since: now - hour }), work('small', 1, { since: now - hour })]
    const given = { instances: [vm('i1'), coming('i2'), coming('i3')], agents, pending }
    expect(briefly(given)).toEqual([])
  })

  it('replaces the only agent that was not given the job, and does not undrain it for that job', () => {
    const instances = [vm('i1', { drainedAt: now - minute })]
    const agents = [idle('i1', now - 2 * minute, { draining: true, enabled: false })]
    const pending = [work('w', 4, { since: now - hour })]
    const given = { instances, agents, pending }
    expect(briefly(given)).toEqual(['undrain i1 NEEDED_AGAIN', 'launch 1 m4/a'])
    const unplaced = new Map([['w', { agents: ['i1'], until: now }]])
    expect(briefly({ ...given, unplaced })).toEqual(['terminate i1 UNPLACED_ON_FREE_AGENT', 'launch 1 m4/a'])
  })

  describe('a job that several agents were not given', () => {
    const instances = [vm('i1'), vm('i2')]
    const agents = [idle('i1', now - 2 * minute), idle('i2', now - 2 * minute)]
    const pending = [work('w', 4, { since: now - hour })]
    const known = (until: number, trial?: string) =>
      new Map<string, Unplaced>([['w', { agents: ['i1', 'i2'], until, trial }]])

    it('is tried again after the pause: one of the agents is replaced on trial', () => {
      const given = { instances, agents, pending, unplaced: known(now) }
      expect(planned(given)).toMatchObject([
        { kind: 'drain', ids: ['i1'], reason: { code: 'UNPLACED_ON_FREE_AGENT' } },
        { kind: 'mark', work: ['w'], agents: [], trial: 'i1' },
        { kind: 'launch', count: 1 },
      ])
    })

    it('is also tried again when there are new agents: one that was at hand both times is replaced', () => {
      const three = [vm('i0'), ...instances]
      const given = {
        instances: three,
        agents: [idle('i0', now - minute), ...agents],
        pending,
        unplaced: known(now),
      }
      expect(planned(given)).toMatchObject([
        { kind: 'drain', ids: ['i1'], reason: { code: 'UNPLACED_ON_FREE_AGENT' } },
        { kind: 'mark', work: ['w'], agents: [], trial: 'i1' },
        { kind: 'launch', count: 1 },
      ])
    })

    it('counts as long as its trial lasts, also when the agent is gone', () => {
      const given = {
        instances: [vm('i2')],
        agents: agents.slice(1),
        pending,
        unplaced: known(now + minute, 'i1'),
      }
      expect(briefly(given)).toEqual(['launch 1 m4/a'])
      expect(briefly({ ...given, instances: [vm('i2'), coming('i3')] })).toEqual([])
    })

    it('gets the agent on trial removed, which is not enabled again meanwhile', () => {
      const onTrial = idle('i1', now - 2 * minute, { draining: true, enabled: false })
      const given = {
        instances: [vm('i1', { drainedAt: now - minute }), vm('i2')],
        agents: [onTrial, agents[1]!],
        pending,
        unplaced: known(now + minute, 'i1'),
      }
      expect(briefly(given)).toEqual(['terminate i1 UNPLACED_ON_FREE_AGENT', 'launch 1 m4/a'])
    })

    it('is presumed unplaceable again when the replacement is not given it either', () => {
      const given = {
        instances: [vm('i2'), vm('i3')],
        agents: [agents[1]!, idle('i3', now - minute)],
        pending,
        unplaced: known(now + minute, 'i1'),
      }
      expect(briefly(given)).toEqual(['mark w i3', 'hold WORK_UNPLACEABLE'])
    })

    it('is marked apart from one that is not placed for the first time: each with its own agents and trial', () => {
      const first = work('x', 4, { since: now - hour })
      for (const two of [
        [...pending, first],
        [first, ...pending],
      ]) {
        const given = { instances, agents, pending: two, unplaced: known(now) }
        const marks = planned(given).filter(({ kind }) => kind === 'mark')
        expect(marks).toHaveLength(2)
        expect(marks).toContainEqual(expect.objectContaining({ work: ['w'], agents: [], trial: 'i1' }))
        expect(marks).toContainEqual(expect.objectContaining({ work: ['x'], agents: ['i1', 'i2'] }))
      }
    })

    it('waits while another job has its trial', () => {
      const two = [...pending, work('x', 4, { since: now - hour })]
      const unplaced = known(now + minute, 'i1').set('x', { agents: ['i1', 'i2'], until: now })
      const given = { instances: [vm('i2'), coming('i3')], agents: agents.slice(1), pending: two, unplaced }
      expect(briefly(given)).toEqual(['hold WORK_UNPLACEABLE'])
    })
  })
})

describe("a job's maximum of slots", () => {
  const held = (pending: PendingAllocation[]) =>
    planned({ pending }).flatMap(({ kind, reason }) =>
      kind === 'hold' && reason.code === 'JOB_AT_MAX_SLOTS' ? reason.work : [],
    )
  const limited = (id: string, slots: number) => work(id, slots, { job: 'j', maxSlots: 4 })

  it('is filled with its small allocations first, in whatever order the master reports them', () => {
    const [large, small] = [limited('a', 4), limited('b', 1)]
    expect(held([large, small])).toEqual(['a'])
    expect(held([small, large])).toEqual(['a'])
  })

  it('is filled by id where they are equally large', () => {
    expect(held([limited('b', 3), limited('a', 3)])).toEqual(['b'])
    expect(held([limited('a', 3), limited('b', 3)])).toEqual(['b'])
  })
})
