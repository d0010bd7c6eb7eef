// The address at which agents of a pool dial the master (Determined's provisioner: provconfig/config.go; docs/configuration.md
// lists the differences).

import { type HostAlias, type MasterAddress, type MasterScheme, masterUrl } from '../pki/index.ts'
import { canonicalAddress } from '../platform/index.ts'
import { type Problem, ProvisionError, problem, type Where } from '../problems/index.ts'
import type { MasterConfig, PoolConfig } from './master-config.ts'
import { type MasterUrlParts, parseMasterUrl } from './master-url.ts'
import type { ProviderBlock } from './provider.ts'
import { listOf } from './provider-addresses.ts'

/** The default port of https, used if a proxy terminates TLS and no port is given. */
const proxyPort = 443
const loopback = '127.0.0.1'

/** Where this machine reaches the built-in master of the configuration. */
export function localHostOf({ host = '' }: Pick<MasterConfig, 'host'>): string {
  const isEvery = ['', '0.0.0.0', '::', '[::]'].includes(host)
  return isEvery ? loopback : host.replace(/^\[(.*)\]$/, '$1')
}

export interface MasterAddressOptions {
  masterHost?: string | undefined
  /** Every type of provider: each may have aliases. */
  providers: readonly Pick<ProviderBlock, 'kind' | 'hostAliases' | 'defaultHost'>[]
}

export interface MasterAddresses {
  /** The first, or only one. */
  address: MasterAddress
  /** Of several the others, in their order. */
  others: readonly MasterAddress[]
  problems: Problem[]
}

/**
 * The addresses of a pool with a provider. `masterHost` replaces an alias or a missing host of the only one: it comes from
 * the metadata server or from the user. Without it aliases are kept, with a warning; among several they are an error,
 * and so is an address that is there twice.
 * Throws MASTER_URL_INVALID or MASTER_URL_USERINFO only for a configuration that was never checked.
 */
export function masterAddressOf(
  config: MasterConfig,
  pool: PoolConfig,
  options: MasterAddressOptions,
): MasterAddresses {
  const { master_url = '' } = pool.provider ?? {}
  const urls = listOf(master_url)
  const isOne = urls.length === 1
  const asked: Asked = { config, pool, ...options, ...(!isOne && { masterHost: undefined }) }
  const earlier = new Set<string>()
  const found = urls.map((url, index) => {
    const path = typeof master_url === 'string' ? pathOf(config, pool) : `${pathOf(config, pool)}.${index}`
    const { address, problems } = addressOf(url, path, asked)
    if (isOne) return { address, problems }
    if (address.alias !== undefined) return { address, problems: [aliasAmong(address, path, asked)] }
    const dialled = masterUrl({ ...address, host: canonicalAddress(address.host) ?? address.host })
    if (earlier.has(dialled)) return { address, problems: [twice(dialled, url, path, asked)] }
    earlier.add(dialled)
    return { address, problems }
  })
  const [address, ...others] = found.map((one) => one.address)
  return { address: address!, others, problems: found.flatMap(({ problems }) => problems) }
}

/** Only here: the default port, and the form of an IPv6 address, may make two texts one address. */
function twice(dialled: string, text: string, path: string, { config, pool }: Asked): Problem {
  const written = text === dialled ? '' : `, here as ${text}`
  return problem('MASTER_URL_INVALID', `pool ${pool.pool_name}: master_url has ${dialled} twice${written}`, {
    where: config.locate(path),
    remedy: 'Write each address once.',
  })
}

/** An alias is the machine that runs this provisioner: on another host the same file would name another master. */
function aliasAmong({ host }: MasterAddress, path: string, { config, pool }: Asked): Problem {
  return problem(
    'MASTER_URL_INVALID',
    `pool ${pool.pool_name}: master_url has several addresses, and one is the alias ${host} of this machine`,
    { where: config.locate(path), remedy: 'Write the host name or the IP address of each master.' },
  )
}

interface Asked extends MasterAddressOptions {
  config: MasterConfig
  pool: PoolConfig
}

function addressOf(
  text: string,
  path: string,
  { config, pool, masterHost, providers }: Asked,
): { address: MasterAddress; problems: Problem[] } {
  const where = config.locate(path)
  const url = partsOf(text, where)
  const scheme: MasterScheme = url.scheme ?? (config.security.tls ? 'https' : 'http')
  const problems: Problem[] = []
  const behindProxy = scheme === 'https' && !config.security.tls && url.port === undefined
  if (behindProxy)
    problems.push(
      problem(
        'MASTER_PORT_ASSUMED',
        `pool ${pool.pool_name}: master_url has no port, so ${proxyPort} is assumed`,
        { where },
      ),
    )
  const written = url.host === '' || aliasOf(url.host, providers) ? masterHost : undefined
  const host = written?.replace(/^\[(.*)\]$/, '$1') || url.host || defaultHost(config, pool, providers)
  const alias = aliasOf(host, providers)
  if (alias)
    problems.push(
      problem('MASTER_HOST_ALIAS', `pool ${pool.pool_name}: the master's host is the alias ${host}`, {
        where,
        details: { alias: host },
      }),
    )
  const port = url.port ?? (behindProxy ? proxyPort : config.port)
  return { address: { scheme, host, port, ...(alias && { alias }) }, problems }
}

function partsOf(text: string, where: Where): MasterUrlParts {
  const parts = parseMasterUrl(text)
  if ('code' in parts) throw new ProvisionError(problem(parts.code, parts.message, { where }))
  return parts
}

function aliasOf(host: string, providers: MasterAddressOptions['providers']): HostAlias | undefined {
  const owner = providers.find(({ hostAliases }) => Object.hasOwn(hostAliases, host))
  return owner?.hostAliases[host]
}

/** Agents on this machine, and a caller about a pool without a provider, dial the address that the master listens on. */
function defaultHost(
  config: MasterConfig,
  { provider }: PoolConfig,
  providers: MasterAddressOptions['providers'],
): string {
  const host = providers.find(({ kind }) => kind === provider?.type)?.defaultHost ?? loopback
  return host === loopback ? localHostOf(config) : host
}

function pathOf(config: MasterConfig, pool: PoolConfig): string {
  return `resource_pools.${config.resource_pools.indexOf(pool)}.provider.master_url`
}
