// When the cloud is polled next, from what a pool knows.
import { describe, expect, it } from 'vitest'
import { emptyMemory, type ManagedInstance, type PoolMemory } from '../../../src/fleet/memory.ts'
import { listingFrom, lookups, nextSharedListing, startingIds } from '../../../src/fleet/pace.ts'
import { minute, now, second, vm } from '../../support/planner.ts'

function memoryOf(instances: ManagedInstance[], given: Partial<PoolMemory> = {}): PoolMemory {
  return { ...emptyMemory(), tracks: new Map(instances.map((each) => [each.id, each])), ...given }
}

function managed(id: string, given: Partial<ManagedInstance> = {}): ManagedInstance {
  return { ...vm(id), listed: true, ...given }
}

const listedAt = (completeAt: number, complete = true) => ({
  listing: { completeAt, complete, took: second },
})

describe('a shared listing', () => {
  it('is needed once a minute by a pool without instances, also before the first one', () => {
    const empty = emptyMemory()
    expect(nextSharedListing(empty, now)).toBe(minute)
    expect(listingFrom(empty, now)).toBe(now - minute / 2)
  })

  it('is needed at once, and from the drain on, while a drained agent waits for one', () => {
    const drainedAt = now - second
    const memory = memoryOf([managed('i1', { drainedAt })], listedAt(now - 5 * second))
    expect(nextSharedListing(memory, now)).toBe(2 * second)
    expect(listingFrom(memory, now)).toBe(drainedAt + 1)
  })

  it('is not needed sooner for an instance whose termination waits for none', () => {
    const drainedAt = now - 2 * second
    const usual = 10 * second
    for (const [given, listing] of [
      [{ drainedAt }, listedAt(now - second)],
      [{ drainedAt, ending: true }, listedAt(now - 5 * second)],
      [{ drainedAt, ordered: 'even_if_busy' }, listedAt(now - 5 * second)],
    ] as const)
      expect(nextSharedListing(memoryOf([managed('i1', given)], listing), now)).toBe(usual)
  })
})

describe('lookups by id', () => {
  it('are of all starting instances when they are few', () => {
    const instances = ['i1', 'i2', 'i3'].map((id) => managed(id, { state: 'starting' }))
    const memory = memoryOf([...instances, managed('i4'), managed('i5', { state: 'starting', ending: true })])
    expect(startingIds(memory, 2).sort()).toEqual(['i1', 'i2', 'i3'])
  })

  it('are of as many as one call takes, and reach the others in the next calls', () => {
    const ids = Array.from({ length: 2 * lookups.most + 50 }, (_, n) => `i${n}`)
    const memory = memoryOf(ids.map((id) => managed(id, { state: 'starting' })))
    const reached = new Set<string>()
    for (let from = 0; from < 3 * lookups.most; from += lookups.most) {
      const asked = startingIds(memory, from)
      expect(asked).toHaveLength(lookups.most)
      for (const id of asked) reached.add(id)
    }
    expect(reached).toEqual(new Set(ids))
  })
})
