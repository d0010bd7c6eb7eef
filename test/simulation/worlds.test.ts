// Random worlds with many faults at once. A failure prints the seed, the step and the events; fast-check then looks for
// the smallest set of faults that still breaks a promise.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { startDeterminedProvisioner } from '../../src/simulator/determined-policy.ts'
import { runWorld } from '../../src/simulator/run-world.ts'
import { faultKinds } from '../../src/simulator/scenario.ts'
import { printTimeline } from '../../src/simulator/virtual-clock.ts'
import { soundWorld } from '../support/world.ts'

describe('in random worlds', () => {
  it('every promise is kept after every step', { timeout: 600_000 }, async () => {
    const totals = { steps: 0, vms: 0, work: 0 }
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.subarray([...faultKinds]), async (seed, faults) => {
        const report = await soundWorld(String(seed), faults)
        totals.steps += report.steps
        totals.vms += report.vms
        totals.work += report.workDone
      }),
      // The same worlds each time, so that changes are comparable. CI runs 300 more by `npm run simulate:soak`.
      { numRuns: 40, seed: 20_261_123 },
    )
    // Worlds without events would prove nothing.
    expect(totals.steps).toBeGreaterThan(25_000)
    expect(totals.vms).toBeGreaterThan(80)
    expect(totals.work).toBeGreaterThan(250)
  })

  it('the same seed gives the same world, step by step', { timeout: 240_000 }, async () => {
    const story = async () => {
      const { timeline, scenario, steps } = await runWorld('again', faultKinds)
      return `${steps} steps\n${printTimeline(timeline, scenario.startsAt)}`
    }
    const [first, second] = [await story(), await story()]
    expect(second).toBe(first)
    expect(first.split('\n').length).toBeGreaterThan(50)
  })

  it("the loop of Determined's provisioner breaks promises: the checks can fail", {
    timeout: 120_000,
  }, async () => {
    const broken = new Set<number>()
    for (let n = 0; n < 15; n++) {
      const options = { start: startDeterminedProvisioner, continueAfterFailure: true }
      const faults = faultKinds.filter((_, kind) => (kind + n) % 3 === 0)
      const { violations } = await runWorld(`origin-${n}`, faults, options)
      for (const { promise } of violations) broken.add(promise)
    }
    expect([...broken].sort((a, b) => a - b)).toEqual(expect.arrayContaining([1, 3, 4, 5, 8]))
  })
})
