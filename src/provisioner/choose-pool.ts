// The one pool a command is about.

import type { ProvidedPool } from '../agent-setup/pool-trust.ts'
import type { MasterConfig } from '../config/master-config.ts'
import { ProvisionError, problem } from '../problems/problem.ts'
import { choosePools } from './prepare.ts'

/** The one named, or the only one. Throws USAGE when there are several to choose from. */
export function choosePool(config: MasterConfig, name?: string): ProvidedPool {
  const pools = choosePools(config, name === undefined ? undefined : [name])
  if (pools.length === 1) return pools[0]!
  const choices = pools.map(({ pool_name }) => `--pool ${pool_name}`)
  throw new ProvisionError(
    problem('USAGE', `${config.file} has ${pools.length} pools to choose from`, {
      remedy: `Say which one: ${choices.join(' or ')}.`,
    }),
  )
}
