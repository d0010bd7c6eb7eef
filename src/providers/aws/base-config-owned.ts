// The fields of RunInstances that `base_config` must not set: the provisioner decides them, or a key of the pool does.

import type { Refused } from '../api-fields.ts'

function decided(why: string, remedy?: string): Refused {
  return { message: `is set by the provisioner: ${why}`, ...(remedy ? { remedy } : {}) }
}

function hasKey(key: string): Refused {
  return { message: 'has a key of the pool', remedy: `Use ${key}.` }
}

const ofOneInstance: Refused = {
  message: 'belongs to a single instance, but all instances of the pool are launched alike',
  remedy: 'Remove it.',
}

const owned: Record<string, Refused> = {
  MinCount: decided('the number of instances follows from the jobs that wait', 'Use min_instances.'),
  MaxCount: decided('the number of instances follows from the jobs that wait', 'Use max_instances.'),
  ClientToken: decided('it makes a repeated launch safe', 'Remove it.'),
  DryRun: decided(
    'with it nothing would be launched',
    'Remove it; `provision check` makes such calls without launching.',
  ),
  UserData: decided(
    'it starts the agent',
    'Use startup_script, which runs before the agent starts, or container_startup_script.',
  ),
  InstanceInitiatedShutdownBehavior: decided(
    'an instance that cannot join powers itself off, and must then be terminated',
    'Remove it.',
  ),
  LaunchTemplate: decided(
    'it makes its own launch templates, and their names are hashes of their content',
    'Write the fields of the template into base_config.',
  ),
  TagSpecifications: hasKey('custom_tags'),
  ImageId: hasKey('image'),
  InstanceType: hasKey('instance_type or instance_types'),
  KeyName: hasKey('ssh_key_name'),
  IamInstanceProfile: hasKey('iam_instance_profile_arn'),
  SubnetId: hasKey('subnet_ids'),
  SecurityGroups: hasKey('network_interface.security_group_ids'),
  SecurityGroupIds: hasKey('network_interface.security_group_ids'),
  InstanceMarketOptions: hasKey('spot or capacity'),
  Ipv6AddressCount: hasKey('network_interface.ipv6'),
  PrivateIpAddress: ofOneInstance,
  Ipv6Addresses: ofOneInstance,
  'MetadataOptions.HttpPutResponseHopLimit': hasKey('metadata_hop_limit'),
  'NetworkInterfaces[].SubnetId': hasKey('subnet_ids'),
  'NetworkInterfaces[].NetworkInterfaceId': ofOneInstance,
  'NetworkInterfaces[].PrivateIpAddress': ofOneInstance,
  'NetworkInterfaces[].PrivateIpAddresses': ofOneInstance,
  'NetworkInterfaces[].Ipv6Addresses': ofOneInstance,
}

/** Values that are refused where others are accepted. */
const refusedValues: Record<string, { value: unknown } & Refused> = {
  'MetadataOptions.HttpTokens': {
    value: 'optional',
    message: 'cannot be optional: the metadata service always requires a token (IMDSv2)',
    remedy: 'Remove it.',
  },
  'MetadataOptions.HttpEndpoint': {
    value: 'disabled',
    message: 'cannot be disabled: the startup script reads the id of its instance from the metadata service',
    remedy: 'Remove it; metadata_hop_limit: 1 closes the service to containers.',
  },
  DisableApiTermination: {
    value: true,
    message: 'cannot be true: the provisioner could not terminate its instances',
    remedy: 'Remove it.',
  },
}

/** Why `base_config` must not set a field, or not to this value; undefined if it may. */
export function ownedReason(field: string, value: unknown): Refused | undefined {
  if (Object.hasOwn(owned, field)) return owned[field]
  const refused = Object.hasOwn(refusedValues, field) ? refusedValues[field] : undefined
  if (!refused || refused.value !== value) return undefined
  const { message, remedy } = refused
  return { message, ...(remedy ? { remedy } : {}) }
}
