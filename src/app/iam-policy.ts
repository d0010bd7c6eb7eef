// The least rights each cloud's credentials need, for the pools of a configuration.
import type { MasterConfig } from '../model/master-config.ts'
import { ProvisionError, problem } from '../model/problem.ts'
import type { ProviderKind } from '../model/provider-config.ts'
import type { Policy } from '../providers/aws/iam-policy.ts'
import { knownClusterId } from './identity.ts'
import type { ProvidedPool } from './pool-trust.ts'
import { choosePools } from './prepare-all.ts'

export interface LeastRights {
  aws: Policy
  /** Kinds of pools of the configuration that it says nothing about. */
  uncovered: ProviderKind[]
}

/** Throws USAGE without a pool on AWS, and CLUSTER_ID_UNKNOWN: the policy lets nobody near other clusters' VMs. */
export async function leastRights(config: MasterConfig, names?: string[]): Promise<LeastRights> {
  const pools = choosePools(config, names)
  const aws = pools.flatMap(({ provider }) => (provider.type === 'aws' ? [provider] : []))
  if (aws.length === 0)
    throw new ProvisionError(
      problem('USAGE', `no pool of ${config.file} that was asked for is on AWS`, {
        remedy: 'An IAM policy is for pools with `provider: {type: aws}`.',
      }),
    )
  const clusterId = knownClusterId(config)
  if (clusterId === undefined)
    throw new ProvisionError(
      problem('CLUSTER_ID_UNKNOWN', `${config.file} has no cluster_id, and no start has made one`),
    )
  const { leastPolicy } = await import('../providers/aws/iam-policy.ts')
  return { aws: leastPolicy(clusterId, aws), uncovered: kindsBeside(pools) }
}

function kindsBeside(pools: ProvidedPool[]): ProviderKind[] {
  const kinds = new Set(pools.map(({ provider }) => provider.type))
  return [...kinds].filter((kind) => kind !== 'aws' && kind !== 'local')
}
