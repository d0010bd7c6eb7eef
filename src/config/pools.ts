// The pools of the file, in its old form (one provisioner block) and its new form (resource_pools).

import { resolve } from 'node:path'
import type * as z from 'zod/mini'
import { nearest } from '../platform/index.ts'
import { jsonSchemaOf } from './json-schema.ts'
import { keyHints, parentOf, written } from './key-hints.ts'
import type { DemandConfig, MasterConfig, PoolConfig } from './master-config.ts'
import { besideEmptyProvider, type ProviderBlock, providerKey, readProvider } from './provider.ts'
import { commonKeys } from './provider-keys.ts'
import {
  type Block,
  errorCount,
  given,
  inner,
  isAbsent,
  isMapping,
  note,
  type Partially,
  readBlock,
  wholeOf,
} from './read-block.ts'
import { commonPartOf, withDefaults } from './readable.ts'
import { masterFile, poolBlock } from './schema.ts'
import { described } from './value-problem.ts'
import type { YamlPath } from './yaml.ts'

type Providers = readonly ProviderBlock[]

export interface ReadPool {
  /** Set even if the pool has problems. */
  name: string | undefined
  /** undefined after an error was noted. */
  pool: PoolConfig | undefined
  /** What can be judged of it in spite of its errors. Called when all of them have been noted. */
  readable: () => ReadablePool
  /** The block of the pool in the file. */
  block: Block
  hasProvider: boolean
}

export interface ReadablePool {
  pool: PoolConfig
  /** How much of its provider block is in `pool`: `partly` is the keys of every provider. */
  read: 'whole' | 'partly' | 'nothing'
}

const newForm = ['resource_manager', 'resource_pools']

export function poolsOf(block: Block, providers: Providers): ReadPool[] {
  const old = ['provisioner', 'scheduler'].filter((key) => given(block, key))
  const mixed = newForm.filter((key) => given(block, key))
  if (old.length && mixed.length)
    note(block, 'CONFIG_FORMS_MIXED', `${old.join(' and ')} cannot be combined with ${mixed.join(' and ')}`, {
      key: old[0]!,
      part: 'key',
    })
  const pools = listedPools(block, providers)
  if (given(block, 'provisioner')) return [...pools, oldPool(block, providers)]
  checkOtherManagers(block)
  return pools.length ? pools : [emptyPool(block, providers)]
}

function listedPools(block: Block, providers: Providers): ReadPool[] {
  const list = block.raw['resource_pools']
  if (isAbsent(list)) return []
  if (!Array.isArray(list)) {
    note(block, 'CONFIG_WRONG_TYPE', `resource_pools must be a list of pools, but is ${described(list)}`, {
      key: 'resource_pools',
      remedy: 'Write "- pool_name: NAME" for each pool below it.',
    })
    return []
  }
  const names = new Set<string>()
  return list.flatMap((raw: unknown, index) => {
    const path = ['resource_pools', index]
    if (!isMapping(raw)) {
      note(block, 'CONFIG_WRONG_TYPE', `a pool must be a mapping, but is ${described(raw)}`, {
        key: path,
        remedy: 'Write "- pool_name: NAME" and its other keys below it.',
      })
      return []
    }
    const at = { reading: block.reading, path, raw }
    const pool = readPool(at, providers)
    checkName(at, pool.name, names)
    return [pool]
  })
}

/** The longest pool name that the built-in master accepts from agents. */
const longestName = 256

function checkName(block: Block, name: string | undefined, names: Set<string>): void {
  if (name === undefined) return
  if (name.length > longestName)
    note(
      block,
      'CONFIG_OUT_OF_RANGE',
      `pool_name has ${name.length} characters; the limit is ${longestName}`,
      {
        key: 'pool_name',
        remedy: `Use at most ${longestName} characters.`,
      },
    )
  if (names.has(name))
    note(block, 'CONFIG_DUPLICATE', `two pools are named ${JSON.stringify(name)}`, { key: 'pool_name' })
  names.add(name)
}

