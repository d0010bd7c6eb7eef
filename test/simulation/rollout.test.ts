// Rollouts in a pool under load, in virtual time: no job is lost, the limits are kept, and it ends. `npm run simulate:rollout` does the
// same with 1,000 instances.
import { describe, expect, it } from 'vitest'
import { rollOut } from '../support/rollout-world.ts'

const minutes = (count: number) => count * 60_000

describe('a rollout of many instances under load', () => {
  it('terminates no busy instance, keeps min_instances and the budget, and ends', {
    timeout: 400_000,
  }, async () => {
    const story = await rollOut({ instances: 100, min: 90, max: 110, longest: minutes(12 * 60) })
    expect(story.violations).toEqual([])
    expect(story.outdated).toBe(0)
    expect(story.replaced).toBeGreaterThanOrEqual(90)
    expect(story.mostOut).toBeLessThanOrEqual(27)
    expect(story.mostOut).toBeGreaterThan(5)
    expect(story.leastJoined).toBeGreaterThanOrEqual(90)
    expect(story.jobsLost).toBe(0)
    expect(story.jobsDone).toBeGreaterThan(50)
  })

  it('stops after one instance of a generation that does not join, and keeps all others', {
    timeout: 400_000,
  }, async () => {
    const bad = { instances: 100, min: 90, max: 110, bad: true, longest: minutes(90) }
    const story = await rollOut(bad)
    expect(story.violations).toEqual([])
    expect(story.forRollout).toBe(1)
    expect(story.left).toEqual([])
    expect(story.blocked).toContain('ROLLOUT_STOPPED')
    expect(story.jobsLost).toBe(0)
  })
})
