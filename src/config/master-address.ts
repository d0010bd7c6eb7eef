// Where agents of a pool dial the master (origin: provconfig/config.go, with the corrections of docs/configuration.md).

import { hostAliases, isHostAlias, type MasterAddress, type MasterScheme } from '../pki/master-address.ts'
import { type Problem, ProvisionError, problem } from '../problems/problem.ts'
import type { MasterConfig, PoolConfig } from './master-config.ts'
import { type MasterUrlParts, parseMasterUrl } from './master-url.ts'

/** https without a port, where a proxy ends TLS: the port of https itself. */
const proxyPort = 443

/**
 * The address of a pool with a provider. `masterHost` stands in for an alias or a missing host: what the metadata
 * server said, or the user. Without it aliases stay as they are, with a warning. Throws MASTER_URL_INVALID or
 * MASTER_URL_USERINFO only for a configuration that was never checked.
 */
export function masterAddressOf(
  config: MasterConfig,
  pool: PoolConfig,
  { masterHost }: { masterHost?: string } = {},
): { address: MasterAddress; problems: Problem[] } {
  const where = { file: config.file, path: pathOf(config, pool) }
  const url = partsOf(pool.provider?.master_url ?? '', where)
  const scheme: MasterScheme = url.scheme ?? (config.security.tls ? 'https' : 'http')
  const problems: Problem[] = []
  const behindProxy = scheme === 'https' && !config.security.tls && url.port === undefined
  if (behindProxy)
    problems.push(
      problem(
        'MASTER_PORT_ASSUMED',
        `Pool ${pool.pool_name}: master_url has no port, so ${proxyPort} is assumed`,
        { where },
      ),
    )
  const host = hostOf(url.host, pool, masterHost)
  if (isHostAlias(host))
    problems.push(
      problem('MASTER_HOST_ALIAS', `Pool ${pool.pool_name}: the master's host is the alias ${host}`, {
        where,
        details: { alias: host },
      }),
    )
  return { address: { scheme, host, port: url.port ?? (behindProxy ? proxyPort : config.port) }, problems }
}

function partsOf(text: string, where: { file: string; path: string }): MasterUrlParts {
  const parts = parseMasterUrl(text)
  if ('code' in parts) throw new ProvisionError(problem(parts.code, parts.message, { where }))
  return parts
}

function hostOf(host: string, pool: PoolConfig, masterHost: string | undefined): string {
  if (host !== '' && !isHostAlias(host)) return host
  if (masterHost) return masterHost.replace(/^\[(.*)\]$/, '$1')
  if (host !== '') return host
  const type = pool.provider?.type ?? 'local'
  return type === 'local' ? '127.0.0.1' : hostAliases[type][0]
}

function pathOf(config: MasterConfig, pool: PoolConfig): string {
  return `resource_pools.${config.resource_pools.indexOf(pool)}.provider.master_url`
}
