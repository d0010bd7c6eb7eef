// What `provision simulate --format json` prints: a stable shape for programs, documented in docs/simulate.md.

import type { ProvidedPool } from '../agent-setup/pool-trust.ts'
import type { MasterConfig } from '../config/master-config.ts'
import type { PoolSettings } from '../fleet/settings.ts'
import type { Assumptions } from './assumptions.ts'
import type { Comparison } from './compare.ts'
import { rounded } from './outcome.ts'
import type { Trace } from './trace-trace.ts'

export interface SimulationInput {
  config: MasterConfig
  pool: ProvidedPool
  settings: PoolSettings
  trace: Trace
  traceName: string
  assumptions: Assumptions
  comparison: Comparison
}

export type SimulationReport = ReturnType<typeof simulationReport>

export function simulationReport(input: SimulationInput) {
  const { config, pool, settings, trace, traceName, assumptions, comparison } = input
  const { policy, offerings } = settings
  const seconds = (ms: number) => rounded(ms / 1000)
  return {
    pool: pool.pool_name,
    config: config.file,
    trace: {
      file: traceName,
      jobs: trace.jobs.length,
      spanSeconds: seconds(trace.jobs.at(-1)!.at),
      slotHours: rounded(trace.jobs.reduce((sum, job) => sum + job.slots * job.duration, 0) / 3_600_000),
      beginsAt: trace.beginsAt === undefined ? null : new Date(trace.beginsAt).toISOString(),
    },
    policy: {
      minInstances: policy.minInstances,
      maxInstances: policy.maxInstances,
      maxIdleSeconds: seconds(policy.maxIdle),
      bootTimeoutSeconds: seconds(policy.bootTimeout),
      launchRatePerHour: policy.launchRate,
      maxAuxPerAgent: policy.maxAuxPerAgent,
      offerings: offerings.map(({ instanceType, zone, capacityType, slots }) => ({
        instanceType,
        zone,
        capacityType,
        slots,
      })),
    },
    assumptions: {
      seed: assumptions.seed,
      bootSeconds: { least: seconds(assumptions.boot.least), most: seconds(assumptions.boot.most) },
      placementSeconds: seconds(assumptions.placesWithin),
      lostConnectionSeconds: seconds(assumptions.missedWithin),
      demand: assumptions.polled ? 'polled' : 'pushed',
      faults: [...assumptions.faults],
    },
    ...comparison,
  }
}
