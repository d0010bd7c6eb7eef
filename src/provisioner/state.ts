// Who we are: the cluster our VMs belong to and the provisioner that launched them.
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MasterConfig } from '../config/master-config.ts'
import { writeFileAtomic } from '../platform/files.ts'

export interface Identity {
  clusterId: string
  writerId: string
}

/** Shown by a dry run where a first start would make an id. */
const notYet = 'made-on-first-start'

/**
 * From `cluster_id`, else what `state_dir` remembers, else new ones that it will remember. `learned` is the cluster id
 * of a master that has one.
 */
export function ensureIdentity(config: MasterConfig, learned?: string): Identity {
  return {
    clusterId: config.cluster_id ?? remembered(config, 'cluster-id', () => learned ?? randomUUID()),
    writerId: remembered(config, 'writer-id', randomUUID),
  }
}

/** undefined before the first start of a configuration without `cluster_id`. */
export function knownClusterId(config: MasterConfig): string | undefined {
  return config.cluster_id ?? read(config, 'cluster-id')
}

/** As `ensureIdentity`, without writing anything. */
export function peekIdentity(config: MasterConfig): Identity {
  return {
    clusterId: knownClusterId(config) ?? notYet,
    writerId: read(config, 'writer-id') ?? notYet,
  }
}

function remembered(config: MasterConfig, name: string, make: () => string): string {
  const known = read(config, name)
  if (known) return known
  const made = make()
  writeFileAtomic(join(config.state_dir, name), `${made}\n`)
  return made
}

function read(config: MasterConfig, name: string): string | undefined {
  const file = join(config.state_dir, name)
  return existsSync(file) ? readFileSync(file, 'utf8').trim() || undefined : undefined
}
