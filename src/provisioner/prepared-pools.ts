// All pools of a running provisioner, prepared again whenever the certificate changes; the last good ones stay.

import type { ProvidedPool } from '../agent-setup/pool-trust.ts'
import type { MasterConfig } from '../config/master-config.ts'
import type { TlsMaterial } from '../pki/credentials.ts'
import { limit } from '../platform/limit.ts'
import { isError, type Problem } from '../problems/problem.ts'
import type { Ownership } from '../providers/ownership.ts'
import { isProvided } from './prepare.ts'
import { type PreparedPool, preparePool } from './prepare-pool.ts'
import type { Identity } from './state.ts'

export interface PreparedPools {
  names: string[]
  get(pool: string): PreparedPool
  ownerOf(pool: string): Ownership
  /** Uses the material for VMs launched from now on. A pool it does not fit keeps what it had; its problems tell why. */
  renew(material: TlsMaterial): Promise<Problem[]>
  /** Makes new VMs by another configuration of the same pools; with an error among the problems all stays as it was. */
  use(config: MasterConfig): Promise<Problem[]>
}

export interface PreparedPoolsInput {
  config: MasterConfig
  identity: Identity
  material?: TlsMaterial
  now: () => number
  /** What agents dial, by pool. */
  hosts: ReadonlyMap<string, string>
  localAgent: string[]
}

/** undefined when a pool cannot be launched; warnings are in the problems too. */
export async function preparePools(
  input: PreparedPoolsInput,
): Promise<{ pools?: PreparedPools; problems: Problem[] }> {
  const { identity, now, localAgent, hosts } = input
  let { config, material } = input
  const current = new Map<string, PreparedPool>()
  // A certificate and a configuration that change at once must not undo each other.
  const oneByOne = limit(1)
  const ownerOf = (pool: string): Ownership => ({ ...identity, pool })

  async function prepare(
    pool: ProvidedPool,
    by: MasterConfig,
    into: Map<string, PreparedPool>,
  ): Promise<Problem[]> {
    const owner = ownerOf(pool.pool_name)
    // Only a dry run shows the request; a launch makes its own, with its own intent.
    const intent = { id: 'none', count: 1 }
    const { prepared, problems } = await preparePool({
      config: by,
      pool,
      material,
      now: now(),
      owner,
      intent,
      localAgent,
      masterHost: hosts.get(pool.pool_name),
    })
    if (prepared) into.set(pool.pool_name, prepared)
    return problems
  }
  const prepareAll = async (by: MasterConfig, into: Map<string, PreparedPool>) =>
    (await Promise.all(by.resource_pools.filter(isProvided).map((pool) => prepare(pool, by, into)))).flat()

  const problems = await prepareAll(config, current)
  if (problems.some(isError)) return { problems }
  return {
    problems,
    pools: {
      names: config.resource_pools.filter(isProvided).map((pool) => pool.pool_name),
      get: (pool) => current.get(pool)!,
      ownerOf,
      renew: (renewed) =>
        oneByOne(() => {
          material = renewed
          return prepareAll(config, current)
        }),
      use: (changed) =>
        oneByOne(async () => {
          const prepared = new Map<string, PreparedPool>()
          const problems = await prepareAll(changed, prepared)
          if (problems.some(isError)) return problems
          config = changed
          for (const [name, pool] of prepared) current.set(name, pool)
          return problems
        }),
    },
  }
}
