// The tables of other tools' keys: every target is a key of the schema, and no source is one.
import { describe, expect, it } from 'vitest'
import { commonSynonyms, pathsOf, type Synonyms } from '../../../src/config/key-hints.ts'
import { aws } from '../../../src/providers/aws/definition.ts'
import { awsSynonyms } from '../../../src/providers/aws/synonyms.ts'
import { gcp } from '../../../src/providers/gcp/definition.ts'
import { gcpSynonyms } from '../../../src/providers/gcp/synonyms.ts'
import { local } from '../../../src/providers/local/definition.ts'
import { problemsOf } from '../config/marked.ts'

const tables: [string, Pick<typeof aws, 'jsonSchema'>, Synonyms][] = [
  ['aws', aws, awsSynonyms],
  ['gcp', gcp, gcpSynonyms],
  ['common, aws', aws, commonSynonyms],
  ['common, local', local, commonSynonyms],
]

describe.each(tables)('the words of other tools: %s', (_, { jsonSchema }, synonyms) => {
  const paths = pathsOf(jsonSchema())

  it('lead to keys of the schema', () => {
    const targets = Object.values(synonyms).flatMap((one) => (typeof one === 'string' ? one : one.to))
    expect(targets.filter((path) => !paths.includes(path))).toEqual([])
  })

  it('are in snake_case and no keys themselves', () => {
    const words = Object.keys(synonyms)
    expect(words.filter((word) => !/^[a-z][a-z\d_]*$/.test(word))).toEqual([])
    expect(words.filter((word) => paths.includes(word))).toEqual([])
  })
})

describe('a key of another tool', () => {
  it.each([
    ['aws', 'security_groups: [sg-1]', 'network_interface.security_group_id'],
    ['aws', 'availability_zones: [us-west-2a]', 'subnet_ids'],
    ['aws', 'key_name: k', 'ssh_key_name'],
    ['aws', 'user_data: x', 'startup_script'],
    ['aws', 'max_size: 4', 'max_instances'],
    ['aws', 'min_size: 0', 'min_instances'],
    ['aws', 'MinCount: 0', 'min_instances'],
    ['aws', 'capacity_type: spot', 'spot: true'],
    ['aws', 'tags: {a: b}', 'custom_tags'],
    ['aws', 'TagSpecifications: []', 'custom_tags'],
    ['aws', 'idle_timeout: 5m', 'max_idle_agent_period'],
    ['aws', 'on_demand_fallback: true', '`spot: {fallback: …}`'],
    ['aws', 'spot_price: "1"', '`spot: {max_price: …}`'],
    ['aws', 'instance_profile: p', 'iam_instance_profile_arn'],
    ['aws', 'root_block_device: {volume_size: 200}', 'volume'],
    ['aws', 'amiSelectorTerms: []', 'image.owner'],
    ['aws', 'placement_group_name: g', 'it is placement_group'],
    ['aws', 'placement_strategy: g', 'docs/configuration.md'],
    ['aws', 'kms_key_id: k', '`volume: {kms_key_id: …}`'],
    ['aws', 'efa: true', '`network_interface: {efa: …}`'],
    ['aws', 'capacity_reservation_id: cr-1', '`capacity: {reservation: …}`'],
    ['gcp', 'reservation_affinity: {}', '`capacity: {reservation: …}`'],
    ['aws', 'network_interface: {subnet_ids: [a]}', 'Move it: it is subnet_ids.'],
    ['aws', 'security_groups: [a]', '`network_interface: {security_group_ids: …}`'],
    ['aws', 'security_group_id: sg-1', '`network_interface: {security_group_id: …}`'],
    ['aws', 'max_price: "1"', '`spot: {max_price: …}`'],
    ['aws', 'taints: []', 'no taints'],
    ['aws', 'http_proxy: x', 'agent_config_file_contents'],
    ['aws', 'pool_name: p', 'beside pool_name'],
    ['aws', 'cluster_id: c', 'top level'],
    ['gcp', 'machine_type: g2-standard-8', '`instance_type: {machine_type: …}`'],
    ['gcp', 'preemptible: true', 'spot: true'],
    ['gcp', 'tags: [a]', 'network_tags'],
    ['gcp', 'boot_disk: {}', 'boot_disk_size'],
    ['gcp', 'subnetwork: s', '`network_interface: {subnetwork: …}`'],
    ['gcp', 'min_cpu_platform: x', 'base_config'],
    ['gcp', 'guest_accelerator: []', 'gpu_num'],
    ['gcp', 'instance_slots: 2', '`instance_types: [{slots: …}]`'],
    ['local', 'max_size: 2', 'max_instances'],
  ])('%s %s', (type, line, remedy) => {
    const problems = problemsOf(
      `resource_pools:\n  - pool_name: p\n    provider:\n      type: ${type}\n      ${line}\n`,
    )
    const found = problems.filter(({ code }) => code === 'CONFIG_UNKNOWN_KEY')
    expect(found.map((one) => one.remedy).join()).toContain(remedy)
    expect(found.map((one) => one.remedy).join()).not.toContain('placement_grace')
  })

  it.each([
    ['max_size: 4', 'it is max_instances'],
    ['security_groups: [a]', 'network_interface'],
    ['max_instances: 4', 'Move it below provider.'],
    ['subnet_id: s', 'provider: it is network_interface.subnet_id'],
    ['cluster_id: c', 'top level'],
  ])('in the pool: %s', (line, remedy) => {
    const problems = problemsOf(
      `resource_pools:\n  - pool_name: p\n    ${line}\n    provider: {type: aws, image: {id: ami-1}}\n`,
    )
    expect(problems.map((one) => `${one.code} ${one.remedy}`)).toEqual([expect.stringContaining(remedy)])
    expect(problems[0]!.code).toBe('CONFIG_SUSPECT_KEY')
  })

  it.each([
    ['max_instances: 4', 'Move it below the provider of a pool'],
    ['pool_name: p', 'Move it to a pool'],
    ['tls: {cert: c}', 'security.tls'],
    ['security: {cert: c}', 'security.tls.cert'],
    ['pools: []', 'resource_pools'],
  ])('at the top: %s', (line, remedy) => {
    const problems = problemsOf(`${line}\ndemand: {type: push}\n`)
    expect(problems.map((one) => one.remedy).join()).toContain(remedy)
  })
})