function readPool(block: Block, providers: Providers): ReadPool {
  const before = errorCount(block.reading)
  const keys = readBlock(poolBlock, block, {
    skip: ['provider'],
    more: besideEmptyProvider(block, providers),
    elsewhere: (key) => outsidePool(key, block, providers),
  })
  if (given(block, 'agent_reattach_enabled'))
    note(block, 'CONFIG_UNUSED', 'agent_reattach_enabled has no effect: agents always reattach', {
      key: 'agent_reattach_enabled',
      part: 'key',
    })
  const provider = providerOf(block, 'provider', providers)
  const pool = errorCount(block.reading) === before ? poolOf(wholeOf(poolBlock, keys), provider) : undefined
  return {
    name: keys.pool_name,
    pool,
    block,
    hasProvider: given(block, 'provider'),
    readable: () => readablePool({ block, keys, provider, common: inner(block, 'provider') }, providers),
  }
}

interface PoolParts {
  block: Block
  keys: Partially<z.output<typeof poolBlock>>
  /** undefined after an error was noted, or if there is none. */
  provider: PoolConfig['provider']
  /** Its block in the new form. */
  common: Block | undefined
}

/** A pool without a name is not judged. */
function readablePool({ block, keys, provider, common }: PoolParts, providers: Providers): ReadablePool {
  const { pool_name } = keys
  const named = withDefaults(poolBlock, block, keys, { pool_name: pool_name ?? 'unnamed' })
  const judged =
    pool_name === undefined ? undefined : (provider ?? (common && commonPartOf(common, providers)))
  // With a name that is too long every request would be wrong, too.
  const isWhole = provider !== undefined && named.pool_name.length <= longestName
  const read = judged ? (isWhole ? 'whole' : 'partly') : common ? 'nothing' : 'whole'
  return { pool: poolOf(named, judged), read }
}

function poolOf(keys: z.output<typeof poolBlock>, provider: PoolConfig['provider']): PoolConfig {
  const old = keys.max_cpu_containers_per_agent ?? -1
  return {
    pool_name: keys.pool_name,
    description: keys.description,
    agent_reconnect_wait: keys.agent_reconnect_wait,
    agents: keys.agents ?? 'known',
    // The old key wins, as in Determined (resource_pool_config.go).
    max_aux_containers_per_agent: old === -1 ? keys.max_aux_containers_per_agent : old,
    provider,
  }
}

function providerOf(block: Block, key: 'provider' | 'provisioner', providers: Providers) {
  if (!given(block, key)) return undefined
  const provider = inner(block, key)
  if (!provider)
    return note(block, 'CONFIG_WRONG_TYPE', `${key} must be a mapping, but is ${described(block.raw[key])}`, {
      key,
      remedy: 'Write its keys indented below it, starting with "type".',
    })
  return key === 'provider'
    ? readProvider(provider, providers, aboveProvider)
    : readOldProvider(provider, providers)
}

/** The old form as the new one. */
function asNewForm(block: Block): Block {
  const { provider, ...raw } = block.raw
  return isAbsent(provider) ? block : { ...block, raw: { ...raw, type: provider } }
}

/** In the old form the key `type` is called `provider`. */
function readOldProvider(block: Block, providers: Providers) {
  const { provider, type } = block.raw
  if (isAbsent(provider)) return readProvider(block, providers, topKey)
  if (given(block, 'type') && type !== provider)
    return note(block, 'CONFIG_CONFLICT', 'provider and type are two different types of provider', {
      key: 'type',
      part: 'key',
    })
  return readProvider(asNewForm(block), providers, topKey, 'provider')
}

function oldPool(block: Block, providers: Providers): ReadPool {
  const { pool, ...empty } = emptyPool(block, providers)
  const before = errorCount(block.reading)
  const provider = providerOf(block, 'provisioner', providers)
  const isSound = errorCount(block.reading) === before
  const written = inner(block, 'provisioner')
  const common = written && asNewForm(written)
  return {
    ...empty,
    pool: pool && isSound ? { ...pool, provider } : undefined,
    hasProvider: true,
    readable: () => readablePool({ block, keys: { pool_name: empty.name }, provider, common }, providers),
  }
}

