// resource_manager: which one it is, and which pools work goes to when it names none.
import { resolve } from 'node:path'
import { nearest } from '../platform/nearest.ts'
import type { MasterConfig } from './master-config.ts'
import type { Partially } from './read-block.ts'
import { type Block, inner, isMapping, note } from './reading.ts'

interface Keys {
  type: string
  default_aux_resource_pool?: string
  default_compute_resource_pool?: string
  default_cpu_resource_pool?: string
  default_gpu_resource_pool?: string
  no_default_resource_pools: boolean
  require_authentication: boolean
  client_ca?: string
}

const others = ['kubernetes', 'slurm', 'pbs']
const standardPool = 'default'

/** The old names count only where the new ones are missing (origin: resource_manager_config.go). */
export function resourceManagerOf(
  block: Block,
  keys: Partially<Keys> = {},
  pools: { pool_name?: string }[],
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
      remedy: 'Agents show client certificates only where the master itself speaks TLS: set security.tls.',
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
      `A resource manager of type ${type} has no agents to launch`,
      { key },
    )
    return
  }
  const meant = nearest(type, ['agent', ...others])
  note(block, 'CONFIG_BAD_CHOICE', `There is no resource manager of type ${JSON.stringify(type)}`, {
    key,
    remedy: `Did you mean "${meant ?? 'agent'}"?`,
  })
}

/** The old form chose Kubernetes in its scheduler block (origin: determined-master/root.go). */
function checkOldScheduler(block: Block): void {
  const scheduler = inner(block, 'scheduler')?.raw['resource_provider']
  if (isMapping(scheduler) && scheduler['type'] === 'kubernetes')
    note(
      block,
      'RESOURCE_MANAGER_UNSUPPORTED',
      'A resource manager of type kubernetes has no agents to launch',
      {
        key: ['scheduler', 'resource_provider', 'type'],
      },
    )
}

function checkPool(
  block: Block,
  key: string,
  name: string | undefined,
  pools: { pool_name?: string }[],
): void {
  const known = pools.flatMap(({ pool_name }) => pool_name ?? [])
  if (name === undefined || known.includes(name)) return
  const meant = nearest(name, known)
  note(block, 'CONFIG_BAD_CHOICE', `${key} names no pool of this file: ${JSON.stringify(name)}`, {
    key: ['resource_manager', key],
    remedy: meant ? `Did you mean "${meant}"?` : `The pools are: ${known.join(', ')}.`,
  })
}
