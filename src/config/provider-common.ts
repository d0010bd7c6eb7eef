// The keys every provider has: rules between them, and the values that depend on others.
import { resolve } from 'node:path'
import type * as z from 'zod/mini'
import { agentConfigOf } from './agent-config-text.ts'
import { parseMasterUrl } from './master-url.ts'
import type { CommonProviderConfig } from './provider-config.ts'
import type { commonKeys } from './provider-keys.ts'
import type { Partially } from './read-block.ts'
import { type Block, given, inner, note } from './reading.ts'

export type CommonKeys = { [Key in keyof typeof commonKeys]: z.output<(typeof commonKeys)[Key]> }

const minute = 60_000

/** `bareMetal`: one of the pool's instance types is, so booting may take longer. */
export function commonOf(
  keys: Partially<CommonKeys>,
  block: Block,
  bareMetal: boolean,
): Partially<CommonProviderConfig> {
  checkNumbers(keys, block)
  checkMasterUrl(keys, block)
  checkTrust(keys, block)
  checkPreflight(keys, block)
  if (given(block, 'agent_fluent_image'))
    note(block, 'CONFIG_UNUSED', 'agent_fluent_image is ignored', { key: 'agent_fluent_image', part: 'key' })
  const { tls, max_instances = 0 } = keys
  const file = (path: string) => resolve(block.reading.folder, path)
  return {
    ...keys,
    agent_fluent_image: keys.agent_fluent_image ?? '',
    agent_runtime: keys.agent_runtime ?? 'docker',
    agent_config_file_contents: agentConfigOf(keys.agent_config_file_contents, block),
    agent_setup_template: keys.agent_setup_template && file(keys.agent_setup_template),
    launch_error_timeout: keys.launch_error_timeout ?? 0,
    boot_timeout: bootTimeout(keys, block, bareMetal),
    launch_rate: keys.launch_rate ?? Math.max(10, 2 * max_instances),
    tls: tls && { ...tls, ca_file: tls.ca_file && file(tls.ca_file) },
  }
}

function bootTimeout(keys: Partially<CommonKeys>, block: Block, bareMetal: boolean): number | undefined {
  const starting = given(block, 'max_agent_starting_period')
  if (starting && given(block, 'boot_timeout'))
    note(block, 'CONFIG_UNUSED', 'boot_timeout has no effect beside max_agent_starting_period', {
      key: 'boot_timeout',
      part: 'key',
      remedy: 'Remove one of the two.',
    })
  if (starting) return keys.max_agent_starting_period
  return keys.boot_timeout ?? (bareMetal ? 30 * minute : 10 * minute)
}

function checkNumbers({ min_instances, max_instances }: Partially<CommonKeys>, block: Block): void {
  if (min_instances === undefined || max_instances === undefined || min_instances <= max_instances) return
  const known = given(block, 'max_instances') ? '' : ', its default'
  note(
    block,
    'CONFIG_OUT_OF_RANGE',
    `min_instances is ${min_instances}, but max_instances is ${max_instances}${known}`,
    { key: 'min_instances', remedy: 'Raise max_instances, or lower min_instances.' },
  )
}

function checkMasterUrl({ master_url = '' }: Partially<CommonKeys>, block: Block): void {
  const parts = parseMasterUrl(master_url)
  if ('code' in parts)
    note(block, parts.code, parts.message, {
      key: 'master_url',
      ...(parts.remedy && { remedy: parts.remedy }),
    })
}

function checkTrust({ tls }: Partially<CommonKeys>, block: Block): void {
  const trust = tls?.trust
  if (!tls?.ca_file || !trust || trust === 'auto' || trust === 'embed') return
  note(block, 'CONFIG_CONFLICT', `tls.ca_file is to be embedded, but tls.trust is "${trust}"`, {
    key: ['tls', 'ca_file'],
    part: 'key',
    remedy: 'Write `trust: embed`, or remove ca_file.',
  })
}

function checkPreflight({ preflight, preflight_address }: Partially<CommonKeys>, block: Block): void {
  if (!preflight_address) return
  const port = Number(preflight_address.slice(preflight_address.lastIndexOf(':') + 1))
  if (port < 1 || port > 65_535)
    note(
      block,
      'CONFIG_OUT_OF_RANGE',
      `The port of preflight_address must be from 1 to 65535, but is ${port}`,
      {
        key: 'preflight_address',
      },
    )
  if (preflight === 'off')
    note(block, 'CONFIG_UNUSED', 'preflight_address has no effect with `preflight: off`', {
      key: 'preflight_address',
      part: 'key',
    })
}

/** A list that names something twice. */
export function checkDuplicates(
  block: Block,
  key: string,
  values: (string | undefined)[],
  inside: string[] = [],
): void {
  const seen = new Set<string>()
  values.forEach((value, index) => {
    if (value === undefined) return
    if (seen.has(value))
      note(block, 'CONFIG_DUPLICATE', `${key} names ${JSON.stringify(value)} twice`, {
        key: [key, index, ...inside],
      })
    seen.add(value)
  })
}

/** `key` below `parent` was written by the user. */
export function givenIn(block: Block, parent: string, key: string): boolean {
  const below = inner(block, parent)
  return below !== undefined && given(below, key)
}
