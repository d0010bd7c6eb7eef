import { describe, expect, it } from 'vitest'
import {
  briefly,
  busy,
  coming,
  idle,
  minute,
  now,
  offering,
  planned,
  second,
  vm,
  work,
  works,
} from '../../support/planner.ts'

const small = offering('m4', 4, { preference: 1 })
const large = offering('m8', 8, { preference: 2 })
const out = { class: 'capacity', until: now + minute, failures: 1 } as const
const quota = { class: 'quota', until: now + second, failures: 1 } as const

describe('what is launched', () => {
  it('is the most preferred type that fits the job on one VM', () => {
    expect(briefly({ offerings: [large, small], pending: [work('w', 3)] })).toEqual(['launch 1 m4/a'])
    expect(briefly({ offerings: [large, small], pending: [work('w', 5)] })).toEqual(['launch 1 m8/a'])
  })

  it('is one large VM rather than several small ones, if the pool has it', () => {
    expect(briefly({ offerings: [small, large], pending: [work('w', 8)] })).toEqual(['launch 1 m8/a'])
  })

  it('is several small ones while the large one is refused', () => {
    const offerings = [small, { ...large, refused: out }]
    expect(briefly({ offerings, pending: [work('w', 8)] })).toEqual(['launch 2 m4/a'])
  })

  it('wastes fewest slots among equally preferred types', () => {
    const offerings = [
      offering('m16', 16),
      offering('m4', 4),
      offering('m8', 8, { zone: 'b' }),
      offering('m8', 8, { zone: 'c' }),
    ]
    expect(briefly({ offerings, pending: [work('w', 5)] })).toEqual(['launch 1 m8/b,m8/c'])
  })

  it('offers every zone and capacity type of the size in order of preference, except refused ones', () => {
    const offerings = [
      offering('m4', 4, { zone: 'c', preference: 3 }),
      offering('m4', 4, { zone: 'b', preference: 1, capacityType: 'spot' }),
      offering('m4', 4, { zone: 'a', preference: 2, refused: out }),
      offering('m8', 8, { preference: 4 }),
    ]
    expect(planned({ offerings, pending: [work('w', 4)] })).toMatchObject([
      { kind: 'launch', offerings: [{ zone: 'b', capacityType: 'spot' }, { zone: 'c' }] },
    ])
  })

  it('is launched again once a refusal is over', () => {
    const offerings = [offering('m4', 4, { refused: { ...out, until: now } })]
    expect(briefly({ offerings, pending: [work('w', 4)] })).toEqual(['launch 1 m4/a'])
  })

  it('names the refusal that ends first when everything is refused', () => {
    const offerings = [
      { ...small, refused: out },
      { ...large, refused: quota },
    ]
    expect(planned({ offerings, pending: [work('w', 4)] })).toEqual([
      {
        kind: 'hold',
        reason: {
          code: 'OFFERINGS_OVER_QUOTA',
          numbers: { allocations: 1, slots: 4, offerings: 2, failures: 1, retryAt: quota.until },
          work: ['w'],
        },
      },
    ])
  })

  it('puts small jobs beside large jobs on the same VM', () => {
    expect(briefly({ pending: [work('a', 3), work('b', 1), work('c', 2), work('d', 2)] })).toEqual([
      'launch 2 m4/a',
    ])
  })

  it('adds only what is missing for jobs on several VMs', () => {
    const given = { instances: [vm('i1'), coming('i2')], agents: [idle('i1')], pending: [work('w', 12)] }
    expect(briefly(given)).toEqual(['launch 1 m4/a'])
  })

  it('launches nothing for jobs on several VMs while there are enough free agents for all of them', () => {
    const ids = ['i1', 'i2', 'i3', 'i4']
    const given = { instances: ids.map((id) => vm(id)), agents: ids.map((id) => idle(id)) }
    expect(briefly({ ...given, pending: works(2, 8) })).toEqual([])
    expect(briefly({ ...given, pending: works(3, 8) })).toEqual(['launch 2 m4/a'])
    // Also those of others, of a size that the pool does not launch.
    for (const slots of [1, 2]) {
      const small = ids.map((id) => idle(id, now - second, { slots, freeSlots: slots }))
      expect(briefly({ agents: small, pending: [work('w', 4 * slots)] })).toEqual([])
    }
  })

  it('does not put jobs on several agents that are not completely free', () => {
    const agents = [busy('i1', { freeSlots: 3 }), busy('i2', { freeSlots: 3 })]
    const given = { instances: [vm('i1'), vm('i2')], agents, pending: [work('w', 8)] }
    expect(briefly(given)).toEqual(['launch 2 m4/a'])
  })

  it('waits for the call in flight of the offerings it would use', () => {
    const inFlight = [{ intentId: 'a', offerings: [small], missing: 1 }]
    expect(briefly({ offerings: [small, large], inFlight, pending: works(2, 4) })).toEqual([
      'hold LAUNCH_IN_FLIGHT',
    ])
    expect(briefly({ offerings: [small, large], inFlight, pending: [work('w', 8)] })).toEqual([
      'launch 1 m8/a',
    ])
  })

  it('keeps min_instances, of the preferred type, and counts instances being launched', () => {
    expect(briefly({ offerings: [large, small] }, { minInstances: 2 })).toEqual(['launch 2 m4/a'])
    expect(briefly({ instances: [coming('i1')] }, { minInstances: 2 })).toEqual(['launch 1 m4/a'])
    expect(briefly({ pending: works(3, 4) }, { minInstances: 2 })).toEqual(['launch 3 m4/a'])
  })

  it('never goes above max_instances, and names the allocations that would need it', () => {
    const given = { instances: [vm('i1')], agents: [busy('i1')], pending: works(3, 4) }
    expect(planned(given, { maxInstances: 3 })).toMatchObject([
      { kind: 'launch', count: 2 },
      { kind: 'hold', reason: { code: 'MAX_REACHED', numbers: { allocations: 1, instances: 1, max: 3 } } },
    ])
  })

  it('reports how many instances there would be of the size of which the fewest are missing', () => {
    const offerings = [offering('m2', 2), offering('m4', 4)]
    const ids = ['i1', 'i2', 'i3']
    const given = { instances: ids.map((id) => vm(id)), agents: ids.map((id) => busy(id)), offerings }
    expect(planned({ ...given, pending: [work('w', 8)] }, { maxInstances: 4 })).toMatchObject([
      { kind: 'hold', reason: { code: 'MAX_REACHED', numbers: { slots: 8, instances: 2, max: 4 } } },
    ])
  })

  it('reports how many instances launch_rate does not allow now', () => {
    const budget = { spent: 8, at: now }
    expect(planned({ pending: works(5, 4), budget }, { launchRate: 20 })).toMatchObject([
      { kind: 'launch', count: 2 },
      { kind: 'hold', reason: { code: 'LAUNCH_RATE_SPENT', numbers: { instances: 3 } } },
    ])
  })

  it('names the first ten allocations by id, in whatever order the master reports them', () => {
    const ids = [...'lkjihgfedcba']
    for (const order of [ids, ids.toReversed()]) {
      const pending = order.map((id) => work(id, 4))
      const [hold] = planned({ pending, offerings: [] })
      expect(hold!.reason).toMatchObject({ code: 'NO_OFFERING', work: [...'abcdefghij'] })
    }
  })

  it('takes nothing from the limit of a job for an allocation that can never run', () => {
    const offerings = [offering('m1', 1), offering('m8', 8)]
    const ofJob = { job: 'j', maxSlots: 32 }
    const pending = [work('never', 12, ofJob), work('later', 32, ofJob)]
    expect(briefly({ pending, offerings }, { maxInstances: 4 })).toEqual([
      'launch 4 m8/a',
      'hold EXCEEDS_MAX',
    ])
    // On an agent of another kind it can run, and goes first.
    const agents = [busy('other', { slots: 16, freeSlots: 0 })]
    expect(briefly({ pending, offerings, agents }, { maxInstances: 4 })).toContain('hold JOB_AT_MAX_SLOTS')
  })

  it('launches one VM first while the master could not be checked', () => {
    expect(briefly({ probe: true, pending: works(3, 4) })).toEqual(['launch 1 m4/a', 'hold PROBE_FIRST'])
    const waiting = { probe: true, pending: works(3, 4), instances: [coming('i1')] }
    expect(briefly(waiting)).toEqual(['hold PROBE_FIRST'])
  })

  it('launches the larger of equally preferred types first, as far as a limit allows', () => {
    const offerings = [offering('m4', 4), offering('m8', 8)]
    const pending = [work('three', 12), work('one', 5)]
    expect(briefly({ offerings, pending })).toEqual(['launch 1 m8/a', 'launch 3 m4/a'])
    expect(briefly({ offerings, pending, probe: true })).toEqual(['launch 1 m8/a', 'hold PROBE_FIRST'])
  })

  it('reports how many are missing below min_instances, and when a refused offering is tried again', () => {
    const offerings = [{ ...small, refused: out }]
    expect(planned({ offerings }, { minInstances: 2 })).toMatchObject([
      {
        kind: 'hold',
        reason: {
          code: 'OFFERINGS_OUT_OF_CAPACITY',
          numbers: { belowMin: 2, offerings: 1, failures: 1, retryAt: out.until },
        },
      },
    ])
  })

  it('reports when there is no offering', () => {
    expect(briefly({ offerings: [], pending: [work('w', 4)] })).toEqual(['hold NO_OFFERING'])
    expect(briefly({ offerings: [] }, { minInstances: 1 })).toEqual(['hold NO_OFFERING'])
  })
})

