// The least role: what a pool uses and no more, in the form gcloud takes; docs/gcp.md shows it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { leastRole } from '../../../../src/providers/gcp/iam-role.ts'
import type { GcpConfig } from '../../../../src/providers/gcp/rules.ts'
import { gcpConfig } from '../../../support/cloud-pools.ts'
import { root } from '../../../support/sources.ts'

const plain = gcpConfig({
  boot_disk_source_image: '',
  instance_type: { machine_type: 'g2-standard-8', gpu_type: '', gpu_num: 0, preemptible: false },
})
const permissions = (...pools: GcpConfig[]) => leastRole(pools).includedPermissions

describe('the least role', () => {
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

  it('never lets the provisioner act as every service account, or change other things', () => {
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
