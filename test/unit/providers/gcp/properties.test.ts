// The properties of a Compute Engine VM: the pool's keys over `base_config`, rule by rule.
import { describe, expect, it } from 'vitest'
import type { Offering } from '../../../../src/planner/snapshot.ts'
import { gcpLaunch } from '../../../../src/providers/gcp/request.ts'
import type { GcpConfig } from '../../../../src/providers/gcp/rules.ts'
import { gcpConfig, intentOf, master, offering, owner } from '../../../support/cloud-pools.ts'

function built(more: Partial<GcpConfig> = {}, one: Offering = offering('n1-standard-8'), pool = 'gpu') {
  const input = {
    config: gcpConfig(more),
    owner: { ...owner, pool },
    setup: { master },
    intent: intentOf([one]),
  }
  const { steps, problems } = gcpLaunch(input)
  return { ...steps[0]!.request.bulkInsertInstanceResourceResource.instanceProperties, problems }
}

const spot = { enabled: true, fallback: 'none' } as const

describe('GPUs', () => {
  it('are attached to an N1, and keep it on its host', () => {
    const { guestAccelerators, scheduling } = built()
    expect(guestAccelerators).toEqual([{ acceleratorType: 'nvidia-tesla-t4', acceleratorCount: 1 }])
    expect(scheduling?.onHostMaintenance).toBe('TERMINATE')
  })

  it.each(['a2-highgpu-1g', 'a3-highgpu-8g', 'g2-standard-8'])('are not requested again with %s', (type) => {
    const base_config = { guestAccelerators: [{ acceleratorType: 'nvidia-l4', acceleratorCount: 1 }] }
    const { guestAccelerators, scheduling, problems } = built({ base_config }, offering(type))
    expect(guestAccelerators).toBeUndefined()
    expect(scheduling?.onHostMaintenance).toBe('TERMINATE')
    expect(problems).toMatchObject([{ code: 'REQUEST_BASE_CONFIG_REPLACED' }])
  })

  it('are not available with other families', () => {
    expect(built({}, offering('e2-standard-8', { slots: 4 })).problems).toMatchObject([
      {
        code: 'REQUEST_MACHINE_REFUSED',
        message: 'e2-standard-8 does not support GPUs, but the pool is configured with 4 slots',
      },
    ])
    expect(built({}, offering('e2-standard-8', { slots: 0 })).problems).toEqual([])
    expect(built({ cpu_slots_allowed: true }, offering('e2-standard-8', { slots: 1 })).problems).toEqual([])
  })
})

describe('scheduling', () => {
  const cpu = offering('n2-standard-8', { slots: 0 })

  it('migrates a CPU machine at maintenance, unless base_config sets otherwise', () => {
    expect(built({}, cpu).scheduling).toEqual({ onHostMaintenance: 'MIGRATE' })
    const base_config = { scheduling: { onHostMaintenance: 'TERMINATE', maxRunDuration: { seconds: 60 } } }
    expect(built({ base_config }, cpu).scheduling).toEqual(base_config.scheduling)
  })

  it('spot: deleted when interrupted, never restarted nor migrated', () => {
    expect(built({ spot }, { ...cpu, capacityType: 'spot' }).scheduling).toEqual({
      provisioningModel: 'SPOT',
      instanceTerminationAction: 'DELETE',
      automaticRestart: false,
      onHostMaintenance: 'TERMINATE',
    })
  })

  it('base_config decides about spot if no key of the pool does', () => {
    const base_config = { scheduling: { provisioningModel: 'SPOT', instanceTerminationAction: 'STOP' } }
    expect(built({ base_config }, cpu).scheduling).toEqual({
      provisioningModel: 'SPOT',
      instanceTerminationAction: 'STOP',
      automaticRestart: false,
      onHostMaintenance: 'TERMINATE',
    })
    expect(built({ base_config: { scheduling: { preemptible: true } } }, cpu).scheduling).toEqual({
      preemptible: true,
      automaticRestart: false,
      onHostMaintenance: 'TERMINATE',
    })
  })

  it('the on-demand fallback is on demand, even if base_config sets spot', () => {
    const base_config = { scheduling: { provisioningModel: 'SPOT', preemptible: true } }
    const { scheduling } = built({ base_config, spot: { enabled: true, fallback: 'on_demand' } }, cpu)
    expect(scheduling).toEqual({ onHostMaintenance: 'MIGRATE' })
  })
})

