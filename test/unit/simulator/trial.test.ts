// Traces that run to their end in virtual time.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Work } from '../../../src/simulator/scheduler.ts'
import { trialScenario } from '../../../src/simulator/trial.ts'
import { createWorld } from '../../../src/simulator/world.ts'
import { compareOn, trialAssumptions, trialSettings } from '../../support/trial.ts'

const hour = 3600

describe('one job of ten minutes', () => {
  it('gets one VM, which stays as long as it may be idle', async () => {
    const { policies, blockedSeconds, brokenPromises } = await compareOn([[0, 4, 600]])
    const { provisioner } = policies
    expect(provisioner).toMatchObject({
      instances: { launched: 1, peak: 1 },
      jobs: { submitted: 1, finished: 1, lost: 0, neverFits: [], unfinished: { count: 0 } },
    })
    // Boot, and up to three seconds for calls and the scheduler.
    expect(provisioner.waitSeconds!.p50).toBeGreaterThanOrEqual(90)
    expect(provisioner.waitSeconds!.max).toBeLessThan(94)
    // 90 s boot, 600 s job, 300 s idle, and the polls in between: every 10 s in a quiet pool.
    const seconds = provisioner.instanceHours * hour
    expect(seconds).toBeGreaterThan(990)
    expect(seconds).toBeLessThan(1030)
    expect(provisioner.idleShare).toBeCloseTo(1 - 600 / seconds, 2)
    expect(provisioner.slotUse).toBeCloseTo(600 / seconds, 2)
    expect(provisioner.cost!.dollars).toBeCloseTo(2 * provisioner.instanceHours, 2)
    expect({ blockedSeconds, brokenPromises }).toEqual({ blockedSeconds: {}, brokenPromises: [] })
  })
})

describe('a trace', () => {
  it('larger than the pool waits, and the reason is reported', async () => {
    const jobs = Array.from({ length: 6 }, () => [0, 4, 1200] as const)
    const { policies, blockedSeconds } = await compareOn(jobs)
    expect(policies.provisioner).toMatchObject({ instances: { peak: 3 }, jobs: { finished: 6 } })
    expect(policies.provisioner.waitSeconds!.max).toBeGreaterThan(1200)
    expect(blockedSeconds['MAX_REACHED']).toBeGreaterThan(1100)
  })

  it('ends even if some jobs never fit, and names those', async () => {
    const { policies } = await compareOn([
      [0, 4, 60],
      [0, 6, 60],
      [5, 16, 60],
    ])
    expect(policies.provisioner.jobs).toMatchObject({
      finished: 1,
      neverFits: [
        { code: 'NEVER_FITS', slots: 6, count: 1, ids: ['job-1'] },
        { code: 'EXCEEDS_MAX', slots: 16, count: 1, ids: ['job-2'] },
      ],
    })
  })

  it('is billed until the same end for both policies when VMs always stay', async () => {
    // Determined's provisioner uses the first offering only, so with it there is nothing to do from the beginning.
    const offerings = [4, 8].map((slots, preference) => {
      return { ...trialSettings.offerings[0]!, instanceType: `m${slots}`, slots, preference }
    })
    const { policies } = await compareOn([[0, 7, 7200]], {}, { policy: { minInstances: 2 }, offerings })
    const { provisioner, determined } = policies
    expect([provisioner, determined].map(({ jobs }) => jobs.finished)).toEqual([1, 0])
    expect(provisioner.lastedSeconds - determined.lastedSeconds).toBeGreaterThan(7000)
    expect(Math.abs(determined.instanceHours - (2 * provisioner.lastedSeconds) / hour)).toBeLessThan(0.02)
  })

  it('is not abandoned while nothing can run, as long as more jobs follow', {
    timeout: 240_000,
  }, async () => {
    const jobs = [0, 7 * hour].map((at) => [at, 4, 60] as const)
    const { policies } = await compareOn(jobs, { faults: ['bad_image'] })
    expect(policies.provisioner.jobs).toMatchObject({ finished: 2, unfinished: { count: 0 } })
    expect(policies.provisioner.waitSeconds!.max).toBeGreaterThan(7 * hour)
  })

  it('on a bad day breaks no promise, and is still finished', async () => {
    const jobs = Array.from({ length: 40 }, (_, n) => [n * 120, 1 + (n % 4), 300] as const)
    const faults = ['crash', 'outage', 'never_joins', 'vanishes', 'crash_in_call'] as const
    const { policies, brokenPromises } = await compareOn(jobs, { faults })
    expect(brokenPromises).toEqual([])
    expect(policies.provisioner.jobs.finished).toBe(40)
    expect(policies.provisioner.instances.launched).toBeGreaterThan(policies.provisioner.instances.peak)
  })

  it('that no VM can run ends, with all jobs unfinished', { timeout: 240_000 }, async () => {
    const { policies } = await compareOn([[0, 1, 60]], { boot: { least: 3_600_000, most: 3_600_000 } })
    expect(policies.provisioner.jobs).toMatchObject({ finished: 0, unfinished: { count: 1, ids: ['job-0'] } })
    expect(policies.provisioner.waitSeconds).toBeNull()
    expect(policies.provisioner.idleShare).toBe(1)
    // The breaker limits the number of failed launches.
    expect(policies.provisioner.instances.launched).toBeLessThan(policies.determined.instances.launched)
  })
})

