import { describe, expect, it } from 'vitest'
import { createDrainList } from '../../../src/demand/push.ts'

const everything = () => true

describe('the list of drains', () => {
  it('counts a drain once the master has applied a list that contains it', () => {
    const list = createDrainList('one')
    const { drainVersion: before } = list.orders(everything)
    list.drain('a')
    const { drain, drainVersion } = list.orders(everything)
    expect(drain).toEqual(['a'])
    expect(list.isApplied('a', before)).toBe(false)
    expect(list.isApplied('a', undefined)).toBe(false)
    expect(list.isApplied('a', drainVersion)).toBe(true)
  })

  it('does not count a drain that was cancelled and ordered again, while the master knows only the first', () => {
    const list = createDrainList('one')
    list.drain('a')
    const { drainVersion } = list.orders(everything)
    list.undrain('a')
    list.drain('a')
    expect(list.isApplied('a', drainVersion)).toBe(false)
    expect(list.isApplied('a', list.orders(everything).drainVersion)).toBe(true)
  })

  it('keeps its version when nothing new is ordered', () => {
    const list = createDrainList('one')
    list.drain('a')
    const { drainVersion } = list.orders(everything)
    list.drain('a')
    list.undrain('b')
    expect(list.orders(everything).drainVersion).toBe(drainVersion)
  })

  it('ignores versions of an earlier start', () => {
    const earlier = createDrainList('one')
    earlier.drain('a')
    const list = createDrainList('two')
    list.drain('a')
    expect(list.isApplied('a', earlier.orders(everything).drainVersion)).toBe(false)
  })
})
