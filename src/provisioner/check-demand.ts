// Rows about where demand would come from. Each source has its own questions; one without an entry has not been asked.
import type { DemandConfig, MasterConfig } from '../config/master-config.ts'
import type { Clock, Logger } from '../platform/ports.ts'
import type { Problem } from '../problems/problem.ts'
import { checkDeterminedDemand } from './determined-demand.ts'
import { type CheckRow, rowsOf } from './row.ts'

export interface DemandCheckInput {
  config: MasterConfig
  env: Readonly<Record<string, string | undefined>>
  clock: Clock
  logger: Logger
}

/** What is wrong, or a note of what was found. */
type DemandCheck = (input: DemandCheckInput) => Promise<{ note?: string; problems: Problem[] }>

const checks: Partial<Record<DemandConfig['type'], DemandCheck>> = {
  'built-in': async () => ({ note: 'the built-in master', problems: [] }),
  determined: checkDeterminedDemand,
}

export async function checkDemand(input: DemandCheckInput): Promise<CheckRow[]> {
  const { passed, notChecked, of } = rowsOf('demand')
  const { type } = input.config.demand
  const check = checks[type]
  if (!check) return [notChecked(type, 'this version has no questions to ask of it')]
  const { note, problems } = await check(input)
  const faults = problems.map((fault) => of(type, fault))
  return problems.some(({ severity }) => severity === 'error') ? faults : [passed(type, note), ...faults]
}
