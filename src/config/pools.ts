// The pools of the file, in its old form (one provisioner block) and its new one (resource_pools).

import { awsKeys } from '../providers/aws/schema.ts'
import { gcpKeys } from '../providers/gcp/schema.ts'
import { described } from './issues.ts'
import type { PoolConfig } from './master-config.ts'
import { readProvider } from './provider.ts'
import { commonKeys } from './provider-keys.ts'
import { type Partially, readBlock } from './read-block.ts'
import { type Block, given, inner, isAbsent, isMapping, note } from './reading.ts'
import { poolBlock } from './schema.ts'

type Pool = Partially<PoolConfig>

const newForm = ['resource_manager', 'resource_pools']

export function poolsOf(block: Block): Pool[] {
  const old = ['provisioner', 'scheduler'].filter((key) => given(block, key))
  const mixed = newForm.filter((key) => given(block, key))
  if (old.length && mixed.length)
    note(block, 'CONFIG_FORMS_MIXED', `${old.join(' and ')} cannot stand beside ${mixed.join(' and ')}`, {
      key: old[0]!,
      part: 'key',
    })
  const pools = listedPools(block)
  if (given(block, 'provisioner')) return [...pools, oldPool(block)]
  checkOtherManagers(block)
  return pools.length ? pools : [emptyPool(block)]
}

function listedPools(block: Block): Pool[] {
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
      note(block, 'CONFIG_WRONG_TYPE', `A pool must be a mapping, but is ${described(raw)}`, {
        key: path,
        remedy: 'Write "- pool_name: NAME" and its other keys below it.',
      })
      return []
    }
    const at = { reading: block.reading, path, raw }
    const pool = readPool(at)
    checkName(at, pool.pool_name, names)
    return [pool]
  })
}

function checkName(block: Block, name: string | undefined, names: Set<string>): void {
  if (name === undefined) return
  if (names.has(name))
    note(block, 'CONFIG_DUPLICATE', `There are two pools named ${JSON.stringify(name)}`, { key: 'pool_name' })
  names.add(name)
}

function readPool(block: Block): Pool {
  const { max_cpu_containers_per_agent, ...keys } = readBlock(poolBlock, block, {
    skip: ['provider'],
    elsewhere: providerKey,
  })
  if (given(block, 'agent_reattach_enabled'))
    note(block, 'CONFIG_UNUSED', 'agent_reattach_enabled is ignored: agents always reattach', {
      key: 'agent_reattach_enabled',
      part: 'key',
    })
  const old = max_cpu_containers_per_agent ?? -1
  return {
    pool_name: keys.pool_name,
    description: keys.description,
    agent_reconnect_wait: keys.agent_reconnect_wait,
    // The old key wins (origin: resource_pool_config.go).
    max_aux_containers_per_agent: old === -1 ? keys.max_aux_containers_per_agent : old,
    provider: providerOf(block, 'provider'),
  } as Pool
}

function providerOf(block: Block, key: 'provider' | 'provisioner') {
  if (!given(block, key)) return undefined
  const provider = inner(block, key)
  if (!provider)
    return note(block, 'CONFIG_WRONG_TYPE', `${key} must be a mapping, but is ${described(block.raw[key])}`, {
      key,
      remedy: 'Write its keys below it, indented, beginning with "type".',
    })
  return key === 'provider' ? readProvider(provider) : readOldProvider(provider)
}

/** In the old form the type is called `provider`. */
function readOldProvider(block: Block) {
  const { provider, ...raw } = block.raw
  if (isAbsent(provider)) return readProvider(block)
  if (given(block, 'type') && raw['type'] !== provider)
    return note(block, 'CONFIG_CONFLICT', 'provider and type name two types of provider', {
      key: 'type',
      part: 'key',
    })
  return readProvider({ ...block, raw: { ...raw, type: provider } }, 'provider')
}

function oldPool(block: Block): Pool {
  return { ...emptyPool(block), provider: providerOf(block, 'provisioner') } as Pool
}

/** The pool there is when none is listed (origin: resource_config.go). */
function emptyPool({ reading }: Block): Pool {
  return readPool({ reading, path: [], raw: { pool_name: 'default' } })
}

/** Keys of providers that stand one level too high; the origin reads over them. */
function providerKey(key: string): string | undefined {
  const isOne = key === 'type' || [commonKeys, awsKeys, gcpKeys].some((keys) => Object.hasOwn(keys, key))
  return isOne ? 'Move it below provider.' : undefined
}

function checkOtherManagers(block: Block): void {
  const managers = block.raw['additional_resource_managers']
  if (!Array.isArray(managers)) return
  managers.forEach((manager: unknown, index) => {
    const pools = isMapping(manager) ? manager['resource_pools'] : undefined
    if (Array.isArray(pools) && pools.some((pool) => isMapping(pool) && !isAbsent(pool['provider'])))
      note(block, 'CONFIG_UNUSED', 'Providers of additional_resource_managers are not read', {
        key: ['additional_resource_managers', index, 'resource_pools'],
        part: 'key',
        remedy: 'Move pools with a provider to resource_pools.',
      })
  })
}
