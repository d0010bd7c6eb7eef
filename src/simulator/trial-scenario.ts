// A world made of a pool's settings and a trace, in place of one that is drawn.
import type { PoolSettings } from '../fleet/settings.ts'
import type { Assumptions } from './assumptions.ts'
import { badSpells } from './bad-spells.ts'
import { vmFaults } from './fault-kinds.ts'
import type { Scenario } from './scenario.ts'
import type { Trace } from './trace-trace.ts'

/** Of a trace without dates. */
const someDay = Date.parse('2026-11-23T00:00:00Z')

export function trialScenario(trace: Trace, settings: PoolSettings, assumptions: Assumptions): Scenario {
  const { policy, offerings, launchError, visibility } = settings
  const { seed, faults, boot, placesWithin, missedWithin, polled } = assumptions
  const startsAt = trace.beginsAt ?? someDay
  const has = (kind: string) => faults.some((fault) => fault === kind)
  const oddities = (['late_visibility', 'clock_skew', 'bad_image'] as const).filter(has)
  return {
    seed,
    faults,
    startsAt,
    policy,
    offerings,
    jobs: trace.jobs.map((job) => ({ ...job, at: startsAt + job.at })),
    vmFaults: vmFaults.filter(has),
    oddities: new Set(polled ? [...oddities, 'no_push'] : oddities),
    given: { boot, placesWithin, missedWithin, launchError, visibility },
    ...badSpells(seed, faults, startsAt, trace.jobs.at(-1)?.at ?? 0),
  }
}
