// This process as the other provisioners of the cluster see it.
import { createHash } from 'node:crypto'
import { dirname, resolve, sep } from 'node:path'
import type { MasterConfig } from '../config/index.ts'
import { thisProcess } from '../platform/index.ts'
import { type AnyProvider, definitionOf } from '../providers/index.ts'
import { type Candidate, leaseOfPool } from '../state/index.ts'
import { everything, orphansOnly } from './work.ts'

export interface AboutProcess {
  writerId: string
  version: string
  /** Milliseconds since the epoch. */
  startedAt: number
  providers: readonly AnyProvider[]
}

export function candidateOf(
  config: MasterConfig,
  { writerId, version, startedAt, providers }: AboutProcess,
): Omit<Candidate, 'pools'> {
  const provided = config.resource_pools.filter(({ provider }) => provider !== undefined)
  const here = provided.filter(({ provider }) => definitionOf(providers, provider!).onThisMachine)
  return {
    id: writerId,
    ...thisProcess(),
    since: startedAt,
    version,
    configuration: hashOf(config),
    pinned: [everything, orphansOnly, ...here.map(({ pool_name }) => leaseOfPool(pool_name))],
    configured: provided.map(({ pool_name }) => pool_name),
    wants: (config.state.type === 'postgres' ? config.state.leases : undefined) ?? 'share',
  }
}

/** Of what decides about instances, with paths relative to the file: hosts may have it in different folders. */
export function hashOf(config: MasterConfig): string {
  const known = hashes.get(config) ?? computed(config)
  hashes.set(config, known)
  return known
}

/** It is asked for at each renewal and for each pool that is shown; a reload makes another object. */
const hashes = new WeakMap<MasterConfig, string>()

function computed(config: MasterConfig): string {
  const { file, resource_pools, orphans, demand, prices, cluster_id, security } = config
  const folder = `${dirname(resolve(file))}${sep}`
  const text = JSON.stringify(
    { resource_pools, orphans, demand, prices, cluster_id, security },
    (_, value: unknown) =>
      typeof value === 'string' && value.startsWith(folder) ? value.slice(folder.length) : value,
  )
  return createHash('sha256').update(text).digest('hex')
}
