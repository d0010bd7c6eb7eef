// One world from its seed to its rest, with every promise checked after every step.
import { type FaultKind, faultKinds } from './fault-kinds.ts'
import { scheduleIncidents } from './incidents.ts'
import { promises, type Violation } from './invariants.ts'
import { mainName } from './names.ts'
import type { StartProvisioner } from './provisioner.ts'
import { createScenario, type Scenario } from './scenario.ts'
import { type Entry, printTimeline } from './timeline.ts'
import { createWorld, startInWorld } from './world.ts'

export interface WorldReport {
  scenario: Scenario
  violations: readonly Violation[]
  timeline: readonly Entry[]
  /** Waits that ended: the length of the world. */
  steps: number
  /** Virtual milliseconds from its start to its rest. */
  lasted: number
  vms: number
  workDone: number
}

export interface WorldOptions {
  /** What a provisioner is: ours unless told otherwise. */
  start?: StartProvisioner
  /** Goes on after a promise is broken, to see which others are. */
  goesOn?: boolean
}

/** Even a world that does not come to rest ends, so long after it became calm. */
const longest = 4 * 3_600_000

/** The same seed and faults give the same world, step by step. */
export async function runWorld(
  seed: string,
  faults: readonly FaultKind[] = faultKinds,
  { start, goesOn = false }: WorldOptions = {},
): Promise<WorldReport> {
  const scenario = createScenario(seed, faults)
  const world = createWorld(scenario, start)
  startInWorld(world, mainName)
  scheduleIncidents(world)
  const { clock, invariants } = world
  await clock.run(() => {
    const rests = invariants.check()
    const isBroken = invariants.violations.length > 0 && !goesOn
    return rests || isBroken || clock.now() > scenario.calmAt + longest
  })
  for (const { life } of world.provisioners.values()) life.kill()
  return {
    scenario,
    violations: world.invariants.violations,
    timeline: world.timeline.entries,
    steps: world.clock.steps,
    lasted: world.clock.now() - scenario.startsAt,
    vms: world.cloud.created,
    workDone: [...world.master.work.values()].filter(({ state }) => state === 'done').length,
  }
}

/** What went wrong, and what came before it: enough to understand it, and to run it again. */
export function printFailure(report: WorldReport, entries = 120): string {
  const { scenario, violations, timeline } = report
  const broken = violations.map(
    ({ promise, step, message }) =>
      `promise ${promise} (${promises[promise]}) is broken in step ${step}: ${message}`,
  )
  const again = `seed ${JSON.stringify(scenario.seed)}, faults ${JSON.stringify(scenario.faults)}`
  return [...broken, again, printTimeline(timeline.slice(-entries), scenario.startsAt)].join('\n')
}