describe('a job on a VM that is gone', () => {
  it('does not finish, and is lost once the master notices', async () => {
    const trace = { jobs: [{ id: 'x', at: 0, slots: 1, duration: 1000 }] }
    const scenario = trialScenario(trace, trialSettings, trialAssumptions)
    const ends: string[] = []
    const watcher = { onStart() {}, onEnd: (_: Work, how: string) => ends.push(how), isUp: () => false }
    const { master, clock } = createWorld(scenario, undefined, watcher)
    master.join('vm', 4, false)
    clock.after(60_000, () => master.disconnect('vm'))
    await clock.run(() => clock.now() >= scenario.startsAt + 60_000)
    expect(ends).toEqual([])
    await clock.run(() => false)
    expect(ends).toEqual(['lost'])
  })
})

const job = fc.tuple(fc.nat(2 * hour), fc.constantFrom(0, 1, 2, 4, 6, 8, 16), fc.nat(hour / 2))

describe('any trace', () => {
  it('adds up, and has the same result again', { timeout: 240_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(job, { minLength: 1, maxLength: 25 }), fc.string(), async (jobs, seed) => {
        const comparison = await compareOn(jobs, { seed })
        expect(await compareOn(jobs, { seed })).toEqual(comparison)
        expect(comparison.brokenPromises).toEqual([])
        const { provisioner, determined } = comparison.policies
        for (const { jobs: done, idleShare, slotUse, waitSeconds, instanceHours, instances } of [
          provisioner,
          determined,
        ]) {
          const never = done.neverFits.reduce((sum, { count }) => sum + count, 0)
          expect(done.finished + never + done.unfinished.count).toBe(jobs.length)
          expect(done.unfinished.count).toBe(0)
          for (const share of [idleShare ?? 0, slotUse ?? 0]) {
            expect(share).toBeGreaterThanOrEqual(0)
            expect(share).toBeLessThanOrEqual(1)
          }
          if (waitSeconds) expect(waitSeconds.p95).toBeGreaterThanOrEqual(waitSeconds.p50)
          expect(instanceHours > 0).toBe(instances.launched > 0)
        }
        expect(provisioner.instances.peak).toBeLessThanOrEqual(trialSettings.policy.maxInstances)
        // Nothing is lost without faults, so the paid time includes at least the jobs that finished.
        const fits = jobs.filter(([, slots]) => slots <= 4 || slots === 8)
        const slotHours = fits.reduce((sum, [, slots, duration]) => sum + (slots * duration) / hour, 0)
        expect(provisioner.jobs.lost).toBe(0)
        expect(provisioner.instanceHours * 4).toBeGreaterThanOrEqual(slotHours - 0.01)
        expect((provisioner.slotUse ?? 0) * provisioner.instanceHours * 4).toBeCloseTo(slotHours, 1)
      }),
      { numRuns: 8, seed: 20_261_126 },
    )
  })
})