describe('what a family does not support', () => {
  const platform = (type: string, minCpuPlatform: string) => {
    const { problems, ...properties } = built(
      { base_config: { minCpuPlatform } },
      offering(type, { slots: 0 }),
    )
    const reported = problems.filter(({ code }) => code === 'REQUEST_BASE_CONFIG_REPLACED')
    expect(reported.every(({ severity }) => severity === 'warning')).toBe(true)
    return [properties.minCpuPlatform, ...reported.map(({ message }) => message)]
  }

  it.each([
    ['n1-standard-8', 'Intel Broadwell'],
    ['custom-4-8192', 'Intel Skylake'],
    ['n2-standard-8', 'Intel Ice Lake'],
    ['n2d-standard-8', 'AMD Milan'],
    ['a2-highgpu-1g', 'Intel Cascade Lake'],
    ['c4-standard-8', 'Intel Granite Rapids'],
    // A family without a rule, with a platform that no other has.
    ['h4d-standard-192', 'AMD Turin'],
  ])('%s keeps the CPU platform %s', (type, wanted) => {
    expect(platform(type, wanted)).toEqual([wanted])
  })

  it.each(['a2-highgpu-1g', 'g2-standard-8', 'n2-standard-8'])(
    "%s gets Cascade Lake for a platform it does not have, as from Determined's provisioner, and a warning",
    (type) => {
      expect(platform(type, 'Intel Broadwell')).toEqual([
        'Intel Cascade Lake',
        `minCpuPlatform Intel Broadwell of base_config is not used: ${type} runs on Intel Cascade Lake, which is sent instead`,
      ])
    },
  )

  it.each([
    'a3-highgpu-8g',
    'a4-highgpu-8g',
    'g4-standard-48',
    'e2-standard-8',
    'c2-standard-8',
    'm2-ultramem-208',
  ])('%s gets no CPU platform for one it does not have, and a warning', (type) => {
    expect(platform(type, 'Intel Broadwell')).toEqual([
      undefined,
      `minCpuPlatform Intel Broadwell of base_config is not used: ${type} does not run on it, and none is sent`,
    ])
  })

  it.each([
    [
      't2d-standard-8',
      { advancedMachineFeatures: { threadsPerCore: 2 } },
      'does not support 2 threads for each core',
    ],
    [
      'n2-standard-8',
      { advancedMachineFeatures: { threadsPerCore: 3 } },
      'does not support 3 threads for each core',
    ],
    [
      'e2-standard-8',
      { advancedMachineFeatures: { enableNestedVirtualization: true } },
      'does not support nested',
    ],
    [
      'n2d-standard-8',
      { advancedMachineFeatures: { enableNestedVirtualization: true } },
      'does not support nested',
    ],
    ['n1-standard-8', { confidentialInstanceConfig: { enableConfidentialCompute: true } }, 'confidential'],
    ['g2-standard-8', { confidentialInstanceConfig: { confidentialInstanceType: 'SEV' } }, 'confidential'],
    [
      'g2-standard-8',
      { disks: [{ initializeParams: { diskType: 'zones/z/diskTypes/pd-standard' } }] },
      'does not support disks of type pd-standard',
    ],
  ] as [string, object, string][])('%s refuses %o by name', (type, base_config, words) => {
    const { problems } = built({ base_config: { ...base_config } }, offering(type, { slots: 0 }))
    expect(problems).toMatchObject([{ code: 'REQUEST_MACHINE_REFUSED', severity: 'error' }])
    expect(problems[0]!.message).toMatch(new RegExp(`^${type}.*${words}`))
  })

  it.each([
    ['n2-standard-8', { advancedMachineFeatures: { threadsPerCore: 1, enableNestedVirtualization: true } }],
    ['t2d-standard-8', { advancedMachineFeatures: { threadsPerCore: 1 } }],
    ['n2d-standard-8', { confidentialInstanceConfig: { enableConfidentialCompute: true } }],
    ['c3-standard-8', { disks: [{ initializeParams: { diskType: 'hyperdisk-extreme' } }] }],
  ] as [string, object][])('%s takes %o', (type, base_config) => {
    expect(built({ base_config: { ...base_config } }, offering(type, { slots: 0 })).problems).toEqual([])
  })

  it('is never migrated at maintenance when it has GPUs or is confidential, with a warning', () => {
    const scheduling = { onHostMaintenance: 'MIGRATE' }
    const confidentialInstanceConfig = { enableConfidentialCompute: true }
    for (const { scheduling: sent, problems } of [
      built({ base_config: { scheduling } }, offering('g2-standard-8')),
      built(
        { base_config: { scheduling, confidentialInstanceConfig } },
        offering('n2d-standard-8', { slots: 0 }),
      ),
    ]) {
      expect(sent?.onHostMaintenance).toBe('TERMINATE')
      expect(problems).toMatchObject([{ code: 'REQUEST_BASE_CONFIG_REPLACED' }])
      expect(problems[0]!.message).toContain('scheduling.onHostMaintenance')
    }
  })
})

