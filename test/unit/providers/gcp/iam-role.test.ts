// The minimal role: what a pool uses and no more, in the format of gcloud; docs/gcp.md shows it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { leastRole } from '../../../../src/providers/gcp/iam-role.ts'
import type { GcpConfig } from '../../../../src/providers/gcp/rules.ts'
import { gcpConfig } from '../../../support/cloud-pools.ts'
import { root } from '../../../support/sources.ts'

const plain = gcpConfig({
  boot_disk_source_image: '',
  base_config: { disks: [{ initializeParams: {} }] },
  instance_type: { machine_type: 'g2-standard-8', gpu_type: '', gpu_num: 0, preemptible: false },
})
const permissions = (...pools: GcpConfig[]) => leastRole(pools).includedPermissions

describe('the minimal role', () => {
  it.each([
    [{ zones: ['a-1', 'a-2'] }, 'compute.regionOperations.get'],
    [
      { instance_type: { machine_type: '', gpu_type: 'nvidia-tesla-t4', gpu_num: 1, preemptible: false } },
      'compute.acceleratorTypes.get',
    ],
    [
      { network_interface: { network: '', subnetwork: '', external_ip: true } },
      'compute.subnetworks.useExternalIp',
    ],
    [{ service_account: { email: 'a@b', scopes: [] } }, 'compute.instances.setServiceAccount'],
    [{ network_tags: ['agent'] }, 'compute.instances.setTags'],
  ] as [Partial<GcpConfig>, string][])('of a pool with %o has %s besides', (more, permission) => {
    expect(permissions({ ...plain, ...more })).toEqual([...permissions(plain), permission].sort())
  })

  const disk = (initializeParams: object) => ({ disks: [{ initializeParams }] })
  const nic = (more: object) => ({ networkInterfaces: [{ network: 'global/networks/n', ...more }] })
  const own = { ...plain, base_config: { ...disk({}), ...nic({}) } }

  it.each([
    [{ tags: { items: ['agent'] } }, 'compute.instances.setTags'],
    [{ serviceAccounts: [{ email: 'a@b', scopes: [] }] }, 'compute.instances.setServiceAccount'],
    [nic({ accessConfigs: [{ type: 'ONE_TO_ONE_NAT' }] }), 'compute.subnetworks.useExternalIp'],
    [nic({ ipv6AccessConfigs: [{ type: 'DIRECT_IPV6' }] }), 'compute.subnetworks.useExternalIp'],
    [
      nic({ accessConfigs: [{ natIP: '203.0.113.1' }] }),
      'compute.addresses.use',
      'compute.subnetworks.useExternalIp',
    ],
    [disk({ sourceImage: 'projects/p/global/images/i' }), 'compute.images.useReadOnly'],
    [disk({ sourceSnapshot: 'global/snapshots/s' }), 'compute.snapshots.useReadOnly'],
    [disk({ labels: { a: 'b' } }), 'compute.disks.setLabels'],
    [disk({ resourcePolicies: ['daily'] }), 'compute.resourcePolicies.use'],
    [{ resourcePolicies: ['together'] }, 'compute.resourcePolicies.use'],
    [{ disks: [{}, { source: 'zones/z/disks/d', mode: 'READ_ONLY' }] }, 'compute.disks.useReadOnly'],
    [{ disks: [{}, { source: 'zones/z/disks/d' }] }, 'compute.disks.use'],
    [{ labels: { team: 'a' }, scheduling: { preemptible: true }, tags: {} }],
  ] as [object, ...string[]][])('of a pool with base_config %o has %s besides', (more, ...wanted) => {
    const base_config = { ...own.base_config, ...more }
    expect(permissions({ ...own, base_config })).toEqual([...permissions(own), ...wanted].sort())
  })

  it('creates no disks if all of them exist, and reads no network of base_config', () => {
    const base_config = { ...nic({}), disks: [{ boot: true, source: 'zones/z/disks/d', mode: 'READ_ONLY' }] }
    const all = permissions({ ...plain, base_config })
    expect(all).not.toContain('compute.disks.create')
    expect(all).not.toContain('compute.networks.get')
    expect(permissions(plain)).toContain('compute.networks.get')
  })

  it('does not include the boot disk in base_config, which the image of the pool replaces', () => {
    const image = gcpConfig({
      base_config: { disks: [{ boot: true, initializeParams: { sourceSnapshot: 's' } }] },
    })
    expect(permissions(image)).not.toContain('compute.snapshots.useReadOnly')
  })

  it('allows an image or a family to be read and used', () => {
    const image = { ...plain, boot_disk_source_image: 'projects/p/global/images/agent' }
    const family = { ...plain, boot_disk_source_image: 'projects/p/global/images/family/agent' }
    const more = (pool: GcpConfig) => permissions(pool).filter((one) => !permissions(plain).includes(one))
    expect(more(image)).toEqual(['compute.images.get', 'compute.images.useReadOnly'])
    expect(more(family)).toEqual(['compute.images.getFromFamily', 'compute.images.useReadOnly'])
  })

  it('of several pools is that of all of them', () => {
    expect(permissions(plain, { ...plain, network_tags: ['agent'] })).toContain('compute.instances.setTags')
  })

  it('never allows the provisioner to act as every service account, or to change other resources', () => {
    const all = permissions(gcpConfig({ service_account: { email: 'a@b', scopes: [] } }))
    expect(all.join()).not.toMatch(/actAs|setIamPolicy|firewalls|instances\.(?:start|stop|update)/)
  })

  it('is the one in docs/gcp.md', () => {
    const [, shown] =
      /```yaml\n(title: Agent provisioner[\s\S]*?)```/.exec(
        readFileSync(join(root, 'docs/gcp.md'), 'utf8'),
      ) ?? []
    const listed = [...(shown ?? '').matchAll(/^ {2}- (\S+)$/gm)].map(([, one]) => one)
    const everything = gcpConfig({
      zones: ['a-1', 'a-2'],
      service_account: { email: 'a@b', scopes: [] },
      network_tags: ['agent'],
      network_interface: { network: 'n', subnetwork: 's', external_ip: true },
    })
    const family = { ...everything, boot_disk_source_image: 'projects/p/global/images/family/x' }
    expect(listed).toEqual(permissions(everything, family))
  })
})
