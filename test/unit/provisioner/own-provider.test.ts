// An external provider beside the built-in ones: its block is read, its part of the script rendered, its VMs launched.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { configSchema, referencePage } from '../../../src/config/reference.ts'
import {
  createProvisioner,
  createPushDemand,
  loadConfig,
  prepareAll,
  standardProviderBlock,
} from '../../../src/index.ts'
import { withProviders } from '../../../src/providers/definition.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { handMade, type Launches, ownRack, rackWith } from '../../support/own-provider.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'own-provider-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

function fileWith(...lines: string[]): string {
  const file = join(dir, 'master.yaml')
  const block = ['type: rack', 'master_url: http://127.0.0.1:8080', 'preflight: off', ...lines]
  writeFileSync(
    file,
    `demand: {type: push}\nresource_pools:\n  - pool_name: p\n    provider:\n${block.map((line) => `      ${line}\n`).join('')}cluster_id: racks\n`,
  )
  return file
}

describe.each(Object.entries(rackWith))('a block described by %s', (_, rack) => {
  const read = (...lines: string[]) => loadConfig(fileWith(...lines), { providers: [rack] })
  const told = (...lines: string[]) =>
    read(...lines)
      .problems.filter(({ severity }) => severity === 'error')
      .map(({ code, where }) => `${code} ${where?.line}:${where?.column}`)

  it('is read with its defaults, and with the keys of every provider', () => {
    const { config, problems } = read('rack: r1', 'max_instances: 3')
    expect(problems.filter(({ severity }) => severity === 'error')).toEqual([])
    expect(config!.resource_pools[0]!.provider).toMatchObject({
      type: 'rack',
      rack: 'r1',
      slots_per_vm: 2,
      max_instances: 3,
      launch_rate: 10,
    })
  })

  it('reports its faults with their locations', () => {
    expect(told('rack: r1', 'slots_per_vm: many')).toEqual([expect.stringMatching(/^CONFIG_\w+ 9:21$/)])
    expect(told('rack: r1', 'max_instances: none')).toEqual(['CONFIG_WRONG_TYPE 9:22'])
  })

  it('rejects unknown keys with a suggestion of its own, and keys of other types with a hint', () => {
    const { problems } = read('rack: r1', 'slots_per_mv: 3', 'region: us-west-2')
    expect(problems.filter(({ code }) => code === 'CONFIG_UNKNOWN_KEY')).toMatchObject([
      { where: { line: 9, column: 7 }, remedy: 'Did you mean "slots_per_vm"?' },
      { where: { line: 10, column: 7 }, remedy: expect.stringContaining('a key of `type: aws`') },
    ])
  })

  it('is in the schema for editors and in the reference', () => {
    const all = withProviders(builtInProviders, [rack])
    const pool = configSchema(all).properties!['resource_pools']!.items!
    expect(pool.properties!['provider']!.oneOf!.at(-1)).toMatchObject({
      properties: {
        type: { const: 'rack' },
        rack: { type: 'string', description: 'The rack.' },
        max_instances: { type: 'integer' },
      },
      required: expect.arrayContaining(['type', 'rack']),
    })
    expect(referencePage(all)).toMatch(/## `provider`, `type: rack`[\s\S]*\| `rack` \| string \| required \|/)
  })
})

describe('an external provider', () => {
  it('has its own rules', () => {
    const { problems } = loadConfig(fileWith('rack: cellar'), { providers: [ownRack([])] })
    expect(problems.at(-1)).toMatchObject({ code: 'CONFIG_CONFLICT', where: { line: 8, column: 13 } })
  })

  it('is unknown where it was not passed, and cannot replace a built-in one', () => {
    const { problems } = loadConfig(fileWith('rack: r1'))
    expect(problems.map(({ code }) => code)).toContain('PROVIDER_TYPE_UNKNOWN')
    const twin = { ...ownRack([]), kind: 'local' }
    expect(() => loadConfig(fileWith('rack: r1'), { providers: [twin] })).toThrow(
      'duplicate provider type "local"',
    )
  })

  it('is rejected when its JSON Schema is invalid', () => {
    const keys = { properties: { rack: { type: 7 } } }
    const words = { kind: 'rack', description: 'VMs of the machines in our rack.', schema: handMade, keys }
    expect(() => standardProviderBlock(words)).toThrow(
      'the JSON Schema of a provider of type rack cannot be read at properties.rack.type',
    )
  })

  it('has its part of the script as text, compiled when it is rendered', async () => {
    const providers = [ownRack([])]
    const { config } = loadConfig(fileWith('rack: r1'), { providers })
    const { plans } = await prepareAll(config!, { now: Date.now(), localAgent: [], providers })
    const prepared = plans[0]!
    expect(prepared.userData!.script).toContain("\nexport DET_AGENT_ID='p'\n")
    expect(prepared.request).toMatchObject({ call: 'boot', body: { rack: 'r1' } })
    expect(prepared.userData!.bytes.limit).toBe(100_000)
  })

  it('can be used by templates of users', async () => {
    writeFileSync(join(dir, 'own.hbs'), '#!/bin/bash\n{{#if cloud.rack}}\n{{> rack}}\n{{/if}}\n')
    const providers = [ownRack([])]
    const { config } = loadConfig(fileWith('rack: r1', 'agent_setup_template: own.hbs'), { providers })
    const { plans } = await prepareAll(config!, { now: Date.now(), localAgent: [], providers })
    expect(plans[0]!.userData!.script).toBe("#!/bin/bash\nexport DET_AGENT_ID='p'\n")
  })

  it('launches the VMs that a provisioner wants', async () => {
    const launches: Launches = []
    const providers = [ownRack(launches)]
    const { config } = loadConfig(fileWith('rack: r1', 'min_instances: 1'), { providers })
    const demand = createPushDemand({ drain: () => true, undrain: () => true })
    demand.push('p', { pending: [], agents: [] })
    const launched = Promise.withResolvers<void>()
    const provisioner = createProvisioner({
      config: config!,
      demand,
      providers,
      onEvent: ({ kind }) => kind === 'launched' && launched.resolve(),
    })
    await provisioner.start()
    try {
      await launched.promise
      expect(launches).toHaveLength(1)
      expect(launches[0]!.intent.offerings).toMatchObject([{ instanceType: 'vm', zone: 'r1', slots: 2 }])
      expect(provisioner.rows()).toMatchObject([{ pool: 'p', local: false }])
    } finally {
      await provisioner.stop()
      await demand.close()
    }
  })
})
