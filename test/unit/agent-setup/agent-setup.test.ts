import { describe, expect, it } from 'vitest'
import { agentSetupOf } from '../../../src/agent-setup/setup.ts'
import { catalogOf } from '../../../src/planner/catalog.ts'
import { definitionOf, machineOf } from '../../../src/providers/definition.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { isProvided } from '../../../src/provisioner/prepare.ts'
import { poolSettings } from '../../../src/provisioner/running-pool.ts'
import { machines, trustPlan } from '../../support/agent-setups.ts'
import { parseConfig } from '../../support/config.ts'

const image = {
  aws: 'image: {id: ami-0123456789abcdef0}',
  gcp: 'boot_disk_source_image: projects/p/global/images/i',
}

/** The pool of a configuration whose provider block has these lines. */
function poolOf(type: 'aws' | 'gcp' | 'local', ...lines: string[]) {
  const location = {
    aws: ['region: us-west-2', image.aws],
    gcp: ['project: p', 'zone: z-a', image.gcp],
    local: [],
  }[type]
  const block = [`type: ${type}`, ...location, ...lines].map((line) => `      ${line}`).join('\n')
  const { config, problems } = parseConfig(
    `resource_pools:\n  - pool_name: p\n    provider:\n${block}\n`,
    'master.yaml',
  )
  const pool = config?.resource_pools[0]
  if (!pool || !isProvided(pool)) throw new Error(JSON.stringify(problems))
  return pool
}

function setup(type: 'aws' | 'gcp' | 'local', ...lines: string[]) {
  const pool = poolOf(type, ...lines)
  const definition = definitionOf(builtInProviders, pool.provider)
  return agentSetupOf({
    pool,
    master: { scheme: 'https', host: 'm', port: 8443 },
    trust: trustPlan('system'),
    agentConfig: { a: 1 },
    machine: machineOf(definition),
    machines,
    facts: definition.agent(pool.provider, ['node', 'agent']),
  })
}

describe('the slot type of agents', () => {
  it.each([
    ['cuda, with GPUs', setup('aws', 'instance_type: g5.xlarge'), 'cuda'],
    ['cpu, if CPUs may be slots', setup('aws', 'instance_type: m5.large', 'cpu_slots_allowed: true'), 'cpu'],
    ['none, for auxiliary jobs only', setup('aws', 'instance_type: m5.large'), 'none'],
    ['auto, for the artificial slots of this machine', setup('local', 'slots: 2'), 'auto'],
    ['none, for a local agent without slots', setup('local', 'slots: 0'), 'none'],
  ])('is %s', (_, { slotType }, expected) => {
    expect(slotType).toBe(expected)
  })
})

describe('the start of agents', () => {
  it("uses the command of this program on this machine, and the image's command elsewhere", () => {
    expect(setup('local').command).toEqual(['node', 'agent'])
    expect(setup('aws').command).toEqual(['determined-agent', 'run'])
  })

  it('sets artificial slots only on this machine', () => {
    expect(setup('local', 'slots: 3').agentConfig).toEqual({ a: 1, artificial_slots: 3 })
    expect(setup('aws').agentConfig).toEqual({ a: 1 })
  })

  it("sends logs to the cloud's log service", () => {
    expect(setup('aws', 'log_group: g', 'log_stream: s').docker.logOptions).toEqual([
      '--log-driver=awslogs',
      '--log-opt=awslogs-group=g',
      '--log-opt=awslogs-stream=s',
    ])
    expect(setup('gcp', 'use_cloud_logging: true').docker.logOptions).toEqual(['--log-driver=gcplogs'])
    expect(setup('aws').docker.logOptions).toEqual([])
  })
})

describe('the policy of a pool', () => {
  it('is the configuration in the planner’s terms', () => {
    const pool = poolOf(
      'aws',
      'min_instances: 1',
      'max_instances: 9',
      'max_idle_agent_period: 5m',
      'launch_rate: 30',
    )
    expect(poolSettings(pool, builtInProviders)).toMatchObject({
      policy: { minInstances: 1, maxInstances: 9, maxIdle: 300_000, launchRate: 30, maxAuxPerAgent: 100 },
      launchError: { timeout: 0, retries: 0 },
      visibility: 60_000,
    })
  })

  it('launches in the order of the file, and on demand only if there is no spot capacity', () => {
    const pool = poolOf(
      'aws',
      'instance_types: [{type: g6.xlarge}, {type: g5.xlarge}]',
      'subnet_ids: [subnet-b, subnet-a]',
      'spot: {enabled: true, fallback: on_demand}',
    )
    const [size] = catalogOf(poolSettings(pool, builtInProviders).offerings, [], 0)
    expect(size!.free.map((one) => `${one.capacityType} ${one.instanceType} ${one.zone}`)).toEqual([
      'spot g6.xlarge subnet-b',
      'spot g6.xlarge subnet-a',
      'spot g5.xlarge subnet-b',
      'spot g5.xlarge subnet-a',
      'on_demand g6.xlarge subnet-b',
      'on_demand g6.xlarge subnet-a',
      'on_demand g5.xlarge subnet-b',
      'on_demand g5.xlarge subnet-a',
    ])
  })

  it('trusts the listing of this machine at once', () => {
    expect(poolSettings(poolOf('local'), builtInProviders).visibility).toBe(0)
  })
})
