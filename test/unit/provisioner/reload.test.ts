// Applying a changed configuration: as far as possible, or not at all when it cannot launch VMs.

import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { MasterConfig } from '../../../src/config/master-config.ts'
import { contentsFingerprint } from '../../../src/platform/files.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { createConfiguration, watchConfiguration } from '../../../src/provisioner/configuration.ts'
import { openPlans } from '../../../src/provisioner/plans.ts'
import type { RunningPools } from '../../../src/provisioner/pools.ts'
import { type CapturingLogger, capturingLogger } from '../../support/capturing-logger.ts'
import { parseConfig } from '../../support/config.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { vm } from '../../support/planner.ts'

const text = `
resource_pools:
  - pool_name: gpu
    provider:
      type: aws
      region: us-west-2
      master_url: http://master.example.com:8080
      image: {id: ami-0123456789abcdef0}
      instance_types: [{type: g5.12xlarge}]
      max_instances: 4
`

function parsed(words: string): MasterConfig {
  const { config, problems } = parseConfig(words, 'master.yaml')
  if (!config) throw new Error(JSON.stringify(problems))
  return config
}

let logger: CapturingLogger
let told: string[]
/** Warnings about the configuration itself come first. */
const changesSaid = () => logger.lines.filter((line) => line.includes(' changed'))
beforeEach(() => {
  logger = capturingLogger()
  told = []
})

async function reloaded(from: string, to: string) {
  const before = parsed(text)
  const configuration = createConfiguration(before, { providers: builtInProviders, logger })
  const { plans } = await openPlans({
    providers: builtInProviders,
    config: configuration.current,
    certificate: () => undefined,
    identity: { clusterId: 'c', provisionerId: 'w', writerId: 'w', ownWriters: new Set(['w']) },
    now: Date.now,
    hosts: new Map(),
    localAgent: [],
  })
  const running = {
    reconfigure: (name: string) => told.push(`reconfigure ${name}`),
    restart: async (name: string) => void told.push(`restart ${name}`),
    status: () => ({ pools: [{ pool: 'gpu', instances: [vm('i-1'), vm('i-2', { state: 'terminated' })] }] }),
  } as unknown as RunningPools
  const after = parsed(text.replace(from, to))
  const result = await configuration.reload(after, { plans: plans!, running })
  expect(configuration.current()).toBe(result.config)
  return { ...result, before, after, plans: plans! }
}

describe('a reload', () => {
  it('of the same configuration does nothing, and logs that', async () => {
    const { changes } = await reloaded('', '')
    expect([changes, told]).toEqual([[], []])
    expect(logger.lines).toEqual(['info the configuration has not changed'])
  })

  it('passes new limits to the running loop', async () => {
    const { config } = await reloaded('max_instances: 4', 'max_instances: 7')
    expect(told).toEqual(['reconfigure gpu'])
    expect(config.resource_pools[0]!.provider!.max_instances).toBe(7)
    // The default of launch_rate follows.
    expect(changesSaid()).toContain(
      'info changed; in effect now {"key":"resource_pools.gpu.provider.max_instances","from":4,"to":7}',
    )
  })

  it('restarts the loop; new VMs use the new settings', async () => {
    const { plans } = await reloaded('g5.12xlarge', 'g6.12xlarge')
    expect(told).toEqual(['restart gpu'])
    expect(plans.get('gpu').pool.provider).toMatchObject({ instance_types: [{ type: 'g6.12xlarge' }] })
    expect(logger.lines.join()).toContain('applies to instances launched from now on')
  })

  it('that cannot launch VMs changes nothing, and logs the reason', async () => {
    const { config, before, problems, plans } = await reloaded(
      'max_instances: 4',
      'max_instances: 7\n      agent_setup_template: nowhere.hbs',
    )
    expect(problems.map(({ code }) => code)).toContain('TEMPLATE_UNREADABLE')
    expect(config).toBe(before)
    expect(plans.get('gpu').pool.provider.max_instances).toBe(4)
    expect(told).toEqual([])
    expect(logger.lines.at(-1)).toMatch(/^error .*the last valid one stays in effect/)
  })

  it('names what waits for a restart', async () => {
    await reloaded('us-west-2', 'eu-west-1')
    expect(told).toEqual([])
    expect(changesSaid()[0]).toMatch(
      /^warn .*restart the provisioner to apply it.*"from":"us-west-2","to":"eu-west-1"/,
    )
  })

  it.each([
    ['us-west-2', 'eu-west-1', 'pool gpu is moved in the changed configuration'],
    ['pool_name: gpu', 'pool_name: gpu2', 'pool gpu is not in the changed configuration'],
  ])(
    'that moves or removes a pool says which instances it leaves behind (%s → %s)',
    async (from, to, logged) => {
      await reloaded(from, to)
      const left = logger.lines.find((line) => line.includes('POOL_GONE'))
      expect(left).toMatch(/^warn /)
      expect(left).toContain(logged)
      expect(left).toContain('1 instance of it')
      expect(left).toContain('provision drain i-1')
    },
  )

  it('logs no value whose key looks like a secret', async () => {
    await reloaded(
      'max_instances: 4',
      'max_instances: 4\n      agent_config_file_contents: {token: hush-hush}',
    )
    expect(logger.lines.join()).toContain('agent_config_file_contents')
    expect(logger.lines.join()).not.toContain('hush-hush')
  })
})