describe('disks', () => {
  const types = (boot_disk_type: string, type: string) => {
    const { disks, problems } = built({ boot_disk_type }, offering(type))
    return [disks?.[0]?.initializeParams?.diskType, ...problems.map(({ code }) => code)]
  }

  it('the boot disk has a type that the family supports when the file sets none', () => {
    expect(types('', 'n1-standard-8')).toEqual(['pd-standard'])
    expect(types('', 'g2-standard-8')).toEqual(['pd-balanced'])
    expect(types('', 'a4-highgpu-8g')).toEqual(['hyperdisk-balanced'])
    expect(types('projects/p/zones/z/diskTypes/pd-ssd', 'g2-standard-8')).toEqual(['pd-ssd'])
  })

  it('a type that the family does not boot from is refused, and the remedy names the supported ones', () => {
    expect(types('pd-ssd', 'c4-standard-8')).toContain('REQUEST_MACHINE_REFUSED')
    const { problems } = built({ boot_disk_type: 'hyperdisk-balanced' })
    expect(problems[0]!.remedy).toContain('pd-standard or pd-balanced or pd-ssd')
  })

  it('a type that only another machine type of the pool supports is replaced', () => {
    const instance_types = [
      { type: 'g2-standard-8', slots: 1 },
      { type: 'a4-highgpu-8g', slots: 8 },
    ]
    const { disks, problems } = built({ boot_disk_type: 'pd-ssd', instance_types }, offering('a4-highgpu-8g'))
    expect(disks?.[0]?.initializeParams?.diskType).toBe('hyperdisk-balanced')
    expect(problems).toEqual([])
  })

  it('come after the boot disk, which replaces that of base_config', () => {
    const base_config = { disks: [{ boot: true, source: 'x' }, { type: 'SCRATCH' }] }
    const { disks, problems } = built({ base_config })
    expect(disks).toMatchObject([{ boot: true, initializeParams: { diskSizeGb: 200 } }, { type: 'SCRATCH' }])
    expect(disks).toHaveLength(2)
    expect(problems).toMatchObject([{ code: 'REQUEST_BASE_CONFIG_REPLACED' }])
  })

  it('without an image in the pool are those of base_config', () => {
    const disks = [{ boot: true, source: 'x' }]
    expect(built({ base_config: { disks }, boot_disk_source_image: '' }).disks).toEqual(disks)
  })
})

describe('network', () => {
  const nic = (network: string, subnetwork: string, external_ip = false) => ({
    network_interface: { network, subnetwork, external_ip },
  })

  it('names become URLs, URLs stay', () => {
    expect(built(nic('net', 'sub')).networkInterfaces).toEqual([
      { network: 'global/networks/net', subnetwork: 'regions/us-central1/subnetworks/sub' },
    ])
    const shared = 'projects/host/regions/us-central1/subnetworks/s'
    expect(built(nic('', shared)).networkInterfaces).toEqual([{ subnetwork: shared }])
  })

  it('is the default network when none is set', () => {
    expect(built(nic('', '', true)).networkInterfaces).toEqual([
      {
        network: 'global/networks/default',
        accessConfigs: [{ name: 'External NAT', type: 'ONE_TO_ONE_NAT', networkTier: 'PREMIUM' }],
      },
    ])
  })

  it('comes after the interfaces of base_config, which get the address when it has none of its own', () => {
    const networkInterfaces = [{ network: 'global/networks/base', nicType: 'GVNIC' }]
    const base_config = { networkInterfaces }
    expect(built({ base_config, ...nic('net', '') }).networkInterfaces).toEqual([
      ...networkInterfaces,
      { network: 'global/networks/net' },
    ])
    expect(built({ base_config, ...nic('', '', true) }).networkInterfaces).toMatchObject([
      { nicType: 'GVNIC', accessConfigs: [{ type: 'ONE_TO_ONE_NAT' }] },
    ])
    expect(built({ base_config }).networkInterfaces).toEqual(networkInterfaces)
  })

  it('tags add up; the account of the pool overrides that of base_config', () => {
    const base_config = { tags: { items: ['a'] }, serviceAccounts: [{ email: 'base', scopes: ['s'] }] }
    const { tags, serviceAccounts } = built({ base_config, network_tags: ['a', 'b'] })
    expect(tags).toEqual({ items: ['a', 'b'] })
    expect(serviceAccounts).toEqual(base_config.serviceAccounts)
    const service_account = { email: 'ours', scopes: ['t'] }
    expect(built({ base_config, service_account }).serviceAccounts).toEqual([service_account])
    expect(built()).not.toHaveProperty('serviceAccounts')
  })
})

