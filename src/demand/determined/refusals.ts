// Pools that must not be run for this master, and what is warned of before they are.
import type { DemandConfig, PoolConfig } from '../../config/master-config.ts'
import { type Problem, problem } from '../../problems/problem.ts'
import type { View } from './view.ts'

/** Why nothing may be launched or ended for the pool; undefined: all is well. */
export function poolRefusal(pool: string, { pools, jobs }: View): Problem | undefined {
  const known = pools.get(pool)
  if (!known) {
    const names = [...pools.keys()].join(', ') || 'none'
    return problem(
      'MASTER_POOL_UNKNOWN',
      `the Determined master has no resource pool ${pool}; it has: ${names}`,
      {
        remedy: "Call the pool here as the master's own configuration does, or add it there.",
        details: { pool },
      },
    )
  }
  if (known.type !== 'RESOURCE_POOL_TYPE_STATIC')
    return problem('DETERMINED_POOL_PROVIDED', `the master runs pool ${pool} itself (${known.type})`, {
      details: { pool, type: known.type },
    })
  const hidden = jobs.get(pool)?.filter((job) => job.hidden).length ?? 0
  if (hidden === 0) return undefined
  return problem('DETERMINED_WORK_HIDDEN', `${hidden} jobs of pool ${pool} are hidden from our user`, {
    details: { pool, hidden },
  })
}

/** What anybody should know before a pool is run beside a Determined master. Needs no master. */
export function warningsFor(
  { pool_name, provider }: PoolConfig,
  { placeholder_agent }: Pick<DemandConfig, 'placeholder_agent'>,
): Problem[] {
  if (!provider || provider.min_instances > 0) return []
  const details = { pool: pool_name }
  if (placeholder_agent)
    return [
      problem(
        'PLACEHOLDER_EXPERIMENTAL',
        `a placeholder agent keeps pool ${pool_name} open while it has no VM`,
        {
          details,
        },
      ),
    ]
  const message = `pool ${pool_name} may shrink to no agent, and the master then refuses most work`
  return [problem('NO_SCALE_FROM_ZERO', message, { details })]
}
