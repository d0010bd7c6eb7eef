// Which parts of a changed file a running provisioner applies, and which it reports as waiting for the next start.

import { describe, expect, it } from 'vitest'
import { changesBetween } from '../../../src/config/index.ts'
import type { MasterConfig } from '../../../src/config/master-config.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { planReload } from '../../../src/provisioner/reload.ts'
import { parseConfig } from '../../support/config.ts'

const base = `
port: 8080
resource_pools:
  - pool_name: gpu
    provider:
      type: aws
      region: us-west-2
      master_url: http://master.example.com:8080
      image: {id: ami-0123456789abcdef0}
      instance_types: [{type: g5.12xlarge}]
      max_instances: 4
  - pool_name: gpu.local
    provider: {type: local, master_url: "http://127.0.0.1:8080", max_instances: 2}
`

function config(text: string): MasterConfig {
  const { config, problems } = parseConfig(text, 'master.yaml')
  if (!config) throw new Error(JSON.stringify(problems))
  return config
}

function reload(...edits: [string, string][]) {
  return reloadOf(base, ...edits)
}

function reloadOf(text: string, ...edits: [string, string][]) {
  const changed = edits.reduce((text, [from, to]) => {
    expect(text).toContain(from)
    return text.replace(from, to)
  }, text)
  const plan = planReload(config(text), config(changed), builtInProviders)
  const takenChanges = plan.changes.map(({ path, takes }) => `${path.join('/')} ${takes}`)
  return { ...plan, takenChanges }
}

const providerOf = ({ resource_pools }: MasterConfig, n: number) => resource_pools[n]!.provider!

describe('a changed configuration', () => {
  it('without a change does nothing', () => {
    const { takenChanges, reconfigured, restarted } = reload(['port: 8080', '# a comment\nport: 8080'])
    expect([takenChanges, reconfigured, restarted]).toEqual([[], [], []])
  })

  it('with new limits is applied by the running loops, of any cloud', () => {
    const { takenChanges, reconfigured, restarted, config } = reload(
      ['max_instances: 4', 'max_instances: 6\n      launch_rate: 30'],
      ['max_instances: 2', 'max_instances: 3, min_instances: 1, launch_rate: 10'],
    )
    expect(takenChanges).toEqual([
      'resource_pools/gpu/provider/launch_rate now',
      'resource_pools/gpu/provider/max_instances now',
      'resource_pools/gpu.local/provider/max_instances now',
      'resource_pools/gpu.local/provider/min_instances now',
    ])
    expect([reconfigured, restarted]).toEqual([['gpu', 'gpu.local'], []])
    expect(providerOf(config, 0).max_instances).toBe(6)
    expect(providerOf(config, 1).min_instances).toBe(1)
  })

  it('applies the boot timeout also by its name in Determined', () => {
    const { takenChanges, reconfigured, restarted, config } = reload([
      'max_instances: 2',
      'max_instances: 2, max_agent_starting_period: 7m',
    ])
    expect(takenChanges).toEqual([
      'resource_pools/gpu.local/provider/boot_timeout now',
      'resource_pools/gpu.local/provider/max_agent_starting_period now',
    ])
    expect([reconfigured, restarted]).toEqual([['gpu.local'], []])
    expect(providerOf(config, 1).boot_timeout).toBe(420_000)
  })

  it('with other instance settings restarts the loop of a cloud pool', () => {
    const { takenChanges, restarted, reconfigured, config } = reload(
      ['ami-0123456789abcdef0', 'ami-0fedcba9876543210'],
      ['max_instances: 4', 'max_instances: 5\n      launch_rate: 10'],
    )
    expect(takenChanges).toContain('resource_pools/gpu/provider/image/id next_vms')
    expect([restarted, reconfigured]).toEqual([['gpu'], []])
    expect(providerOf(config, 0)).toMatchObject({ image: { id: 'ami-0fedcba9876543210' }, max_instances: 5 })
  })

  it('with another location waits for the next start, with its images; new limits do not', () => {
    const { takenChanges, restarted, reconfigured, config } = reload(
      ['region: us-west-2', 'region: eu-west-1'],
      ['ami-0123456789abcdef0', 'ami-0fedcba9876543210'],
      ['max_instances: 4', 'max_instances: 5\n      launch_rate: 10'],
    )
    expect(takenChanges).toContain('resource_pools/gpu/provider/region next_start')
    expect(takenChanges).toContain('resource_pools/gpu/provider/image/id next_start')
    expect([restarted, reconfigured]).toEqual([[], ['gpu']])
    expect(providerOf(config, 0)).toMatchObject({
      region: 'us-west-2',
      image: { id: 'ami-0123456789abcdef0' },
      max_instances: 5,
    })
  })

  it.each<[string, string, string]>([
    ['the port', 'port: 8080', 'port: 8081'],
    ['the cluster', 'port: 8080', 'port: 8080\ncluster_id: other'],
    ['a pool more', 'resource_pools:', 'resource_pools:\n  - pool_name: more\n    agents: any'],
    ['a pool of another name', 'pool_name: gpu.local', 'pool_name: other'],
    ['who may join', 'max_instances: 4', 'max_instances: 4\n      join: required'],
    ['agents of this machine', 'type: local,', 'type: local, poweroff_if_never_joined: false,'],
  ])('in %s waits for the next start', (_, from, to) => {
    const { takenChanges, reconfigured, restarted, config: inForce } = reload([from, to])
    expect(takenChanges.length).toBeGreaterThan(0)
    expect(takenChanges.filter((each) => !each.endsWith(' next_start'))).toEqual([])
    expect([reconfigured, restarted]).toEqual([[], []])
    expect(changesBetween(inForce, config(base))).toEqual([])
  })

  it('in prices is applied at once and affects no pool', () => {
    const { takenChanges, config } = reload(['port: 8080', 'port: 8080\nprices: {g5.12xlarge: 5.672}'])
    expect(takenChanges).toEqual(['prices/g5.12xlarge now'])
    expect(config.prices).toEqual({ 'g5.12xlarge': 5.672 })
  })
})

