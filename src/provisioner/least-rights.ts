// The least rights each cloud's credentials need, for the pools of a configuration.
import type { MasterConfig, ProviderKind } from '../config/master-config.ts'
import { ProvisionError, problem } from '../problems/problem.ts'
import type { Policy } from '../providers/aws/iam-policy.ts'
import type { AwsConfig } from '../providers/aws/schema.ts'
import type { Role } from '../providers/gcp/iam-role.ts'
import { choosePools } from './prepare.ts'
import { knownClusterId } from './state.ts'

export interface LeastRights {
  /** What AWS calls a policy, or, where every pool on a cloud is on Google's, what Google calls a role. */
  rights: Policy | Role
  /** Kinds of pools of the configuration that it says nothing about. */
  uncovered: ProviderKind[]
}

/**
 * Throws USAGE without a pool on a cloud, and CLUSTER_ID_UNKNOWN: an AWS policy lets nobody near other clusters' VMs,
 * and so needs to name the cluster.
 */
export async function leastRights(config: MasterConfig, names?: string[]): Promise<LeastRights> {
  const pools = choosePools(config, names)
  const aws = pools.flatMap(({ provider }) => (provider.type === 'aws' ? [provider] : []))
  const gcp = pools.flatMap(({ provider }) => (provider.type === 'gcp' ? [provider] : []))
  if (aws.length > 0) return { rights: await policyOf(config, aws), uncovered: gcp.length > 0 ? ['gcp'] : [] }
  if (gcp.length > 0) {
    const { leastRole } = await import('../providers/gcp/iam-role.ts')
    return { rights: leastRole(gcp), uncovered: [] }
  }
  throw new ProvisionError(
    problem('USAGE', `no pool of ${config.file} that was asked for is on AWS or Google Cloud`, {
      remedy: 'A policy or role is for pools with `provider: {type: aws}` or `{type: gcp}`.',
    }),
  )
}

async function policyOf(config: MasterConfig, pools: AwsConfig[]): Promise<Policy> {
  const clusterId = knownClusterId(config)
  if (clusterId === undefined)
    throw new ProvisionError(
      problem('CLUSTER_ID_UNKNOWN', `${config.file} has no cluster_id, and no start has made one`),
    )
  const { leastPolicy } = await import('../providers/aws/iam-policy.ts')
  return leastPolicy(clusterId, pools)
}