describe('values in the form of other tools', () => {
  const inAws = (line: string) =>
    problemsOf(`resource_pools: [{pool_name: p, provider: {type: aws, image: {id: ami-1}, ${line}}}]`)

  it('instance_types accepts names, mappings and both', () => {
    expect(inAws('instance_types: [g5.xlarge, {type: g6.xlarge}, {type: x9.odd, slots: 3}]')).toEqual([])
    expect(inAws('instance_types: [g5.xlarge, {type: g5.xlarge}]').map(({ code }) => code)).toEqual([
      'CONFIG_DUPLICATE',
    ])
    expect(inAws('instance_types: [g5.xlrge]').map(({ remedy }) => remedy)).toEqual([
      expect.stringContaining('Did you mean "g5.xlarge"?'),
    ])
  })

  it.each([
    ['instance_types: g5.xlarge', '- TYPE'],
    ['instance_types: [[g5.xlarge]]', '{type: TYPE, slots: N}'],
    ['instance_type: [g5.xlarge, g6.xlarge]', 'instance_types'],
    ['instance_type: {machine_type: g5.xlarge}', 'g5.xlarge'],
  ])('%s', (line, remedy) => {
    expect(
      inAws(line)
        .map((one) => one.remedy)
        .join(),
    ).toContain(remedy)
  })

  it('a string as image or as machine type says which key takes it', () => {
    const image = problemsOf('resource_pools: [{pool_name: p, provider: {type: aws, image: ami-1}}]')
    expect(image.map(({ remedy }) => remedy).join()).toContain('image: {id:')
    const machine = problemsOf(
      'resource_pools: [{pool_name: p, provider: {type: gcp, boot_disk_source_image: i, instance_type: g2-standard-8}}]',
    )
    expect(machine.map(({ remedy }) => remedy)).toEqual([expect.stringContaining('{machine_type: …}')])
  })
})

describe('a file with thousands of wrong keys', () => {
  it('gets suggestions for the first 200 misspelt ones, and the location of all', () => {
    const lines = Array.from({ length: 300 }, (_, i) => `      max_instanc${i}: 1\n`).join('')
    const problems = problemsOf(
      `resource_pools:\n  - pool_name: p\n    provider:\n      type: aws\n      image: {id: ami-1}\n${lines}`,
    )
    expect(problems).toHaveLength(300)
    expect(problems.at(-1)!.where!.line).toBe(305)
    expect(problems.at(-1)!.remedy).not.toContain('Did you mean')
    expect(problems[0]!.remedy).toContain('Did you mean "max_instances"?')
  })

  const costOf = (count: number) => {
    const keys = Array.from({ length: count }, (_, i) => `      wrong_key_number_${i}: ${i}\n`).join('')
    const before = process.cpuUsage()
    const problems = problemsOf(
      `resource_pools:\n  - pool_name: p\n    provider:\n      type: aws\n      image: {id: ami-1}\n${keys}`,
    )
    const { user, system } = process.cpuUsage(before)
    expect(problems).toHaveLength(count)
    return user + system
  }

  it('is read in a time proportional to their number', { timeout: 60_000 }, () => {
    costOf(2000)
    // Ten times as many keys: quadratic would be 100 times the time.
    expect(costOf(20_000) / costOf(2000)).toBeLessThan(30)
  })
})
