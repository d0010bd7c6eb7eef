// All pools of a running provisioner, prepared again whenever the certificate changes; the last good ones stay.
import type { MasterConfig } from '../model/master-config.ts'
import type { Ownership } from '../model/ownership.ts'
import { isError, type Problem } from '../model/problem.ts'
import type { TlsMaterial } from '../tls/material.ts'
import type { Identity } from './identity.ts'
import type { ProvidedPool } from './pool-trust.ts'
import { isProvided } from './prepare-all.ts'
import { type PreparedPool, preparePool } from './prepare-pool.ts'

export interface PreparedPools {
  names: string[]
  get(pool: string): PreparedPool
  ownerOf(pool: string): Ownership
  /** Uses the material for VMs launched from now on. A pool it does not fit keeps what it had; its problems tell why. */
  renew(material: TlsMaterial): Promise<Problem[]>
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
  const { config, identity, now, localAgent, hosts } = input
  const provided = config.resource_pools.filter(isProvided)
  const current = new Map<string, PreparedPool>()
  const ownerOf = (pool: string): Ownership => ({ ...identity, pool })

  async function prepare(pool: ProvidedPool, material: TlsMaterial | undefined): Promise<Problem[]> {
    const owner = ownerOf(pool.pool_name)
    // Only a dry run shows the request; a launch makes its own, with its own intent.
    const intent = { id: 'none', count: 1 }
    const { prepared, problems } = await preparePool({
      config,
      pool,
      material,
      now: now(),
      owner,
      intent,
      localAgent,
      masterHost: hosts.get(pool.pool_name),
    })
    if (prepared) current.set(pool.pool_name, prepared)
    return problems
  }
  const prepareAll = async (material?: TlsMaterial) =>
    (await Promise.all(provided.map((pool) => prepare(pool, material)))).flat()

  const problems = await prepareAll(input.material)
  if (problems.some(isError)) return { problems }
  return {
    problems,
    pools: {
      names: provided.map((pool) => pool.pool_name),
      get: (pool) => current.get(pool)!,
      ownerOf,
      renew: prepareAll,
    },
  }
}
