// The sums of a simulation, on spans small enough to count by hand.
import { describe, expect, it } from 'vitest'
import { costOf, type InstanceSpan, peakOf, useOf, waitsOf } from '../../../src/simulator/compare.ts'
import type { Work } from '../../../src/simulator/scheduler.ts'
import { createMeter, misfitOf } from '../../../src/simulator/trial.ts'

const hour = 3_600_000
const vm = (id: string, from: number, to: number, instanceType = 'm4'): InstanceSpan => ({
  id,
  instanceType,
  slots: 4,
  from: from * hour,
  to: to * hour,
})

describe('waits', () => {
  it('are percentiles by nearest rank, in seconds', () => {
    const waits = Array.from({ length: 20 }, (_, n) => (20 - n) * 1000)
    expect(waitsOf(waits)).toEqual({ p50: 10, p95: 19, max: 20 })
    expect(waitsOf([1500])).toEqual({ p50: 1.5, p95: 1.5, max: 1.5 })
    expect(waitsOf([])).toBeNull()
  })
})

describe('VMs at once', () => {
  it('do not count one that ends when the next starts', () => {
    expect(peakOf([vm('a', 0, 2), vm('b', 1, 3), vm('c', 2, 4)])).toBe(2)
    expect(peakOf([])).toBe(0)
  })
})

describe('cost', () => {
  const vms = [vm('a', 0, 2), vm('b', 1, 1.5), vm('c', 0, 1, 'm8')]

  it('is hours times the price of each type', () => {
    expect(costOf(vms, { m4: 2, m8: 10 })).toEqual({ dollars: 15, unpriced: [] })
  })

  it('names the types without a price', () => {
    expect(costOf(vms, { m4: 2 })).toEqual({
      dollars: 5,
      unpriced: [{ instanceType: 'm8', instanceHours: 1 }],
    })
  })

  it('is unknown without any relevant price, and zero without VMs', () => {
    expect(costOf(vms, {})).toBeNull()
    expect(costOf(vms, { n1: 2 })).toBeNull()
    expect(costOf([], { m4: 2 })).toEqual({ dollars: 0, unpriced: [] })
    const prepaid = [{ ...vms[0]!, prepaid: true }]
    expect(costOf(prepaid, { m4: 2 }), 'reserved').toEqual({ dollars: 0, unpriced: [] })
  })
})

describe('use', () => {
  it('is the share of the time in which a VM had a job, and the share of its slots', () => {
    const uses = new Map([['a', { busy: hour, slotTime: 2 * hour }]])
    // Three VM-hours, one of them busy; twelve slot-hours, two of them used.
    expect(useOf([vm('a', 0, 2), vm('b', 0, 1)], uses)).toEqual({
      instanceHours: 3,
      idleShare: 0.667,
      slotUse: 0.167,
    })
  })

  it('is unknown without VMs or slots', () => {
    expect(useOf([], new Map())).toEqual({ instanceHours: 0, idleShare: null, slotUse: null })
    expect(useOf([{ ...vm('a', 0, 1), slots: 0 }], new Map()).slotUse).toBeNull()
  })
})

describe('the meter', () => {
  const ends = new Map<string, number>()
  let now = 0
  const piece = (id: string, slots: number, agents: string[], since = 0, starts = 1) =>
    ({ id, slots, agents, since, starts }) as Work

  it('counts overlapping jobs once for the VM, and each of them for the slots', () => {
    const meter = createMeter(
      () => now,
      (id) => ends.get(id),
    )
    const [small, wide] = [piece('small', 1, ['a'], 0), piece('wide', 6, ['a', 'b'], 5)]
    now = 10
    meter.onStart(small)
    now = 20
    meter.onStart(wide)
    now = 30
    meter.onEnd(small, 'done')
    expect(meter.uses(35)).toEqual(
      new Map([
        ['a', { busy: 25, slotTime: 20 + 3 * 15 }],
        ['b', { busy: 15, slotTime: 3 * 15 }],
      ]),
    )
    now = 50
    meter.onEnd(wide, 'lost')
    expect(meter.uses(100).get('a')).toEqual({ busy: 40, slotTime: 20 + 3 * 30 })
    expect(meter).toMatchObject({ waits: [10, 15], finished: 1, lost: 1, starts: 2 })
  })

  it('counts no time after the end of the VM, and no wait for a second start', () => {
    const meter = createMeter(
      () => now,
      (id) => ends.get(id),
    )
    now = 100
    const work = piece('x', 4, ['c'], 90)
    meter.onStart(work)
    ends.set('c', 130)
    now = 150
    meter.onEnd(work, 'lost')
    meter.onStart(piece('y', 4, ['c'], 90, 2))
    expect(meter.isUp('c')).toBe(false)
    expect(meter.uses(200).get('c')).toEqual({ busy: 30, slotTime: 120 })
    expect(meter.waits).toEqual([10])
  })
})

describe('jobs that never fit', () => {
  const policy = { maxInstances: 3, maxAuxPerAgent: 2 }
  const offerings = [{ slots: 4 }, { slots: 8 }]
  it.each([
    [{ slots: 8 }, undefined],
    [{ slots: 3 }, undefined],
    // Three VMs of 4 or of 8.
    [{ slots: 12 }, undefined],
    [{ slots: 24 }, undefined],
    [{ slots: 32 }, 'EXCEEDS_MAX'],
    [{ slots: 10 }, 'NEVER_FITS'],
    [{ slots: 0 }, undefined],
    [{ slots: 4, maxSlots: 3 }, 'JOB_AT_MAX_SLOTS'],
  ] as const)('%o: %s', (work, code) => {
    expect(misfitOf(work, offerings, policy)).toBe(code)
  })

  it('are all jobs in a pool without room', () => {
    expect(misfitOf({ slots: 0 }, offerings, { maxInstances: 3, maxAuxPerAgent: 0 })).toBe('AUX_NOT_ALLOWED')
    expect(misfitOf({ slots: 1 }, [{ slots: 0 }], policy)).toBe('NEVER_FITS')
    expect(misfitOf({ slots: 1 }, offerings, { maxInstances: 0, maxAuxPerAgent: 2 })).toBe('EXCEEDS_MAX')
  })
})
