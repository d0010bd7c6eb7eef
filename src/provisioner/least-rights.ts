// The least rights each cloud's credentials need, for the pools of a configuration.
import { type MasterConfig, orList } from '../config/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import type { AnyProvider } from '../providers/index.ts'
import { openStateReader } from '../state/index.ts'
import { knownClusterId } from './identity.ts'
import { choosePools } from './prepare.ts'

export interface LeastRights {
  /** In the form of the first cloud that any of the pools uses: a policy on AWS, a role on Google Cloud. */
  rights: object
  /** Kinds of pools of the configuration that it does not cover. */
  uncovered: string[]
}

/**
 * Throws USAGE without a pool on a cloud, and CLUSTER_ID_UNKNOWN: an AWS policy gives no access to other clusters' VMs,
 * so it has to name the cluster.
 */
export async function leastRights(
  config: MasterConfig,
  providers: readonly AnyProvider[],
  { names, env }: { names?: string[] | undefined; env: Env },
): Promise<LeastRights> {
  const pools = choosePools(config, names).map(({ provider }) => provider)
  const clouds = providers.filter((provider) => provider.leastRights)
  const used = clouds.flatMap((cloud) => {
    const own = pools.filter(({ type }) => type === cloud.kind)
    return own.length > 0 ? [{ cloud, own }] : []
  })
  const [first, ...others] = used
  if (first?.cloud.leastRights) {
    const clusterId = await storedClusterId(config, env)
    return {
      rights: await first.cloud.leastRights(first.own, () => needed(clusterId, config)),
      uncovered: others.map(({ cloud }) => cloud.kind),
    }
  }
  const known = orList(clouds.map(({ name }) => name)).replaceAll('"', '')
  const types = clouds.map(({ kind }, index) => `\`${index ? '' : 'provider: '}{type: ${kind}}\``)
  throw new ProvisionError(
    problem('USAGE', `no requested pool of ${config.file} is on ${known}`, {
      remedy: `A policy or role is for pools with ${orList(types).replaceAll('"', '')}.`,
    }),
  )
}

type Env = Readonly<Record<string, string | undefined>>

async function storedClusterId(config: MasterConfig, env: Env): Promise<string | undefined> {
  const store = await openStateReader(config, env)
  return knownClusterId(config, store.identity).finally(store.close)
}

function needed(clusterId: string | undefined, { file }: MasterConfig): string {
  if (clusterId !== undefined) return clusterId
  throw new ProvisionError(
    problem('CLUSTER_ID_UNKNOWN', `${file} has no cluster_id, and no start has generated one`),
  )
}
