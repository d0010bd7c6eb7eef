// Which parts of a changed configuration a running provisioner applies at once, and which wait for the next start.

import { isDeepStrictEqual } from 'node:util'
import {
  type Change,
  changesBetween,
  type MasterConfig,
  type PoolConfig,
  type ProviderConfig,
} from '../config/index.ts'
import { type AnyProvider, definitionOf } from '../providers/index.ts'

/** - `now`: new limits, applied by the running loop
 * - `next_vms`: restarts the pool's loop; running VMs stay, new VMs use the new settings
 * - `next_start`: needs a restart of the provisioner */
export type Takes = 'now' | 'next_vms' | 'next_start'

export interface ReloadPlan {
  changes: (Change & { takes: Takes })[]
  /** As it is in force after the reload: the old one where a change has to wait. */
  config: MasterConfig
  /** Pools whose limits have changed. */
  reconfigured: string[]
  /** Pools whose loop restarts. */
  restarted: string[]
  /** Pools that do not exist after the next start, and pools whose location is different then. */
  removed: string[]
  moved: string[]
}

export function planReload(
  before: MasterConfig,
  after: MasterConfig,
  providers: readonly AnyProvider[],
): ReloadPlan {
  const changes = changesBetween(before, after).map((change) => ({
    ...change,
    takes: takes(change.path, before, after, providers),
  }))
  const has = (name: string, wanted: Takes) =>
    changes.some(({ path, takes }) => path[0] === 'resource_pools' && path[1] === name && takes === wanted)
  const provided = before.resource_pools.filter(({ provider }) => provider !== undefined)
  const names = before.resource_pools.map(({ pool_name }) => pool_name)
  return {
    changes,
    config: {
      ...before,
      prices: after.prices,
      resource_pools: before.resource_pools.map((pool) => {
        const wanted = poolOf(after, pool.pool_name)
        return wanted ? poolInForce(pool, wanted, providers) : pool
      }),
      locate: locateIn(after, names),
    },
    reconfigured: names.filter((name) => has(name, 'now') && !has(name, 'next_vms')),
    restarted: names.filter((name) => has(name, 'next_vms')),
    removed: provided
      .filter(({ pool_name }) => !poolOf(after, pool_name)?.provider)
      .map(({ pool_name }) => pool_name),
    moved: provided
      .filter(({ pool_name, provider }) => {
        const wanted = poolOf(after, pool_name)?.provider
        return wanted && isMoved(provider!, wanted, definitionOf(providers, provider!).identityKeys)
      })
      .map(({ pool_name }) => pool_name),
  }
}

/** In the changed file, whose pools may be others than those in force, or in another order. */
function locateIn(
  { file, locate, resource_pools }: MasterConfig,
  inForce: readonly string[],
): MasterConfig['locate'] {
  return (path) => {
    const [, index, rest] = /^resource_pools\.(\d+)(.*)$/.exec(path) ?? []
    if (index === undefined) return locate(path)
    const at = resource_pools.findIndex(({ pool_name }) => pool_name === inForce[Number(index)])
    return { ...(at < 0 ? { file } : locate(`resource_pools.${at}${rest}`)), path }
  }
}

const poolLimits: readonly string[] = ['description', 'agent_reconnect_wait', 'max_aux_containers_per_agent']
const limits: readonly string[] = [
  'min_instances',
  'max_instances',
  'max_idle_agent_period',
  'boot_timeout',
  'max_agent_starting_period',
  'placement_grace',
  'launch_rate',
  'launch_error_timeout',
  'launch_error_retries',
  'rollout',
  'max_lifetime',
]

function takes(
  path: readonly string[],
  before: MasterConfig,
  after: MasterConfig,
  providers: readonly AnyProvider[],
): Takes {
  const [top, name, key = '', ...keys] = path
  if (top === 'prices') return 'now'
  const pool = poolOf(before, name)
  if (top !== 'resource_pools' || !pool) return 'next_start'
  if (poolLimits.includes(key)) return 'now'
  const wanted = poolOf(after, name)?.provider
  if (key !== 'provider' || !pool.provider || !wanted) return 'next_start'
  const [providerKey = ''] = keys
  const { launchKeys = [] } = definitionOf(providers, pool.provider)
  if (launchKeys.includes(keys.join('.'))) return 'next_vms'
  return providerTakes(providerKey, pool.provider, wanted, providers)
}

function poolOf({ resource_pools }: MasterConfig, name: string | undefined): PoolConfig | undefined {
  return resource_pools.find(({ pool_name }) => pool_name === name)
}

/** An empty key: the whole provider was added or removed. */
function providerTakes(
  key: string,
  provider: ProviderConfig,
  wanted: ProviderConfig,
  providers: readonly AnyProvider[],
): Takes {
  if (limits.includes(key)) return 'now'
  // The loop of a pool on this machine cannot restart without stopping its agents.
  const { onThisMachine, identityKeys } = definitionOf(providers, provider)
  // The listeners ask clients for certificates, or do not, from the start.
  if (key === '' || key === 'join' || onThisMachine) return 'next_start'
  // Images and networks of the new location do not exist in the old one.
  return isMoved(provider, wanted, identityKeys) ? 'next_start' : 'next_vms'
}

/** Changing the region or project would orphan the VMs in the old one. */
function isMoved(provider: ProviderConfig, wanted: ProviderConfig, identityKeys: readonly string[]): boolean {
  const places = ['type', ...identityKeys]
  const placeOf = (config: object) => Object.entries(config).filter(([key]) => places.includes(key))
  return !isDeepStrictEqual(new Map(placeOf(provider)), new Map(placeOf(wanted)))
}

/** The pool with those of its keys that can be applied. */
function poolInForce(pool: PoolConfig, wanted: PoolConfig, providers: readonly AnyProvider[]): PoolConfig {
  const merged = merge(pool, wanted, (key) => poolLimits.includes(key))
  const { provider } = pool
  const { provider: next } = wanted
  if (!provider || !next) return merged
  return {
    ...merged,
    provider: merge(provider, next, (key) => providerTakes(key, provider, next, providers) !== 'next_start'),
  }
}

/** The keys of `wanted` that `may` accepts, and the others from `old`. */
function merge<T extends object>(old: T, wanted: T, may: (key: string) => boolean): T {
  const kept = Object.entries(old).filter(([key]) => !may(key))
  const taken = Object.entries(wanted).filter(([key]) => may(key))
  return Object.fromEntries([...kept, ...taken]) as T
}
