// Simulated worlds for tests: a broken rule is an error with the whole story.

import { printFailure, runWorld, type WorldReport } from '../../src/simulator/run-world.ts'
import { type FaultKind, faultKinds } from '../../src/simulator/scenario.ts'

export async function soundWorld(
  seed: string,
  faults: readonly FaultKind[] = faultKinds,
): Promise<WorldReport> {
  const report = await runWorld(seed, faults)
  if (report.violations.length > 0) throw new Error(printFailure(report))
  return report
}
