// The JSON Schema and the loader agree, and the reference page matches both.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { JsonSchema } from '../../../src/config/json-schema.ts'
import { configSchema, referencePage } from '../../../src/config/reference.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { root } from '../../support/sources.ts'
import { violations } from './json-schema-validator.ts'
import { aws, gcp, local, withoutMark } from './marked.ts'
import { wrongKeys } from './wrong-keys.cases.ts'

const schema = configSchema(builtInProviders)

/** Rules for single keys that no schema can express. */
const beyondSchema = new Set([
  'more at least than at most',
  'more at least than the default allows',
  'a number beyond all numbers',
  'few IOPS for gp3',
  'no time at all',
  'a preflight port beyond all ports',
  'a manager nobody knows',
  'a default pool that is not there',
  'a default pool far from all',
  'an agent configuration that is no YAML',
  'an agent configuration without keys',
])

const valid = [
  'log: {level: info}',
  'security: {tls: {cert: c, key: k}, ssh: {rsa_key_size: 2048}}\nlisten: {tls: {cert: c, key: k}}',
  'provisioner: {provider: local, max_instances: 3}',
  'provisioner: {type: aws, image_id: ami-1, spot: true, spot_max_price: "0.5"}',
  'scheduler: {fit: best}\nprices: {g5.xlarge: 1.006}',
  'resource_manager: {type: agent, scheduler: {type: priority}, metadata: {a: b}}\nresource_pools: [{pool_name: p}]',
  'demand: {type: determined, url: "https://m:8443", token_file: t}',
  local('tls: {trust: off}\nmax_idle_agent_period: 1h30m\nagent_config_file_contents: {label: x}'),
  aws(
    'spot: {fallback: on_demand, max_price: ".5"}\nvolume: {type: gp3}\ncustom_tags: [{key: a, value: ""}]',
  ),
  aws('instance_types: [g5.xlarge, {type: g6.xlarge}]'),
  aws('instance_types: [{type: a.b, slots: 2}, {type: g5.xlarge}]\nsubnet_ids: [a, b]'),
  gcp(
    'labels: {größe: klein}\ninstance_type: {machine_type: n1-standard-1}\nbase_config: {disks: [{boot: false}]}',
  ),
]

describe('provision schema', () => {
  it.each(valid)('accepts what the loader accepts: %j', (text) => {
    expect(violations(schema, parse(text))).toEqual([])
  })

  it('accepts every example', () => {
    const files = readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' })
    // The example of an external provider has a kind of its own.
    const masters = files.filter((file) => file.endsWith('master.yaml') && !file.startsWith('provider'))
    expect(masters.length).toBeGreaterThan(0)
    for (const file of masters)
      expect(violations(schema, parse(readFileSync(join(root, 'examples', file), 'utf8')))).toEqual([])
  })

  it.each(wrongKeys.filter(({ code }) => code !== 'CONFIG_SUSPECT_KEY'))('$code: $rule', ({ rule, text }) => {
    const found = violations(schema, parse(withoutMark(text).text))
    expect(found.length > 0).toBe(!beyondSchema.has(rule))
  })

  it('rejects a mixture of the two forms', () => {
    expect(violations(schema, { provisioner: { provider: 'local' }, resource_pools: [] })).toEqual(['$: not'])
    expect(violations(schema, { scheduler: {}, resource_manager: {} })).toEqual(['$: not'])
  })

  it('describes every key, and each default that depends on others', () => {
    const silent: string[] = []
    walk(schema, '$', (one, path) => {
      if (!one.description) silent.push(path)
      if ('x-default' in one) silent.push(`${path} still has x-default`)
    })
    expect(silent).toEqual([])
    const pool = schema.properties!['resource_pools']!.items!
    const launchRate = pool.properties!['provider']!.oneOf![0]!.properties!['launch_rate']!
    expect(launchRate.description).toContain('Default: the greater of 10 and 2 × `max_instances`.')
  })
})

function walk(one: JsonSchema, path: string, visit: (schema: JsonSchema, path: string) => void): void {
  for (const [key, value] of Object.entries(one.properties ?? {})) {
    visit(value, `${path}.${key}`)
    for (const inner of [value, value.items, ...(value.anyOf ?? []), ...(value.oneOf ?? [])])
      if (inner) walk(inner, `${path}.${key}`, visit)
  }
}

describe('docs/configuration.md', () => {
  it('matches the schema (npm run docs)', () => {
    expect(readFileSync(join(root, 'docs/configuration.md'), 'utf8')).toBe(referencePage(builtInProviders))
  })

  it('has a row for every key', () => {
    const page = referencePage(builtInProviders)
    const missing: string[] = []
    walk(schema, '', (one, path) => {
      const key = path.slice(path.lastIndexOf('.') + 1)
      const isForeign = one.description?.includes('the provisioner does not read it')
      // In the old form only.
      if (!isForeign && !path.startsWith('.provisioner.') && !page.includes(`| \`${key}\``))
        missing.push(path)
    })
    expect(missing).toEqual([])
  })
})
