// The real fleet loop in worlds that lie to it: every promise is checked after every step. A seed replays exactly; many
// more worlds run in `npm run simulate:soak`.
import { describe, expect, it } from 'vitest'
import { someFaults } from '../../src/simulation/fault-kinds.ts'
import { printFailure, runWorld } from '../../src/simulation/run-world.ts'

const seeds = Array.from({ length: 30 }, (_, n) => `world-${n}`)

describe('a world with faults', () => {
  it.each(seeds)('%s breaks no promise', async (seed) => {
    const report = await runWorld(seed, someFaults(seed))
    expect(report.violations, report.violations.length > 0 ? printFailure(report) : '').toEqual([])
    expect(report.steps).toBeGreaterThan(0)
  })

  it('replays exactly', async () => {
    const once = await runWorld('world-3', someFaults('world-3'))
    const again = await runWorld('world-3', someFaults('world-3'))
    expect(again).toEqual(once)
  })
})
