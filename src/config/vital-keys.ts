// Misspelt keys that would switch TLS off, or leave no pool or another source of jobs. In blocks that the master also
// reads an unknown key is a warning; these are errors.
import type { YamlPath } from './yaml.ts'

/** Names that people write for them, in the wrong block. */
const ofTls = ['tls', 'ssl', 'cert', 'key', 'certificate', 'tls_cert', 'tls_key', 'cert_file', 'key_file']
const ofPools = ['pools', 'pool', 'node_pools', 'providers', 'provider', 'resource_provider']

const vital = {
  top: ['security', 'resource_pools', 'provisioner', 'demand'],
  security: ['tls'],
  pool: ['provider'],
}

/**
 * The remedy of an unknown key that must not be ignored; undefined for any other. `meant` is the known key with the
 * nearest name.
 */
export function vitalRemedy(path: YamlPath, key: string, meant: string | undefined): string | undefined {
  const block =
    path.length === 0
      ? 'top'
      : path[0] === 'security' && path.length === 1
        ? 'security'
        : path[0] === 'resource_pools' && path.length === 2
          ? 'pool'
          : undefined
  if (!block) return undefined
  if (meant !== undefined && vital[block].includes(meant)) return `Did you mean "${meant}"?`
  if (block === 'pool') return undefined
  if (ofTls.includes(key))
    return 'The certificate of the master is `security: {tls: {cert: FILE, key: FILE}}`.'
  return block === 'top' && ofPools.includes(key) ? 'Pools are a list below `resource_pools`.' : undefined
}
