// Rules of an AWS pool about the launch request: `base_config`, reserved capacity, network interfaces.
import {
  type Block,
  given,
  givenIn,
  inner,
  isMapping,
  note,
  type Partially,
  type TypeWithSlots,
} from '../../config/index.ts'
import { baseFaults } from './base-config.ts'
import { efaInterfaces, efaSizesLike, interfaceCount } from './network.ts'
import { fitsInClusterGroup, groupsGangs, perGang } from './placement.ts'
import type { AwsKeys } from './schema.ts'

type Keys = Partially<AwsKeys>

/** `base_config` has only fields that EC2 knows and the provisioner does not set. */
export function checkBase(keys: Keys, types: readonly TypeWithSlots[], block: Block): void {
  const { base_config = {}, subnet_ids = [], spot, capacity } = keys
  const usesSpot = typeof spot === 'object' ? spot.enabled === true : spot === true
  // Each reserved offering has a RunInstances of its own.
  const isReserved = capacity?.only === true && Boolean(capacity.reservation ?? capacity.block)
  const usesTemplates = !isReserved && (usesSpot || types.length > 1 || subnet_ids.length > 1)
  for (const { path, message, ...more } of baseFaults(base_config, usesTemplates))
    note(block, 'REQUEST_BASE_CONFIG', message, { key: path, ...more })
  const { Placement: placement } = base_config
  for (const [key, field] of [
    ['placement_group', 'GroupName'],
    ['placement_group', 'GroupId'],
    ['tenancy', 'Tenancy'],
  ] as const)
    if (keys[key] && isMapping(placement) && Object.hasOwn(placement, field))
      note(block, 'CONFIG_CONFLICT', `${key} and base_config.Placement.${field} set the same field`, {
        key: ['base_config', 'Placement', field],
        part: 'key',
      })
}

/** What a group that is made for a gang excludes: types that no such group holds, and capacity that has a place already. */
export function checkGangs(keys: Keys, types: readonly TypeWithSlots[], block: Block): void {
  if (!groupsGangs(keys)) return
  for (const { type } of types)
    if (!fitsInClusterGroup(type))
      note(
        block,
        'CONFIG_CONFLICT',
        `a cluster placement group cannot hold ${type}, but placement_group is ${perGang}`,
        {
          key: 'placement_group',
          remedy: 'Use another instance type, or remove placement_group.',
        },
      )
  if (keys.capacity)
    note(block, 'CONFIG_CONFLICT', `capacity cannot be combined with placement_group: ${perGang}`, {
      key: 'placement_group',
      part: 'key',
      remedy: keys.capacity.block
        ? 'Remove placement_group: the instances of a Capacity Block are next to each other.'
        : 'Reserve the capacity in a placement group, and write its name as placement_group.',
    })
}

/** One way to choose the capacity. */
export function checkCapacity({ capacity, base_config }: Keys, block: Block): void {
  if (!capacity) return
  const { reservation, block: capacityBlock, only } = capacity
  const has = ['reservation', 'block'].filter((key) => givenIn(block, 'capacity', key))
  if (has.length === 2)
    note(block, 'CONFIG_CONFLICT', 'capacity.reservation and capacity.block cannot be combined', {
      key: ['capacity', 'block'],
      part: 'key',
    })
  // A misspelt key has been reported.
  const isEmpty = Object.keys(inner(block, 'capacity')?.raw ?? {}).every((key) => key === 'only')
  if (has.length === 0 && isEmpty)
    note(block, 'CONFIG_NEEDS_KEY', 'capacity sets neither reservation nor block', {
      key: 'capacity',
      remedy: 'Add `reservation: cr-…` or `block: cr-…`.',
    })
  if (only && given(block, 'spot') && (reservation || capacityBlock))
    note(block, 'CONFIG_UNUSED', 'spot has no effect with capacity.only', { key: 'spot', part: 'key' })
  if (base_config?.['CapacityReservationSpecification'])
    note(
      block,
      'CONFIG_CONFLICT',
      'capacity and base_config.CapacityReservationSpecification both choose the capacity',
      { key: ['base_config', 'CapacityReservationSpecification'], part: 'key' },
    )
}