describe('auxiliary jobs', () => {
  it('run on any agent that has room for them, also on VMs launched for slots', () => {
    expect(briefly({ instances: [vm('i1')], agents: [busy('i1')], pending: works(3, 0) })).toEqual([])
    expect(briefly({ pending: [work('w', 4), work('x', 0), work('y', 0)] })).toEqual(['launch 1 m4/a'])
  })

  it('get one VM for as many as an agent takes', () => {
    expect(briefly({ pending: works(5, 0) }, { maxAuxPerAgent: 2 })).toEqual(['launch 3 m4/a'])
  })

  it('are not put on an agent that is full of them', () => {
    const full = { instances: [vm('i1')], agents: [busy('i1', { freeAux: 0 })], pending: works(1, 0) }
    expect(briefly(full)).toEqual(['launch 1 m4/a'])
  })

  it('do not wait forever for a busy agent that was not given them', () => {
    const pending = works(1, 0, { since: now - minute })
    expect(briefly({ instances: [vm('i1')], agents: [busy('i1')], pending })).toEqual(['launch 1 m4/a'])
  })

  it('are reported where agents take none', () => {
    expect(briefly({ pending: works(1, 0) }, { maxAuxPerAgent: 0 })).toEqual(['hold AUX_NOT_ALLOWED'])
  })
})
