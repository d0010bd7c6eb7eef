// Every pool of a configuration, prepared as a dry run and a start both need it.

import type { ProvidedPool } from '../agent-setup/pool-trust.ts'
import type { MasterConfig } from '../config/master-config.ts'
import { isError, type Problem, ProvisionError, problem } from '../problems/problem.ts'
import { loadMasterMaterial } from './material.ts'
import { type PreparedOutcome, preparePool } from './prepare-pool.ts'
import { peekIdentity } from './state.ts'

export interface PrepareAllOptions {
  /** Names of the pools wanted; all without it. */
  pools?: string[]
  masterHost?: string
  /** What agents dial, by pool; wins over `masterHost`. */
  hosts?: ReadonlyMap<string, string>
  /** Milliseconds since the epoch. */
  now: number
  localAgent: string[]
}

export interface PoolOutcome extends PreparedOutcome {
  pool: ProvidedPool
}

/** Stands for the intent that a real launch would write down first. */
const exampleIntent = { id: '00000000-0000-4000-8000-000000000000', count: 1 }

/**
 * Pools fail one by one; what they share is in `problems`. Needs no network, credentials or key, and writes nothing.
 * Throws USAGE for a pool that does not exist or is not ours to launch.
 */
export async function prepareAll(
  config: MasterConfig,
  { pools, masterHost, hosts, now, localAgent }: PrepareAllOptions,
): Promise<{ outcomes: PoolOutcome[]; problems: Problem[] }> {
  const chosen = choosePools(config, pools)
  const { material, problems } = loadMasterMaterial(config, { now, withKey: false })
  if (problems.some(isError)) return { outcomes: [], problems }
  const { clusterId, writerId } = peekIdentity(config)
  const outcomes = await Promise.all(
    chosen.map(async (pool): Promise<PoolOutcome> => {
      const owner = { clusterId, writerId, pool: pool.pool_name }
      const dialled = hosts?.get(pool.pool_name) ?? masterHost
      const common = { config, pool, material, now, owner, intent: exampleIntent, localAgent }
      return { pool, ...(await preparePool({ ...common, masterHost: dialled })) }
    }),
  )
  return { outcomes, problems }
}

export function isProvided(pool: { provider?: unknown }): pool is ProvidedPool {
  return pool.provider !== undefined
}

/** Those of these names, or all that are ours to launch. Throws USAGE and NO_PROVIDED_POOLS. */
export function choosePools(config: MasterConfig, names?: string[]): ProvidedPool[] {
  const provided = config.resource_pools.filter(isProvided)
  const known = provided.map((pool) => pool.pool_name)
  for (const name of names ?? known)
    if (!known.includes(name)) {
      const exists = config.resource_pools.some((pool) => pool.pool_name === name)
      const message = exists ? `pool ${name} has no provider` : `${config.file} has no pool ${name}`
      throw new ProvisionError(
        problem('USAGE', message, { remedy: `Pools with a provider: ${known.join(', ')}.` }),
      )
    }
  if (provided.length === 0)
    throw new ProvisionError(problem('NO_PROVIDED_POOLS', `no pool of ${config.file} has a provider`))
  return provided.filter((pool) => !names || names.includes(pool.pool_name))
}
