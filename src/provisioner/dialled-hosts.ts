// What agents dial where the configuration names an alias, such as `local-ipv4`: asked from the cloud's metadata server.
import { masterAddressOf } from '../config/master-address.ts'
import type { MasterConfig } from '../config/master-config.ts'
import type { Clock } from '../platform/ports.ts'
import { resolveHost } from '../providers/cloud-metadata.ts'
import { isProvided } from './prepare.ts'

export interface DialledHostsInput {
  config: MasterConfig
  env: Readonly<Record<string, string | undefined>>
  clock: Clock
}

/** Host by pool name. Throws CLOUD_METADATA_UNAVAILABLE when an alias means nothing on this machine. */
export async function dialledHosts({ config, env, clock }: DialledHostsInput): Promise<Map<string, string>> {
  const hosts = new Map<string, string>()
  for (const pool of config.resource_pools.filter(isProvided)) {
    const { host } = masterAddressOf(config, pool).address
    hosts.set(pool.pool_name, await resolveHost(host, { fetch: globalThis.fetch, clock, env }))
  }
  return hosts
}