describe('a change of rollout', () => {
  const gcp = `
resource_pools:
  - pool_name: gpu
    provider:
      type: gcp
      project: p
      zone: us-central1-a
      master_url: http://master.example.com:8080
      boot_disk_source_image: projects/p/global/images/family/f
      rollout: {images: pinned, surge: 1}
`
  const aws = base
    .replace('max_instances: 4', 'rollout: {images: pinned, surge: 1}')
    .replace('{id: ami-0123456789abcdef0}', '{ssm: /an/image}')
  const path = 'resource_pools/gpu/provider/rollout'
  const latest: [string, string] = ['images: pinned', 'images: latest']
  const surge: [string, string] = ['surge: 1', 'surge: 2']

  it('of images restarts the loop where launches depend on it', () => {
    const { takenChanges, reconfigured, restarted, config } = reloadOf(gcp, latest)
    expect(takenChanges).toEqual([`${path}/images next_vms`])
    expect([reconfigured, restarted]).toEqual([[], ['gpu']])
    expect(providerOf(config, 0).rollout.images).toBe('latest')
    expect(reloadOf(gcp.replace(...latest), ['images: latest', 'images: pinned']).restarted).toEqual(['gpu'])
  })

  it('of images is applied at once where listings show the image', () => {
    const { takenChanges, reconfigured, restarted } = reloadOf(aws, latest)
    expect(takenChanges).toEqual([`${path}/images now`])
    expect([reconfigured, restarted]).toEqual([['gpu'], []])
  })

  it.each([aws, gcp])('of anything else is applied at once', (text) => {
    const { takenChanges, reconfigured, restarted, config } = reloadOf(text, surge)
    expect(takenChanges).toEqual([`${path}/surge now`])
    expect([reconfigured, restarted]).toEqual([['gpu'], []])
    expect(providerOf(config, 0).rollout.surge).toBe(2)
  })

  it('of all of it restarts the loop with all of it', () => {
    const { reconfigured, restarted, config } = reloadOf(gcp, latest, surge)
    expect([reconfigured, restarted]).toEqual([[], ['gpu']])
    expect(providerOf(config, 0).rollout).toMatchObject({ images: 'latest', surge: 2 })
  })

  it('together with a move restarts the loop where the pool is', () => {
    const { reconfigured, restarted, config } = reloadOf(gcp, latest, ['us-central1-a', 'us-central1-b'])
    expect([reconfigured, restarted]).toEqual([[], ['gpu']])
    expect(providerOf(config, 0)).toMatchObject({ zone: 'us-central1-a', rollout: { images: 'latest' } })
  })
})

describe('the lines of the configuration in force', () => {
  const line = (plan: { config: MasterConfig }, path: string) => plan.config.locate(path).line

  it('are those of the changed file', () => {
    expect(line(reload(['port: 8080', '# moved\nport: 8080']), 'port')).toBe(3)
  })

  it('belong to the pool of that name, wherever it is now', () => {
    const added = '\nresource_pools:\n  - {pool_name: first, agents: any}'
    const plan = reload(['\nresource_pools:', added])
    expect(plan.config.locate('resource_pools.0.provider.region')).toMatchObject({
      line: 8,
      path: 'resource_pools.0.provider.region',
    })
  })

  it('are unknown for a pool that was removed', () => {
    const plan = reload(['pool_name: gpu.local', 'pool_name: other'])
    expect(plan.config.locate('resource_pools.1.provider.type')).toEqual({
      file: 'master.yaml',
      path: 'resource_pools.1.provider.type',
    })
  })
})
