// What Compute Engine instances are made from, by key of the configuration: instances of an earlier value are drifted.

import { isMapping } from '../../config/index.ts'
import type { MadeFrom } from '../definition.ts'
import type { GcpConfig } from './rules.ts'

/** In the form after all rules, so that different ways to write the same setting make no difference. */
export function madeFrom(config: GcpConfig): MadeFrom {
  const { network_interface, service_account, instance_type, capacity } = config
  const { gpu_type, gpu_num } = instance_type
  const { network, subnetwork, external_ip } = network_interface
  return {
    keys: {
      base_config: config.base_config,
      boot_disk_source_image: config.boot_disk_source_image || undefined,
      boot_disk_size: config.boot_disk_size,
      boot_disk_type: config.boot_disk_type,
      labels: config.labels,
      label_key: config.label_key,
      label_value: config.label_value,
      name_prefix: config.name_prefix,
      network_interface: { network, subnetwork, external_ip },
      network_tags: config.network_tags.toSorted(),
      service_account: service_account.email ? service_account : undefined,
      instance_type: gpu_num > 0 ? { gpu_type, gpu_num } : undefined,
      capacity: capacity?.flex_start,
      use_cloud_logging: config.use_cloud_logging,
    },
    ofCapacity: { reserved: { capacity: capacity?.reservation } },
    chosenBy: {
      instanceType: 'instance_type',
      zone: 'zone',
      ...(!setsModel(config) && { spot: 'spot' }),
      reserved: 'capacity',
      image: 'boot_disk_source_image',
    },
  }
}

/** Then instances may be of another capacity type than their offering. */
function setsModel({ base_config: { scheduling } }: GcpConfig): boolean {
  return isMapping(scheduling) && ('provisioningModel' in scheduling || 'preemptible' in scheduling)
}
