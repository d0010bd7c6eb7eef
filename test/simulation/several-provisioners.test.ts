// Worlds with several provisioners that share a store: each fault of theirs alone, and that leadership really moves.
import { describe, expect, it } from 'vitest'
import type { FaultKind } from '../../src/simulator/scenario.ts'
import { soundWorld } from '../support/world.ts'

const faults: [FaultKind, RegExp][] = [
  ['store_down', /leads again in epoch/],
  ['store_paused', /has lost the pool/],
  ['store_slow', /leads in epoch/],
  ['stopped_in_call', /is suspended/],
  ['host_killed', /dies/],
  ['host_leaves', /gives up the pool/],
  ['host_suspended', /is suspended/],
  ['suspended', /is suspended/],
  ['crash_loop', /dies/],
  ['restart', /gives up the pool/],
]

describe('a world with several provisioners', () => {
  it.each(faults)('%s', { timeout: 240_000 }, async (fault, sign) => {
    const stories = []
    for (const seed of ['one', 'two', 'three']) {
      const { workDone, timeline } = await soundWorld(`${fault} ${seed}`, ['several_provisioners', fault])
      expect(workDone).toBeGreaterThan(0)
      stories.push(...timeline.filter(({ who }) => who.startsWith('host-')).map(({ what }) => what))
    }
    expect(stories).toEqual(expect.arrayContaining([expect.stringMatching(sign)]))
    const terms = new Set(stories.filter((what) => what.startsWith('leads in epoch')))
    expect(terms.size).toBeGreaterThan(3)
  })
})
