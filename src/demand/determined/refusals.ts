// What must not run with this master: a user who may not drain, pools that are not ours to run; and warnings about pools.
import type { DemandConfig, PoolConfig, ProviderConfig } from '../../config/index.ts'
import type { Clock } from '../../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../../problems/index.ts'
import type { Api } from './api.ts'
import type { MasterFacts } from './session.ts'
import type { View } from './view.ts'

/** Why nothing may be launched or terminated in the pool; undefined when it is not blocked. */
export function poolRefusal(pool: string, { pools, jobs }: View): Problem | undefined {
  const known = pools.get(pool)
  if (!known) {
    const names = [...pools.keys()].join(', ') || 'none'
    return problem(
      'MASTER_POOL_UNKNOWN',
      `the Determined master has no resource pool ${pool}; it has: ${names}`,
      {
        remedy: "Use the pool's name from the master's configuration, or add the pool there.",
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
  return problem(
    'DETERMINED_WORK_HIDDEN',
    `${hidden} jobs of pool ${pool} are not visible to the configured user`,
    {
      details: { pool, hidden },
    },
  )
}

/**
 * Whether placeholder agents keep the pool open. A master without `provider` for a pool rejects jobs that the connected agents
 * are too small for, so the pool needs them while it may have no instance.
 */
export function wantsPlaceholders(
  { min_instances }: Pick<ProviderConfig, 'min_instances'>,
  { placeholder_agent: setting }: Pick<DemandConfig, 'placeholder_agent'>,
): boolean {
  return setting === 'auto' ? min_instances === 0 : setting
}

/** Warnings before a pool runs with a Determined master. Needs no master. */
export function warningsFor({ pool_name, provider }: PoolConfig, demand: DemandConfig): Problem[] {
  if (!provider || provider.min_instances > 0 || wantsPlaceholders(provider, demand)) return []
  const message = `pool ${pool_name} may shrink to no agents; the master then rejects most jobs`
  return [problem('NO_SCALE_FROM_ZERO', message, { details: { pool: pool_name } })]
}

// Whether the user may drain agents. An instance that was launched without that could never be terminated.

export interface Permission {
  /** Asks the master, unless its last answer is recent. */
  mayDrain(signal?: AbortSignal): Promise<boolean>
  /** A request to drain or enable an agent. If it is not permitted, that counts as the newest answer. */
  watch<T>(order: Promise<T>): Promise<T>
}

/** Milliseconds. */
const freshFor = { granted: 600_000, denied: 30_000 }

export function createPermission(api: Pick<Api, 'mayDrain'>, clock: Clock): Permission {
  let known: { may: boolean; at: number } | undefined
  return {
    async mayDrain(signal) {
      const period = known?.may ? freshFor.granted : freshFor.denied
      if (known && clock.now() - known.at < period) return known.may
      const may = await api.mayDrain(signal)
      known = { may, at: clock.now() }
      return may
    },
    async watch(order) {
      try {
        return await order
      } catch (error) {
        if (error instanceof ProvisionError && error.code === 'DETERMINED_NOT_PERMITTED')
          known = { may: false, at: clock.now() }
        throw error
      }
    },
  }
}

/** Concerns every pool. `facts`: undefined when the master's kind of access control is not known. */
export function drainRefusal(user: string | undefined, facts?: MasterFacts): Problem {
  const name = user ?? 'of the token'
  const admin = `det user edit ${user ?? 'USER'} --admin true`
  const remedy = facts?.rbacEnabled
    ? `Assign the role ClusterAdmin to the user: det rbac assign-role ClusterAdmin --username-to-assign ${user ?? 'USER'}`
    : `Make the user an admin of the cluster: ${admin}`
  const message = `the user ${name} may not drain agents, so an idle instance could never be terminated`
  return problem('DETERMINED_CANNOT_DRAIN', message, { remedy })
}
