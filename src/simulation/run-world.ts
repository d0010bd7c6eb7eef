// One world from its seed to its rest, with every promise checked after every step.
import { type FaultKind, faultKinds } from './fault-kinds.ts'
import { scheduleIncidents } from './incidents.ts'
import { promises, type Violation } from './invariants.ts'
import { mainName } from './names.ts'
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

/** The same seed and faults give the same world, step by step. */
export async function runWorld(
  seed: string,
  faults: readonly FaultKind[] = faultKinds,
): Promise<WorldReport> {
  const scenario = createScenario(seed, faults)
  const world = createWorld(scenario)
  startInWorld(world, mainName)
  scheduleIncidents(world)
  await world.clock.run(() => world.invariants.check())
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