/** EFA needs a type that has it, and a public address a single interface. */
export function checkInterfaces(keys: Keys, types: readonly TypeWithSlots[], block: Block): void {
  const { network_interface = {}, base_config = {} } = keys
  const { efa, public_ip } = network_interface
  const key = ['network_interface', 'efa']
  for (const { type } of efa ? types : []) {
    const most = efaInterfaces(type)
    if (most === undefined && efa === true)
      note(block, 'CONFIG_BAD_VALUE', `the number of EFA interfaces of ${JSON.stringify(type)} is unknown`, {
        key,
        remedy: 'Set it, as in `efa: 1`, or list the interfaces in base_config.NetworkInterfaces.',
      })
    if (most !== undefined && most < Number(efa)) {
      const sizes = efaSizesLike(type)
      const has = most === 0 ? 'has no EFA interface' : `has at most ${most} EFA interfaces`
      note(block, 'CONFIG_CONFLICT', `${type} ${has}, but network_interface.efa is ${efa}`, {
        key,
        remedy: most
          ? `Set \`efa: ${most}\`, or \`efa: true\`.`
          : sizes.length
            ? `Remove efa, or use ${sizes.join(', ')}.`
            : 'Remove efa.',
      })
    }
  }
  const several = types.find(
    ({ type }) => interfaceCount({ network_interface: { efa }, base_config }, type) > 1,
  )
  if (!several) return
  const interfaces: unknown[] = Array.isArray(base_config['NetworkInterfaces'])
    ? base_config['NetworkInterfaces']
    : []
  const index = interfaces.findIndex((one) => isMapping(one) && one['AssociatePublicIpAddress'] === true)
  const at =
    index >= 0
      ? ['base_config', 'NetworkInterfaces', index, 'AssociatePublicIpAddress']
      : public_ip
        ? ['network_interface', 'public_ip']
        : undefined
  if (at)
    note(
      block,
      'CONFIG_CONFLICT',
      `EC2 assigns a public address only to an instance with a single network interface, but ${several.type} is launched with several`,
      {
        key: at,
        remedy: 'Set it to false, and let a NAT gateway or VPC endpoints connect the subnet.',
      },
    )
}

/** An instance with several interfaces gets no public address. */
export function publicIpOf(
  { network_interface, base_config = {} }: AwsKeys,
  types: readonly TypeWithSlots[],
): boolean {
  const several = types.some(({ type }) => interfaceCount({ network_interface, base_config }, type) > 1)
  return network_interface.public_ip ?? !several
}

/** Upper limits of EBS: GiB, IOPS, MiB/s. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVolume.html */
const mostOf: Record<VolumeType, { size: number; iops?: number; throughput?: number }> = {
  gp3: { size: 65_536, iops: 80_000, throughput: 2_000 },
  gp2: { size: 16_384 },
  io1: { size: 16_384, iops: 64_000 },
  io2: { size: 65_536, iops: 256_000 },
  standard: { size: 1_024 },
}

type VolumeType = AwsKeys['volume']['type']

/** `gp3` is the type of a volume that gives none. */
export function checkLimits({ volume = {}, root_volume_size }: Keys, block: Block): void {
  const { type = 'gp3', size, iops, throughput } = volume
  const values = [
    [['volume', 'size'], size, 'size'],
    [['root_volume_size'], root_volume_size, 'size'],
    [['volume', 'iops'], iops, 'iops'],
    [['volume', 'throughput'], throughput, 'throughput'],
  ] as const
  for (const [key, value, what] of values) {
    const most = mostOf[type][what]
    if (value === undefined || most === undefined || value <= most) continue
    const more = mostOf.gp3[what] ?? 0
    note(
      block,
      'CONFIG_OUT_OF_RANGE',
      `${key.join('.')} of a ${type} volume must be at most ${most}, but is ${value}`,
      {
        key: [...key],
        remedy:
          more > most ? `Write at most ${most}, or use gp3: at most ${more}.` : `Write at most ${most}.`,
      },
    )
  }
}