describe('the log of a change', () => {
  const provider = 'max_instances: 4'
  const secrets = [
    'allow_secrets_in_user_data: true',
    'startup_script: "echo hunter2 | docker login -u robot --password-stdin"',
    'container_startup_script: "echo hunter3"',
    'agent_config_file_contents: {http_proxy: "http://bob:topsecret@proxy:3128"}',
  ].map((line) => `\n      ${line}`)

  it('contains no script, no file and no password, but reports that they changed', async () => {
    await reloaded(provider, provider + secrets.join(''))
    const logged = logger.lines.join('\n')
    for (const key of ['startup_script', 'container_startup_script', 'agent_config_file_contents'])
      expect(logged).toContain(`provider.${key}`)
    expect(logged).not.toMatch(/hunter|topsecret|docker login/)
    expect(logged).toMatch(/"to":"\(\d+ characters, SHA-256 [0-9a-f]{8}…\)"/)
  })

  it('contains no whole block', async () => {
    const before = text.slice(text.indexOf('    provider:'))
    await reloaded(before, '    agents: any\n')
    expect(logger.lines.join('\n')).toMatch(
      /"key":"resource_pools.gpu.provider","from":"\(\d+ characters, SHA-256/,
    )
    expect(logger.lines.join('\n')).not.toContain('ami-0123456789abcdef0')
  })
})

it('takes the lines of a file in which only comments changed', async () => {
  const configuration = createConfiguration(parsed(text), { providers: builtInProviders, logger })
  const pools = { plans: { use: async () => [] }, running: {} as RunningPools }
  await configuration.reload(parsed(`# a comment${text}`.replace('#', '\n#')), pools)
  expect(configuration.current().locate('resource_pools.0.pool_name').line).toBe(4)
})

describe('the configuration file', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'reload-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('is applied when it changes; an invalid one is reported with its line, and again when it is valid', async () => {
    const file = join(folder, 'master.yaml')
    writeFileSync(file, text)
    const clock = new FakeClock()
    const taken: number[] = []
    const read: boolean[] = []
    const since = contentsFingerprint([file])
    const onChange = (config: MasterConfig) => {
      taken.push(config.resource_pools[0]!.provider!.max_instances)
    }
    const stop = watchConfiguration({
      file,
      providers: builtInProviders,
      env: {},
      clock,
      logger,
      since,
      onChange,
      onRead: (isUsable) => read.push(isUsable),
    })
    appendFileSync(file, '      max_instancs: 9\n')
    await clock.advance(3_000)
    expect(logger.lines).toEqual([])
    await clock.advance(5_000)
    expect(logger.lines.join()).toContain('CONFIG_UNKNOWN_KEY')
    expect(logger.lines.at(-1)).toMatch(/^error .*the previous one stays in use/)
    writeFileSync(file, readFileSync(file, 'utf8').replace('max_instancs: 9', 'launch_rate: 9'))
    await clock.advance(3_000)
    expect(taken).toEqual([4])
    expect([read[0], read.at(-1)]).toEqual([false, true])
    expect(logger.lines.at(-1)).toMatch(/^info the configuration is valid again/)
    stop()
  })
})
