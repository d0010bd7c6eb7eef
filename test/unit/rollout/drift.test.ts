// An instance and what its pool launches now.
import { describe, expect, it } from 'vitest'
import type { Instance, Offering } from '../../../src/planner/snapshot.ts'
import { drifted } from '../../../src/rollout/drift.ts'
import type { Generation } from '../../../src/rollout/generation.ts'
import { offering } from '../../support/cloud-pools.ts'
import { vm } from '../../support/planner.ts'

const made = (keys: Record<string, string>, version = 1): Generation => ({
  id: JSON.stringify(keys),
  version,
  keys,
})
const present = made({ image: 'a', startup_script: 'b', 'spot@spot': 'c' })
const chosenBy = {
  instanceType: 'instance_type',
  zone: 'subnet_ids',
  spot: 'spot',
  reserved: 'capacity',
  image: 'image',
}

interface Case {
  instance?: Partial<Instance>
  held?: Generation | undefined
  offerings?: Offering[]
  newestImage?: string
  by?: object
}

function keysOf({ instance, offerings = [offering('m4')], newestImage, by = chosenBy, ...more }: Case) {
  const held = 'held' in more ? more.held : present
  const keys = drifted({ generation: present, chosenBy: by, offerings, newestImage })
  return keys({ ...vm('i-1'), instanceType: 'm4', capacityType: 'on_demand', ...instance }, held)
}

const spot = offering('m4', { capacityType: 'spot' })
const reserved = offering('m4', { capacityType: 'reserved' })

describe('an instance', () => {
  it('is compared key by key, in alphabetical order', () => {
    expect(keysOf({})).toEqual([])
    expect(keysOf({ held: made({ ...present.keys, startup_script: 'x', image: 'y' }) })).toEqual([
      'image',
      'startup_script',
    ])
    expect(keysOf({ held: made({ ...present.keys, volume: 'x' }) })).toEqual(['volume'])
    expect(keysOf({ held: made({ image: 'a', 'spot@spot': 'c' }) })).toEqual(['startup_script'])
  })

  it('without a generation, or with one of another version, is not known to differ', () => {
    expect(keysOf({ held: undefined, instance: { instanceType: 'gone' } })).toEqual([])
    expect(keysOf({ held: made({ image: 'x' }, 0) })).toEqual([])
  })

  it('of a type that is one of several is not drifted; of one that is not offered any more it is', () => {
    expect(keysOf({ offerings: [offering('m5'), offering('m4')] })).toEqual([])
    expect(keysOf({ offerings: [offering('m5'), offering('m6')] })).toEqual(['instance_type'])
    // A fleet of EC2 may not say it.
    expect(keysOf({ instance: { instanceType: '' }, offerings: [offering('m5')] })).toEqual([])
  })

  it('in a zone that is one of several is not drifted, nor where the cloud chooses', () => {
    const instance = { offeredZone: 'a' }
    expect(keysOf({ instance, offerings: [offering('m4', { zone: 'b' })] })).toEqual(['subnet_ids'])
    const both = ['b', 'a'].map((zone) => offering('m4', { zone }))
    expect(keysOf({ instance, offerings: both })).toEqual([])
    expect(keysOf({ instance, offerings: [offering('m4')] })).toEqual([])
    expect(keysOf({ offerings: [offering('m4', { zone: 'b' })] })).toEqual([])
  })

  it('on demand is drifted where only spot is offered, and the other way round', () => {
    expect(keysOf({ offerings: [spot] })).toEqual(['spot'])
    expect(keysOf({ offerings: [spot, offering('m4')] })).toEqual([])
    const onSpot = { capacityType: 'spot' } as const
    expect(keysOf({ instance: onSpot })).toEqual(['spot'])
    expect(keysOf({ instance: onSpot, offerings: [spot, offering('m4')] })).toEqual([])
  })

  it('in a reservation of the account is on demand; outside of it is drifted where nothing else is offered', () => {
    expect(keysOf({ instance: { capacityType: 'reserved' } })).toEqual([])
    expect(keysOf({ offerings: [reserved] })).toEqual(['capacity'])
    expect(keysOf({ offerings: [reserved, offering('m4')] })).toEqual([])
  })

  it('is compared by keys of its own capacity type only', () => {
    const held = made({ ...present.keys, 'spot@spot': 'x', 'capacity@reserved': 'y' })
    expect(keysOf({ held })).toEqual([])
    expect(keysOf({ held, instance: { capacityType: 'spot' }, offerings: [spot] })).toEqual(['spot'])
    expect(keysOf({ held, instance: { capacityType: 'reserved' } })).toEqual(['capacity'])
  })

  it('with an older image is drifted where the newest one is known', () => {
    expect(keysOf({ instance: { image: 'ami-1' }, newestImage: 'ami-2' })).toEqual(['image'])
    expect(keysOf({ instance: { image: 'ami-2' }, newestImage: 'ami-2' })).toEqual([])
    expect(keysOf({ instance: { image: 'ami-1' } })).toEqual([])
    expect(keysOf({ newestImage: 'ami-2' })).toEqual([])
  })

  it('is not compared by what has no key', () => {
    const instance = { instanceType: 'gone', offeredZone: 'x', image: 'y', capacityType: 'spot' } as const
    expect(
      keysOf({ instance, newestImage: 'z', by: {}, offerings: [offering('m4', { zone: 'b' })] }),
    ).toEqual([])
  })
})
