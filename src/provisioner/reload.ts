// A changed configuration is taken over while the provisioner runs, as far as that can be, and every change is named.

import { isDeepStrictEqual } from 'node:util'
import { type Change, changesBetween, loadConfig } from '../config/load.ts'
import type { MasterConfig, PoolConfig } from '../config/master-config.ts'
import type { ProviderConfig } from '../config/provider-keys.ts'
import { redact, tellProblems } from '../platform/log.ts'
import type { Clock, Logger } from '../platform/ports.ts'
import { watchMaterial } from '../platform/watch.ts'
import { isError, type Problem } from '../problems/problem.ts'
import { type AnyProvider, definitionOf } from '../providers/definition.ts'
import type { RunningPools } from './pools.ts'
import type { PreparedPools } from './prepared-pools.ts'

export interface Reloading {
  before: MasterConfig
  after: MasterConfig
  /** Every kind of provider there is. */
  providers: readonly AnyProvider[]
  pools: PreparedPools
  running: RunningPools
  logger: Logger
}

export interface Reloaded {
  /** In force now. */
  config: MasterConfig
  changes: ReloadPlan['changes']
  /** With an error among them nothing was taken over. */
  problems: Problem[]
}

/** The last good configuration stays when VMs could not be made by the new one. */
export async function reload({
  before,
  after,
  providers,
  pools,
  running,
  logger,
}: Reloading): Promise<Reloaded> {
  const plan = planReload(before, after, providers)
  if (plan.changes.length === 0) {
    logger.info('the configuration has not changed')
    return { config: before, changes: [], problems: [] }
  }
  const problems = await pools.use(plan.config)
  tellProblems(logger, problems)
  if (problems.some(isError)) {
    logger.error('the changed configuration is not taken over; the last good one stays')
    return { config: before, changes: plan.changes, problems }
  }
  for (const { path, before, after, takes } of plan.changes) {
    const key = path.join('.')
    const told = { key, from: maskedBy(path, before), to: maskedBy(path, after) }
    if (takes === 'next_start') logger.warn(sentences[takes], told)
    else logger.info(sentences[takes], told)
  }
  for (const pool of plan.reconfigured) running.reconfigure(pool)
  await Promise.all(plan.renewed.map(running.restart))
  return { config: plan.config, changes: plan.changes, problems }
}

const sentences: Record<Takes, string> = {
  now: 'changed, and in force',
  next_vms: 'changed: VMs launched from now on are made by it',
  next_start: 'changed in the file only: it takes a restart of the provisioner',
}

/** A value whose key sounds like a secret is not told. */
function maskedBy(path: readonly string[], value: unknown): unknown {
  const nested = path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value)
  return path.reduce<unknown>(
    (outer, key) =>
      typeof outer === 'object' && outer !== null ? (outer as Record<string, unknown>)[key] : outer,
    redact(nested, -path.length),
  )
}

// What of a changed configuration a running provisioner takes over at once, and what waits for the next start.

/** - `now`: new limits, taken over by the running loop
 * - `next_vms`: the pool's loop begins anew, its VMs run on, and those launched from now on are made by the new words
 * - `next_start`: the provisioner has to be started again */
export type Takes = 'now' | 'next_vms' | 'next_start'

export interface ReloadPlan {
  changes: (Change & { takes: Takes })[]
  /** As it is in force after the reload: the old one where a change has to wait. */
  config: MasterConfig
  /** Pools whose limits have changed. */
  reconfigured: string[]
  /** Pools whose loop begins anew. */
  renewed: string[]
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
    },
    reconfigured: names.filter((name) => has(name, 'now') && !has(name, 'next_vms')),
    renewed: names.filter((name) => has(name, 'next_vms')),
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
]

function takes(
  path: readonly string[],
  before: MasterConfig,
  after: MasterConfig,
  providers: readonly AnyProvider[],
): Takes {
  const [top, name, key = '', providerKey = ''] = path
  if (top === 'prices') return 'now'
  const pool = poolOf(before, name)
  if (top !== 'resource_pools' || !pool) return 'next_start'
  if (poolLimits.includes(key)) return 'now'
  const wanted = poolOf(after, name)?.provider
  if (key !== 'provider' || !pool.provider || !wanted) return 'next_start'
  return providerTakes(providerKey, pool.provider, wanted, providers)
}

function poolOf({ resource_pools }: MasterConfig, name: string | undefined): PoolConfig | undefined {
  return resource_pools.find(({ pool_name }) => pool_name === name)
}

/** An empty key: the whole provider came or went. */
function providerTakes(
  key: string,
  provider: ProviderConfig,
  wanted: ProviderConfig,
  providers: readonly AnyProvider[],
): Takes {
  if (limits.includes(key)) return 'now'
  // The loop of a pool on this machine cannot begin anew without its agents.
  const { onThisMachine, identityKeys } = definitionOf(providers, provider)
  if (key === '' || onThisMachine) return 'next_start'
  // Images and networks of the new place are not there in the old one.
  return isMoved(provider, wanted, identityKeys) ? 'next_start' : 'next_vms'
}

/** Another place has other VMs: those in the old one would be forgotten. */
function isMoved(provider: ProviderConfig, wanted: ProviderConfig, identityKeys: readonly string[]): boolean {
  const places = ['type', ...identityKeys]
  const placeOf = (config: object) => Object.entries(config).filter(([key]) => places.includes(key))
  return !isDeepStrictEqual(new Map(placeOf(provider)), new Map(placeOf(wanted)))
}

/** The pool with those of its keys that can be taken over. */
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

/** The keys of `wanted` where `may` says so, and those of `old` elsewhere. */
function merge<T extends object>(old: T, wanted: T, may: (key: string) => boolean): T {
  const kept = Object.entries(old).filter(([key]) => !may(key))
  const taken = Object.entries(wanted).filter(([key]) => may(key))
  return Object.fromEntries([...kept, ...taken]) as T
}

// The configuration file is looked at while the provisioner runs; a broken one is reported, and the last good one stays.

export interface ConfigurationWatch {
  file: string
  providers: readonly AnyProvider[]
  env: Readonly<Record<string, string | undefined>>
  clock: Clock
  logger: Logger
  /** Of the file when it was first loaded. */
  since: string
  onChange: (config: MasterConfig) => void
}

const everyMs = 2000
/** An editor may write a file in several steps. */
const graceMs = 3000

/** Looks until the returned function is called. */
export function watchConfiguration(options: ConfigurationWatch): () => void {
  const { file, providers, env, clock, logger, since, onChange } = options
  return watchMaterial<MasterConfig>({
    files: [file],
    since,
    load: () => {
      const { config, problems } = loadConfig(file, { env, providers })
      return { material: config, problems }
    },
    clock,
    intervalMs: everyMs,
    graceMs,
    onChange(config, warnings) {
      tellProblems(logger, warnings)
      onChange(config)
    },
    onProblem(problems) {
      tellProblems(logger, problems)
      logger.error('the changed configuration is not usable; the last good one stays', { file })
    },
    onRecovery: () => logger.info('the configuration is good again', { file }),
  })
}
