// How the agents of one pool will trust the master they dial.
import { masterAddressOf } from '../config/master-address.ts'
import type { MasterConfig, PoolConfig } from '../config/master-config.ts'
import type { ProviderConfig } from '../config/provider-config.ts'
import type { TlsMaterial } from '../pki/credentials.ts'
import type { MasterAddress } from '../pki/master-address.ts'
import { loadTrustAnchors } from '../pki/trust-anchors.ts'
import type { TrustPlan } from '../pki/trust-plan.ts'
import { isError, type Problem, type Where } from '../problems/problem.ts'
import { planTrust } from './trust.ts'

export interface ProvidedPool extends PoolConfig {
  provider: ProviderConfig
}

export interface PoolTrustInput {
  config: MasterConfig
  pool: ProvidedPool
  /** What `security.tls.cert` holds; undefined when it is not configured. */
  material?: TlsMaterial
  /** Milliseconds since the epoch. */
  now: number
  /** Dialled by agents instead of an alias or a missing host. */
  masterHost?: string
}

export interface PoolTrust {
  master: MasterAddress
  /** undefined when a problem is an error. */
  trust?: TrustPlan
  problems: Problem[]
}

export function poolTrust({ config, pool, material, now, masterHost }: PoolTrustInput): PoolTrust {
  const { provider } = pool
  const { address, problems } = masterAddressOf(config, pool, { masterHost })
  const file = provider.tls.ca_file
  const ca = file ? loadTrustAnchors(file, { now, where: placeOf(config, pool, 'tls.ca_file') }) : undefined
  const found = [...problems, ...(ca?.problems ?? [])]
  if (found.some(isError)) return { master: address, problems: found }
  const { plan, problems: doubts } = planTrust({
    address,
    options: provider.tls,
    certificateName: provider.master_cert_name,
    material,
    caMaterial: ca?.anchors,
    now,
    where: placeOf(config, pool, 'tls'),
  })
  return { master: address, trust: plan, problems: [...found, ...doubts] }
}

export function placeOf(config: MasterConfig, pool: PoolConfig, key: string): Where {
  const index = config.resource_pools.findIndex(({ pool_name }) => pool_name === pool.pool_name)
  return { file: config.file, path: `resource_pools.${index}.provider.${key}` }
}
