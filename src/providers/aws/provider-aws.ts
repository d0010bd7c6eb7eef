// `type: aws`: from the keys of the file to the configuration, with the rules between them.

import { checkDuplicates, commonOf, givenIn } from '../../config/provider-common.ts'
import type { Partially } from '../../config/read-block.ts'
import { type Block, given, isMapping, note } from '../../config/reading.ts'
import type { AwsConfig, AwsImage, AwsVolume, SpotConfig } from './aws-config.ts'
import { checkTags } from './aws-tags.ts'
import { awsTypes } from './aws-types.ts'
import { isBareMetal } from './instance-slots.ts'
import type { AwsKeys } from './schema.ts'

/** A public GPU image with Docker and the NVIDIA runtime (https://docs.aws.amazon.com/dlami/latest/devguide). */
export const publicAwsImage = {
  ssm: '/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id',
  owner: 'amazon',
  name: 'Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 24.04)*',
} as const

type Keys = Partially<AwsKeys>

export function awsOf(keys: Keys, block: Block): Partially<AwsConfig> {
  const instance_types = awsTypes(keys, block)
  checkNetwork(keys, block)
  checkTags(keys, block)
  if (keys.log_stream && !keys.log_group)
    note(block, 'CONFIG_NEEDS_KEY', 'log_stream needs log_group', { key: 'log_stream', part: 'key' })
  const { image_id, root_volume_size, spot_max_price, instance_type, instance_slots, ...same } = keys
  return {
    ...same,
    ...commonOf(keys, block, instance_types?.some(({ type }) => isBareMetal(type)) ?? false),
    type: 'aws',
    image: imageOf(keys, block),
    volume: volumeOf(keys, block),
    spot: spotOf(keys, block),
    instance_types,
  } as Partially<AwsConfig>
}

function imageOf({ image, image_id }: Keys, block: Block): AwsImage | undefined {
  const remedy = `Set \`image: {ssm: ${publicAwsImage.ssm}}\`, or \`image: {owner: ${publicAwsImage.owner}, name: "${publicAwsImage.name}"}\`.`
  if (given(block, 'image') && given(block, 'image_id'))
    return note(block, 'CONFIG_CONFLICT', 'image and image_id both name the machine image', {
      key: 'image_id',
      part: 'key',
    })
  if (image_id) return { id: image_id }
  if (!given(block, 'image'))
    return given(block, 'image_id')
      ? undefined
      : note(block, 'IMAGE_MISSING', 'No machine image is named: image is missing', { remedy })
  // Something is wrong inside it, and was said.
  if (!isMapping(block.raw['image']) || image === undefined) return undefined
  const ways = ['id', 'ssm', 'owner', 'name'].filter((way) => givenIn(block, 'image', way))
  if (ways.length === 0) return note(block, 'IMAGE_MISSING', 'image names no image', { key: 'image', remedy })
  if (new Set(ways.map((way) => (way === 'name' ? 'owner' : way))).size > 1)
    return note(block, 'CONFIG_CONFLICT', `image is named in several ways: ${ways.join(', ')}`, {
      key: 'image',
      part: 'key',
      remedy: 'Keep one of id, ssm, or owner with name.',
    })
  const { id, ssm, owner, name } = image
  if (ways.length === 1 && (owner || name)) {
    const [has, lacks] = owner ? ['owner', 'name'] : ['name', 'owner']
    return note(block, 'CONFIG_NEEDS_KEY', `image.${has} needs image.${lacks}`, {
      key: ['image', has!],
      part: 'key',
    })
  }
  if (id) return { id }
  if (ssm) return { ssm }
  return owner && name ? { owner, name } : undefined
}

function volumeOf({ volume, root_volume_size }: Keys, block: Block): Partially<AwsVolume> | undefined {
  if (given(block, 'root_volume_size') && givenIn(block, 'volume', 'size'))
    note(block, 'CONFIG_CONFLICT', 'volume.size and root_volume_size both say how large the root volume is', {
      key: 'root_volume_size',
      part: 'key',
    })
  if (!volume) return undefined
  const { type, iops, throughput } = volume
  if (type && type !== 'gp3' && throughput)
    note(block, 'CONFIG_CONFLICT', `volume.throughput is for gp3, but volume.type is "${type}"`, {
      key: ['volume', 'throughput'],
      part: 'key',
    })
  if ((type === 'io1' || type === 'io2') && !givenIn(block, 'volume', 'iops'))
    note(block, 'CONFIG_NEEDS_KEY', `A volume of type ${type} needs volume.iops`, {
      key: ['volume', 'type'],
      remedy: 'Add iops, or choose gp3.',
    })
  if ((type === 'gp2' || type === 'standard') && iops)
    note(block, 'CONFIG_CONFLICT', `volume.iops is for gp3, io1 and io2, but volume.type is "${type}"`, {
      key: ['volume', 'iops'],
      part: 'key',
    })
  if (type === 'gp3' && iops && iops < 3000)
    note(block, 'CONFIG_OUT_OF_RANGE', `volume.iops of a gp3 volume must be at least 3000, but is ${iops}`, {
      key: ['volume', 'iops'],
    })
  return { ...volume, size: root_volume_size ?? volume.size }
}

function spotOf({ spot, spot_max_price }: Keys, block: Block): Partially<SpotConfig> | undefined {
  const asMapping = typeof spot === 'object' ? spot : undefined
  if (asMapping?.max_price && spot_max_price)
    note(block, 'CONFIG_CONFLICT', 'spot.max_price and spot_max_price both limit the price', {
      key: 'spot_max_price',
      part: 'key',
    })
  const enabled = asMapping ? asMapping.enabled : spot
  if (enabled === false && spot_max_price)
    note(block, 'CONFIG_UNUSED', 'spot_max_price has no effect without spot', {
      key: 'spot_max_price',
      part: 'key',
    })
  return {
    enabled: enabled as boolean | undefined,
    max_price: asMapping?.max_price ?? spot_max_price,
    fallback: asMapping ? asMapping.fallback : 'none',
  }
}

function checkNetwork({ subnet_ids = [], network_interface }: Keys, block: Block): void {
  checkDuplicates(block, 'subnet_ids', subnet_ids)
  if (subnet_ids.length && network_interface?.subnet_id)
    note(block, 'CONFIG_CONFLICT', 'subnet_ids and network_interface.subnet_id both name the subnet', {
      key: ['network_interface', 'subnet_id'],
      part: 'key',
      remedy: 'Move it into subnet_ids.',
    })
}
