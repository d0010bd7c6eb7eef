// What EC2 instances are made from, by key of the configuration: instances of an earlier value are drifted.

import type { MadeFrom } from '../definition.ts'
import { groupsOf } from './network.ts'
import type { AwsConfig } from './rules.ts'

/** In the form after all rules, so that different ways to write the same setting make no difference. */
export function madeFrom(config: AwsConfig): MadeFrom {
  const { network_interface, spot, capacity } = config
  const { public_ip, efa, ipv6 } = network_interface
  const groups = groupsOf(config).toSorted()
  return {
    keys: {
      base_config: config.base_config,
      image: config.image,
      volume: config.volume,
      tag_key: config.tag_key,
      tag_value: config.tag_value,
      instance_name: config.instance_name,
      custom_tags: config.custom_tags.toSorted((a, b) => (a.key < b.key ? -1 : 1)),
      ssh_key_name: config.ssh_key_name || undefined,
      network_interface: { public_ip, efa: efa || undefined, ipv6: ipv6 || undefined, groups },
      placement_group: config.placement_group,
      tenancy: config.tenancy,
      iam_instance_profile_arn: config.iam_instance_profile_arn || undefined,
      metadata_hop_limit: config.metadata_hop_limit,
      log_group: config.log_group || undefined,
      log_stream: config.log_stream || undefined,
    },
    ofCapacity: {
      spot: { spot: spot.max_price ? Number(spot.max_price) : undefined },
      reserved: { capacity: capacity && (capacity.block ?? capacity.reservation) },
    },
    chosenBy: {
      instanceType: 'instance_type',
      zone: 'subnet_ids',
      spot: 'spot',
      reserved: 'capacity',
      image: 'image',
    },
  }
}

/** Whether a newer image may appear behind the name that the configuration has. */
export function hasNewestImage({ image }: Pick<AwsConfig, 'image'>): boolean {
  return !('id' in image)
}
