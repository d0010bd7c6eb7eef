// A changed configuration is taken over while the provisioner runs, as far as that can be, and every change is named.
import type { MasterConfig } from '../config/master-config.ts'
import type { Logger } from '../platform/ports.ts'
import { redact } from '../platform/redact.ts'
import { tellProblems } from '../platform/tell-problems.ts'
import { isError, type Problem } from '../problems/problem.ts'
import type { RunningPools } from './pools.ts'
import type { PreparedPools } from './prepared-pools.ts'
import { planReload, type ReloadPlan, type Takes } from './reload-plan.ts'

export interface Reloading {
  before: MasterConfig
  after: MasterConfig
  pools: PreparedPools
  running: RunningPools
  logger: Logger
}

export interface Reloaded {
  /** In force now. */
  config: MasterConfig
  changes: ReloadPlan['changes']
  /** With an error among them nothing was taken over. */
  problems: Problem[]
}

/** The last good configuration stays when VMs could not be made by the new one. */
export async function reload({ before, after, pools, running, logger }: Reloading): Promise<Reloaded> {
  const plan = planReload(before, after)
  if (plan.changes.length === 0) {
    logger.info('the configuration has not changed')
    return { config: before, changes: [], problems: [] }
  }
  const problems = await pools.use(plan.config)
  tellProblems(logger, problems)
  if (problems.some(isError)) {
    logger.error('the changed configuration is not taken over; the last good one stays')
    return { config: before, changes: plan.changes, problems }
  }
  for (const { path, before, after, takes } of plan.changes) {
    const key = path.join('.')
    const told = { key, from: maskedBy(path, before), to: maskedBy(path, after) }
    if (takes === 'next_start') logger.warn(sentences[takes], told)
    else logger.info(sentences[takes], told)
  }
  for (const pool of plan.reconfigured) running.reconfigure(pool)
  await Promise.all(plan.renewed.map(running.restart))
  return { config: plan.config, changes: plan.changes, problems }
}

const sentences: Record<Takes, string> = {
  now: 'changed, and in force',
  next_vms: 'changed: VMs launched from now on are made by it',
  next_start: 'changed in the file only: it takes a restart of the provisioner',
}

/** A value whose key sounds like a secret is not told. */
function maskedBy(path: readonly string[], value: unknown): unknown {
  const nested = path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value)
  return path.reduce<unknown>(
    (outer, key) =>
      typeof outer === 'object' && outer !== null ? (outer as Record<string, unknown>)[key] : outer,
    redact(nested, -path.length),
  )
}