describe('labels and metadata', () => {
  it('identify the owner of the VM: labels for filters, metadata exactly', () => {
    const { labels, metadata } = built({}, undefined, 'GPU pool')
    expect(labels).toMatchObject({
      'agent-provisioner-pool': '_47_50_55_20pool',
      'determined-resource-pool': '_47_50_55_20pool',
      'determined-master-host': 'master-example-com',
      'determined-master-port': '8443',
    })
    const items = Object.fromEntries(metadata!.items!.map(({ key, value }) => [key, value]))
    expect(items).toMatchObject({
      'agent-provisioner-pool': 'GPU pool',
      'determined-master-address': 'master.example.com:8443',
      'startup-script': '<user data>',
    })
  })

  it('of the user stay, overridden by those of the pool', () => {
    const base_config = { labels: { a: '1', b: '1' }, metadata: { items: [{ key: 'x', value: 'y' }] } }
    const { labels, metadata } = built({ base_config, labels: { b: '2' } })
    expect(labels).toMatchObject({ a: '1', b: '2' })
    expect(metadata?.items).toContainEqual({ key: 'x', value: 'y' })
  })

  it('a startup script in base_config is not used, with a warning', () => {
    const base_config = { metadata: { items: [{ key: 'startup-script', value: 'echo' }] } }
    const { metadata, problems } = built({ base_config })
    expect(metadata?.items?.filter(({ key }) => key === 'startup-script')).toHaveLength(1)
    expect(problems).toMatchObject([{ code: 'REQUEST_BASE_CONFIG_REPLACED' }])
  })

  it.each([
    ['a key with a capital', { Team: 'x' }, 'the key "Team"'],
    ['a key that begins with a digit', { '1a': 'x' }, 'the key "1a"'],
    ['a value with a dot', { team: 'a.b' }, 'the value "a.b" of team'],
    ['a value of 64 characters', { team: 'x'.repeat(64) }, 'of team'],
    ['a reserved key', { 'agent-provisioner-pool': 'x' }, 'reserved for the provisioner'],
  ])('refuse %s', (_, labels, expected) => {
    expect(built({ labels }).problems).toMatchObject([
      { code: 'REQUEST_TAGS_REFUSED', message: expect.stringContaining(expected) },
    ])
  })

  it('refuse the 65th label', () => {
    const labels = Object.fromEntries(Array.from({ length: 57 }, (_, index) => [`l${index}`, '']))
    expect(built({ labels }).problems).toMatchObject([{ message: expect.stringContaining('65 labels') }])
  })

  it('of an IPv6 master keep the brackets in the address', () => {
    const input = { config: gcpConfig(), owner, intent: intentOf([offering('n1-standard-8')]) }
    const setup = { master: { scheme: 'https' as const, host: 'fd00::1', port: 8443 } }
    const { instanceProperties } = gcpLaunch({ ...input, setup }).steps[0]!.request
      .bulkInsertInstanceResourceResource
    expect(instanceProperties.metadata?.items).toContainEqual({
      key: 'determined-master-address',
      value: '[fd00::1]:8443',
    })
    expect(instanceProperties.labels).toMatchObject({ 'determined-master-host': 'fd00--1' })
  })
})
