// `provision check` on Compute Engine: everything that a launch needs is checked, every problem is reported at once.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { check } from '../../../src/providers/gcp/check.ts'
import type { GcpConfig } from '../../../src/providers/gcp/rules.ts'
import { offering } from '../../support/cloud-pools.ts'
import { type GcpCloud, gcpCloud } from '../../support/gcp-cloud.ts'

let cloud: GcpCloud
beforeEach(async () => {
  cloud = await gcpCloud()
})
afterEach(() => cloud.dispose())

const good: Partial<GcpConfig> = {
  zones: ['us-central1-a', 'us-central1-b'],
  boot_disk_type: 'pd-balanced',
  network_interface: { network: 'research', subnetwork: 'agents', external_ip: false },
}

async function checked(more: Partial<GcpConfig> = {}, types = ['n1-standard-8']) {
  const offerings = types.map((type) => offering(type, { zone: 'us-central1-a' }))
  const items = await check(cloud.context({ ...good, ...more }), offerings)
  return {
    what: items.map((item) => item.what),
    faults: items.flatMap((item) => (item.problem ? [`${item.what}: ${item.problem.message}`] : [])),
  }
}

describe('checking a pool', () => {
  it('reports no problem if there is none, and launches nothing', async () => {
    const { what, faults } = await checked()
    expect(faults).toEqual([])
    expect(what.filter((each) => !each.startsWith('compute.'))).toEqual([
      'project my-project',
      'region us-central1 with us-central1-a, us-central1-b',
      'image projects/my-project/global/images/agent',
      'network research',
      'subnetwork agents in us-central1',
      'machine type n1-standard-8 in us-central1-a',
      'machine type n1-standard-8 in us-central1-b',
      'GPU nvidia-tesla-t4 in us-central1-a',
      'GPU nvidia-tesla-t4 in us-central1-b',
      'quotas of project my-project',
      'quota CPUS in us-central1: 8 more n1-standard-8 possible',
      'quota NVIDIA_T4_GPUS in us-central1: 3 more n1-standard-8 possible',
      'quota GPUS_ALL_REGIONS in all regions: 7 more n1-standard-8 possible',
    ])
    expect(what).toContain('compute.instances.create to launch instances')
    expect(what).toContain('compute.regionOperations.get to follow a launch in several zones')
    expect(cloud.gce.calls.filter(({ action }) => action === 'bulkInsert')).toEqual([])
  })

  it('reports all problems at once', async () => {
    const { world } = cloud.gce
    world.denied.add('compute.instances.create').add('compute.zoneOperations.get')
    world.notOffered.add('n1-standard-8 us-central1-b').add('nvidia-tesla-t4 us-central1-b')
    world.images['agent']!.diskSizeGb = '300'
    world.quotas[1]!.usage = 4
    const { faults } = await checked({
      zones: ['us-central1-a', 'us-central1-b', 'us-central1-x'],
      network_interface: { network: 'default', subnetwork: 'agents', external_ip: false },
      instance_type: { machine_type: '', gpu_type: 'nvidia-tesla-t4', gpu_num: 8, preemptible: false },
      instance_types: [{ type: 'n1-standard-8', slots: 4 }],
    })
    expect(faults).toEqual([
      expect.stringContaining('region us-central1 has no us-central1-x'),
      expect.stringContaining('has no compute.instances.create in project my-project'),
      expect.stringContaining('has no compute.zoneOperations.get in project my-project'),
      expect.stringContaining('needs a disk of 300 GB, but boot_disk_size is 200'),
      expect.stringContaining('subnetwork agents is in network research, not in default'),
      expect.stringContaining('n1-standard-8 has 8 GPUs, but the pool is configured with 4 slots'),
      expect.stringContaining('machine type n1-standard-8 in us-central1-b: could not find'),
      expect.stringContaining('n1-standard-8 has 8 GPUs, but the pool is configured with 4 slots'),
      expect.stringContaining('a machine takes at most 4 nvidia-tesla-t4, and gpu_num is 8'),
      expect.stringContaining('GPU nvidia-tesla-t4 in us-central1-b: could not find'),
      expect.stringContaining('a machine takes at most 4 nvidia-tesla-t4, and gpu_num is 8'),
      expect.stringContaining('quota NVIDIA_T4_GPUS in us-central1 is too small for one more n1-standard-8'),
      expect.stringContaining(
        'quota GPUS_ALL_REGIONS in all regions is too small for one more n1-standard-8',
      ),
    ])
  })

  it.each([
    ['projects/my-project/global/images/family/agent', []],
    ['https://www.googleapis.com/compute/v1/projects/my-project/global/images/agent', []],
    ['global/images/agent', []],
    ['agent', ['is not an image path']],
    ['projects/my-project/global/images/gone', ['was not found']],
  ])('reads the image %s as Compute Engine does', async (boot_disk_source_image, expected) => {
    const { faults } = await checked({ boot_disk_source_image })
    expect(faults).toEqual(expected.map((text) => expect.stringContaining(text)))
  })

  it('rejects an image that is obsolete', async () => {
    cloud.gce.world.images['agent']!.deprecated = { state: 'OBSOLETE' }
    expect((await checked()).faults).toEqual([expect.stringContaining('image agent is obsolete')])
  })

  it('counts spot VMs against their own quota if there is one', async () => {
    const spot = [{ ...offering('n1-standard-8', { zone: 'us-central1-a' }), capacityType: 'spot' as const }]
    const look = async () =>
      (await check(cloud.context(good), spot))
        .map(({ what }) => what)
        .filter((what) => /GPUS in us/.test(what))
    await expect(look()).resolves.toMatchObject([expect.stringContaining('NVIDIA_T4_GPUS')])
    cloud.gce.world.quotas.push({ metric: 'PREEMPTIBLE_NVIDIA_T4_GPUS', limit: 16, usage: 0 })
    await expect(look()).resolves.toEqual([
      'quota PREEMPTIBLE_NVIDIA_T4_GPUS in us-central1: 16 more n1-standard-8 possible',
    ])
  })

  it('reports once that the Resource Manager does not respond, and continues', async () => {
    const message = 'Cloud Resource Manager API has not been used in project 1 before or it is disabled.'
    cloud.gce.faults.push({
      action: 'testPermissions',
      kind: 'error',
      reason: 'accessNotConfigured',
      status: 403,
      message,
    })
    const { faults, what } = await checked()
    expect(faults).toEqual([expect.stringContaining('Cloud Resource Manager API has not been used')])
    expect(what).toContain('network research')
  })

  it('without credentials reports that once, and calls nothing else', async () => {
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', '/nonexistent/key.json')
    const items = await check(cloud.context(good), [])
    expect(items.map(({ what, problem }) => [what, problem?.code])).toEqual([
      ['project my-project', undefined],
      ['credentials', 'PROVIDER_AUTH'],
    ])
    expect(cloud.gce.calls).toEqual([])
  })

  it('names a field of base_config that the API does not have', async () => {
    const { faults } = await checked({ base_config: { shieldedInstanceConfig: { enableVTPM: true } } })
    expect(faults).toEqual([expect.stringContaining('base_config.shieldedInstanceConfig.enableVTPM')])
  })
})
