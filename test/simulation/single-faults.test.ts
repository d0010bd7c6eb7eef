// Each fault alone, to show that it is survived, and that it occurs at all.
import { describe, expect, it } from 'vitest'
import { faultKinds, vmFaults } from '../../src/simulator/scenario.ts'
import { soundWorld } from '../support/world.ts'

describe('a world with one fault', () => {
  it.each(faultKinds)('%s', { timeout: 240_000 }, async (fault) => {
    const stories = []
    for (const seed of ['one', 'two']) {
      const { workDone, timeline } = await soundWorld(`${fault} ${seed}`, [fault])
      expect(workDone).toBeGreaterThan(0)
      stories.push(...timeline)
    }
    const isVmFault = vmFaults.some((kind) => kind === fault)
    if (isVmFault) expect(stories.some(({ what }) => what.endsWith(`will be: ${fault}`))).toBe(true)
  })

  it('no fault at all', { timeout: 240_000 }, async () => {
    const { workDone, scenario } = await soundWorld('nothing wrong', [])
    expect(workDone).toBeGreaterThan(0)
    expect(scenario.timedFaults).toEqual([])
  })
})