/** The pool that exists if none is listed, as in Determined (resource_config.go). */
function emptyPool({ reading }: Block, providers: Providers): ReadPool {
  return readPool({ reading, path: [], raw: { pool_name: 'default' } }, providers)
}

/**
 * The built-in master knows the agents of a pool by its instances. Where nothing launches any, the file has to say that
 * every agent may join. A Determined master admits agents by its own rules. A file with other errors is not judged: a
 * provider that cannot be read, or is in the wrong location, would be reported twice.
 */
export function checkAgents(pools: readonly ReadPool[], demandType: DemandConfig['type'] | undefined): void {
  for (const { name = 'default', block, hasProvider } of pools) {
    const { agents } = block.raw
    const isSound = errorCount(block.reading) === 0
    if (demandType === 'built-in' && isSound && !hasProvider && (isAbsent(agents) || agents === 'known'))
      note(
        block,
        'POOL_ADMITS_NOBODY',
        `pool ${name} has no provider, so the built-in master cannot verify its agents`,
        {
          key: isAbsent(agents) ? [] : 'agents',
          remedy: isImplied(block)
            ? `Write \`resource_pools: [{pool_name: ${name}, agents: any}]\` if every agent that reaches the master may join and run jobs; otherwise list pools with a provider.`
            : 'Write `agents: any` if every agent that reaches the master may join the pool and run its jobs; otherwise add a provider.',
        },
      )
    if (demandType !== undefined && demandType !== 'built-in' && given(block, 'agents'))
      note(block, 'CONFIG_UNUSED', `agents has no effect with demand.type "${demandType}"`, {
        key: 'agents',
        part: 'key',
        remedy: 'Remove it: only the built-in master uses it.',
      })
  }
}

/** The pool is not in the file. */
function isImplied({ path }: Block): boolean {
  return path.length === 0
}

/** The remedy for a key that the pool does not have. */
function outsidePool(key: string, { raw }: Block, providers: Providers): string | undefined {
  const provider = raw['provider']
  const type = isMapping(provider) ? provider['type'] : undefined
  return providerKey(key, type, providers) ?? topKey(key)
}

/** The remedy for a key that the provider does not have and the blocks around it do. */
function aboveProvider(key: string): string | undefined {
  if (Object.hasOwn(poolBlock._zod.def.shape, key))
    return 'Move it out of provider: it is a key of the pool, beside pool_name.'
  return topKey(key)
}

function topKey(key: string): string | undefined {
  return Object.hasOwn(masterFile._zod.def.shape, key) ? 'Move it to the top level of the file.' : undefined
}

/** The remedy for a key that the top level does not have, or a block of it (`inside`). */
export function outsideMaster(key: string, inside: YamlPath, providers: Providers): string | undefined {
  const renamed = inside.length === 0 ? topSynonyms[key] : undefined
  if (renamed) return `It is ${written(renamed)}.`
  if (inside.length > 0) {
    const here = inside.join('.')
    const [path, more] = masterHints
      .pathsTo(key)
      .filter((path) => path.startsWith(`${here}.`) || here.startsWith(parentOf(path)))
    return path && !more ? `Move it: it is ${written(path)}.` : undefined
  }
  if (key !== 'description' && Object.hasOwn(poolBlock._zod.def.shape, key))
    return 'Move it to a pool, below resource_pools.'
  const isOne = Object.hasOwn(commonKeys, key) || providers.some(({ ownKeys }) => ownKeys.includes(key))
  return isOne ? 'Move it below the provider of a pool, below resource_pools.' : undefined
}

/** Names of the top level in other tools' files, and keys without the block around them. */
const topSynonyms: Readonly<Record<string, string>> = {
  pools: 'resource_pools',
  node_pools: 'resource_pools',
  tls: 'security.tls',
  cert: 'security.tls.cert',
  certificate: 'security.tls.cert',
  tls_cert: 'security.tls.cert',
  tls_key: 'security.tls.key',
  private_key: 'security.tls.key',
  cluster: 'cluster_id',
  state_directory: 'state_dir',
}

