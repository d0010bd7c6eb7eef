// GET /api/v1/resource-pools: the facts of each kind of provider in the format of Determined's API.
import { describe, expect, it } from 'vitest'
import { builtInProviders } from '../../../../src/providers/index.ts'
import { poolRoutes } from '../../../../src/standalone/master/rest-pools.ts'
import { parseConfig } from '../../../support/config.ts'

const image = 'boot_disk_source_image: projects/p/global/images/i'

async function poolOf(provider: string): Promise<unknown> {
  const text = `resource_pools: [{pool_name: p, ${provider ? `provider: {${provider}}` : 'agents: any'}}]`
  const { config, problems } = parseConfig(text, 'master.yaml')
  if (!config) throw new Error(JSON.stringify(problems))
  const [route] = poolRoutes({
    pools: config.resource_pools,
    providers: builtInProviders,
    auxPool: 'p',
    computePool: 'p',
    agents: () => [],
    heldOn: () => [],
    stats: () => ({ queuedCount: 0, scheduledCount: 0 }),
    clusterName: 'c',
  })
  const reply = await route!.answer({ params: {}, query: new URLSearchParams(), body: {} })
  return (reply as { value: { resourcePools: unknown[] } }).value.resourcePools[0]
}

describe('a pool in the API', () => {
  it.each([
    [
      'of EC2',
      'type: aws, image_id: ami-1, region: us-west-2, instance_type: g5.12xlarge, spot: true',
      {
        type: 'RESOURCE_POOL_TYPE_AWS',
        location: 'us-west-2',
        instanceType: 'g5.12xlarge',
        slotsPerAgent: 4,
        preemptible: true,
      },
    ],
    [
      'of one zone of Compute Engine',
      `type: gcp, ${image}, zone: us-central1-a, instance_type: {preemptible: true}`,
      {
        type: 'RESOURCE_POOL_TYPE_GCP',
        location: 'us-central1-a',
        instanceType: 'n1-standard-32',
        slotsPerAgent: 4,
        preemptible: true,
      },
    ],
    [
      'of several zones and Spot VMs',
      `type: gcp, ${image}, zones: [us-central1-a, us-central1-b], spot: true`,
      { location: 'us-central1-a, us-central1-b', preemptible: true },
    ],
    [
      'of this machine',
      'type: local, slots: 3',
      {
        type: 'RESOURCE_POOL_TYPE_STATIC',
        location: '',
        instanceType: '',
        slotsPerAgent: 3,
        preemptible: false,
      },
    ],
    [
      'of an external provider',
      '',
      { type: 'RESOURCE_POOL_TYPE_STATIC', location: '', slotsPerAgent: -1, preemptible: false },
    ],
  ])('%s', async (_, provider, expected) => {
    expect(await poolOf(provider)).toMatchObject(expected)
  })
})
