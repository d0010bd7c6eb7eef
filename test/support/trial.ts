// A small pool to simulate traces on.
import type { PoolSettings } from '../../src/fleet/run.ts'
import { fixedPeriods } from '../../src/planner/snapshot.ts'
import { type Comparison, compare } from '../../src/simulator/compare.ts'
import type { TraceJob } from '../../src/simulator/trace.ts'
import type { Assumptions } from '../../src/simulator/trial.ts'

const minute = 60_000

export const trialSettings: PoolSettings = {
  policy: {
    ...fixedPeriods,
    minInstances: 0,
    maxInstances: 3,
    maxIdle: 5 * minute,
    bootTimeout: 10 * minute,
    reconnectWait: 25_000,
    placementGrace: 30_000,
    maxAuxPerAgent: 10,
    launchRate: 100,
  },
  offerings: [{ instanceType: 'm4', zone: 'a', capacityType: 'on_demand', slots: 4, preference: 0 }],
  launchError: { timeout: 0, retries: 0 },
  visibility: minute,
}

export const trialAssumptions: Assumptions = {
  seed: 'test',
  boot: { least: 90_000, most: 90_000 },
  placesWithin: 500,
  missedWithin: 10_000,
  faults: [],
  polled: false,
}

/** `jobs` are [at, slots, duration] in seconds. */
export function compareOn(
  jobs: readonly (readonly [number, number, number])[],
  assumptions: Partial<Assumptions> = {},
  {
    policy,
    offerings = trialSettings.offerings,
  }: { policy?: Partial<PoolSettings['policy']>; offerings?: PoolSettings['offerings'] } = {},
): Promise<Comparison> {
  const trace = jobs
    .map(([at, slots, duration], n): TraceJob => {
      return { id: `job-${n}`, at: at * 1000, slots, duration: duration * 1000 }
    })
    .sort((a, b) => a.at - b.at)
  return compare({
    trace: { jobs: trace },
    settings: { ...trialSettings, offerings, policy: { ...trialSettings.policy, ...policy } },
    prices: { m4: 2 },
    assumptions: { ...trialAssumptions, ...assumptions },
  })
}