const masterHints = keyHints(() => jsonSchemaOf(masterFile), {})

function checkOtherManagers(block: Block): void {
  const managers = block.raw['additional_resource_managers']
  if (!Array.isArray(managers)) return
  managers.forEach((manager: unknown, index) => {
    const pools = isMapping(manager) ? manager['resource_pools'] : undefined
    if (Array.isArray(pools) && pools.some((pool) => isMapping(pool) && !isAbsent(pool['provider'])))
      note(block, 'CONFIG_UNUSED', 'providers of additional_resource_managers are not read', {
        key: ['additional_resource_managers', index, 'resource_pools'],
        part: 'key',
        remedy: 'Move pools with a provider to resource_pools.',
      })
  })
}

// resource_manager: its type, and the default pools of jobs.

type Keys = z.output<typeof masterFile>['resource_manager']

const others = ['kubernetes', 'slurm', 'pbs']
const standardPool = 'default'

/** The old names apply only if the new ones are missing, as in Determined (resource_manager_config.go). */
export function resourceManagerOf(
  block: Block,
  keys: Partially<Keys> = {},
  pools: readonly ReadPool[],
  hasTls: boolean,
): MasterConfig['resource_manager'] {
  checkType(block, keys)
  checkOldScheduler(block)
  const poolFor = (name: 'aux' | 'compute', oldName: 'cpu' | 'gpu') => {
    if (keys.no_default_resource_pools) return ''
    const key = `default_${name}_resource_pool` as const
    const oldKey = `default_${oldName}_resource_pool` as const
    checkPool(block, keys[key] === undefined ? oldKey : key, keys[key] ?? keys[oldKey], pools)
    return keys[key] ?? keys[oldKey] ?? standardPool
  }
  if (keys.require_authentication && !hasTls)
    note(block, 'CONFIG_UNUSED', 'require_authentication has no effect without security.tls.cert', {
      key: ['resource_manager', 'require_authentication'],
      part: 'key',
      remedy: 'Set security.tls: agents present client certificates only if the master itself uses TLS.',
    })
  return {
    require_authentication: keys.require_authentication ?? false,
    client_ca: keys.client_ca && resolve(block.reading.folder, keys.client_ca),
    default_aux_resource_pool: poolFor('aux', 'cpu'),
    default_compute_resource_pool: poolFor('compute', 'gpu'),
  }
}

function checkType(block: Block, { type }: Partially<Keys>): void {
  if (type === undefined || type === 'agent') return
  const key = ['resource_manager', 'type']
  if (others.includes(type)) {
    note(
      block,
      'RESOURCE_MANAGER_UNSUPPORTED',
      `a resource manager of type ${type} has no agents to launch`,
      { key },
    )
    return
  }
  const meant = nearest(type, ['agent', ...others])
  note(block, 'CONFIG_BAD_CHOICE', `unknown type of resource manager: ${JSON.stringify(type)}`, {
    key,
    remedy: `Did you mean "${meant ?? 'agent'}"?`,
  })
}

/** The old form sets Kubernetes in its scheduler block, as in Determined (determined-master/root.go). */
function checkOldScheduler(block: Block): void {
  const scheduler = inner(block, 'scheduler')?.raw['resource_provider']
  if (isMapping(scheduler) && scheduler['type'] === 'kubernetes')
    note(
      block,
      'RESOURCE_MANAGER_UNSUPPORTED',
      'a resource manager of type kubernetes has no agents to launch',
      {
        key: ['scheduler', 'resource_provider', 'type'],
      },
    )
}

function checkPool(block: Block, key: string, name: string | undefined, pools: readonly ReadPool[]): void {
  const known = pools.flatMap(({ name }) => name ?? [])
  if (name === undefined || known.includes(name)) return
  const meant = nearest(name, known)
  note(block, 'CONFIG_BAD_CHOICE', `${key} is not a pool of this file: ${JSON.stringify(name)}`, {
    key: ['resource_manager', key],
    remedy: meant ? `Did you mean "${meant}"?` : `The pools are: ${known.join(', ')}.`,
  })
}
