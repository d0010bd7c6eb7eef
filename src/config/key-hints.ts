// Where an unknown key belongs: keys of other tools in the words of this file, and keys in the wrong block.
import { snakeCase } from '../platform/index.ts'
import type { JsonSchema } from './json-schema.ts'

/**
 * What a key of another tool (Karpenter, Terraform, EC2, Compute Engine, Determined) is called here: a path of the provider
 * block, such as `network_interface.security_group_id`, several of them, or a path with a remark. No path: there is no such
 * setting, and the remark says what to do instead.
 */
export type Synonym = string | { readonly to: string | readonly string[]; readonly note: string }

/** Sources are in snake_case; `keyName` and `KeyName` are found, too. */
export type Synonyms = Readonly<Record<string, Synonym>>

/** Keys of other tools that every provider has. */
export const commonSynonyms: Synonyms = {
  ...each('max_instances', [
    'max',
    'max_size',
    'max_count',
    'max_nodes',
    'max_node_count',
    'max_workers',
    'max_replicas',
    'max_dynamic_agents',
  ]),
  ...each('min_instances', [
    'min',
    'min_size',
    'min_count',
    'min_nodes',
    'min_node_count',
    'min_workers',
    'min_replicas',
    'min_dynamic_agents',
    'desired_capacity',
    'desired_size',
    'target_size',
  ]),
  ...each('max_idle_agent_period', [
    'idle_timeout',
    'idle_timeout_minutes',
    'idle_period',
    'idle_termination_minutes',
    'max_idle_time',
    'max_agent_idle_period',
    'scale_down_unneeded_time',
    'scaledown_idletime',
    'consolidate_after',
    'ttl_seconds_after_empty',
  ]),
  ...each('max_lifetime', [
    'expire_after',
    'ttl_seconds_until_expired',
    'max_instance_lifetime',
    'max_age',
    'max_node_lifetime',
  ]),
  ...each('rollout.max_unavailable', ['max_unavailable', 'max_unavailable_percentage', 'disruption_budget']),
  ...each('rollout.surge', ['max_surge']),
  ...each('rollout.drain_timeout', ['termination_grace_period', 'drain_timeout', 'drain_grace_period']),
  ...each('boot_timeout', [
    'startup_timeout',
    'start_timeout',
    'launch_timeout',
    'provision_timeout',
    'registration_timeout',
    'max_node_provision_time',
  ]),
  ...each('startup_script', [
    'user_data',
    'user_data_base64',
    'custom_data',
    'cloud_init',
    'init_script',
    'bootstrap_script',
    'setup_commands',
    'initialization_commands',
  ]),
  ...each('agent_docker_image', ['docker_image', 'container_image', 'agent_image']),
  ...each('agent_docker_network', ['docker_network', 'network_mode']),
  ...each('agent_docker_runtime', ['docker_runtime', 'container_runtime']),
  ...each('tls.ca_file', ['ca_cert', 'ca_bundle', 'cacert', 'master_cert_file']),
  ...each({ to: 'tls.trust', note: 'Its value `skip_verify` encrypts without verifying.' }, [
    'skip_verify',
    'tls_skip_verify',
    'insecure',
    'insecure_skip_verify',
  ]),
  ...each('master_url', ['master_address', 'master_host', 'master_port']),
  ...each({ to: [], note: 'Jobs choose a pool by its name; agents have no taints.' }, [
    'taint',
    'taints',
    'startup_taints',
    'tolerations',
    'node_selector',
  ]),
  ...each({ to: 'agent_config_file_contents', note: 'It is a key of agent.yaml: write it below.' }, [
    'http_proxy',
    'https_proxy',
    'no_proxy',
    'label',
    'visible_gpus',
    'container_auto_remove_disabled',
  ]),
}

/** One target for several words. */
export function each(target: Synonym, words: readonly string[]): Synonyms {
  return Object.fromEntries(words.map((word) => [word, target]))
}

/** Keys of a block of the file, at any depth: `network_interface.subnet_id`; entries of a list as `[]`. */
export function pathsOf(schema: JsonSchema, prefix = ''): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, below]) => {
    const path = prefix ? `${prefix}.${key}` : key
    return [path, ...variantsOf(below).flatMap((one) => pathsBelow(one, path))]
  })
}

function pathsBelow(schema: JsonSchema, path: string): string[] {
  if (schema.items) return variantsOf(schema.items).flatMap((one) => pathsBelow(one, `${path}[]`))
  return pathsOf(schema, path)
}

function variantsOf(schema: JsonSchema): JsonSchema[] {
  return schema.anyOf ?? schema.oneOf ?? [schema]
}

export interface KeyHints {
  /** The remedy for a key of another tool; `intro` is such as "With `type: aws`". */
  renamed(key: string, intro: string): string | undefined
  /** The paths that end in the key. */
  pathsTo(key: string): readonly string[]
}

/** Hints for the keys of one block; `own` wins over the words every provider shares. */
export function keyHints(schema: () => JsonSchema, synonyms: Synonyms): KeyHints {
  let byName: Map<string, string[]> | undefined
  const index = () => {
    byName ??= Map.groupBy(pathsOf(schema()), (path) => path.slice(path.lastIndexOf('.') + 1))
    return byName
  }
  return {
    pathsTo: (key) => index().get(snakeCase(key)) ?? [],
    renamed(key, intro) {
      const word = snakeCase(key)
      if (!Object.hasOwn(synonyms, word)) return undefined
      const synonym = synonyms[word]!
      const { to, note } = typeof synonym === 'string' ? { to: synonym, note: undefined } : synonym
      const paths = typeof to === 'string' ? [to] : to
      const main = paths.length > 0 ? `${intro} it is ${paths.map(written).join(' and ')}.` : 'Remove it.'
      return note ? `${main} ${note}` : main
    },
  }
}

/** `network_interface` of `network_interface.subnet_id`; an empty string for a key of the block itself. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('.')))
}

/** A path and how it is written: volume.size (`volume: {size: …}`). */
export function written(path: string): string {
  const parts = path.split('.')
  if (parts.length === 1 && !path.endsWith('[]')) return path
  return `${path.replaceAll('[]', '')} (\`${nested(parts)}\`)`
}

function nested([part = '', ...rest]: string[]): string {
  const value = rest.length > 0 ? `{${nested(rest)}}` : '…'
  return part.endsWith('[]') ? `${part.slice(0, -2)}: [${value}]` : `${part}: ${value}`
}
