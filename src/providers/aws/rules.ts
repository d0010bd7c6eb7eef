// `type: aws`: from the keys of the file to the configuration, with the rules between keys.
import {
  type Block,
  checkDuplicates,
  checkImages,
  commonRules,
  given,
  givenIn,
  inner,
  isBareMetal,
  isMapping,
  note,
  type Partially,
  sure,
  type TypeWithSlots,
  typesOf,
  type YamlPath,
} from '../../config/index.ts'
import { nearest } from '../../platform/index.ts'
import { ownerTags } from '../contract.ts'
import {
  checkBase,
  checkCapacity,
  checkGangs,
  checkInterfaces,
  checkLimits,
  publicIpOf,
} from './launch-rules.ts'
import { hasNewestImage } from './made-from.ts'
import { checkNames, typeFault } from './names.ts'
import type { AwsKeys } from './schema.ts'

/** A public GPU image with Docker and the NVIDIA runtime (https://docs.aws.amazon.com/dlami/latest/devguide). */
export const publicAwsImage = {
  ssm: '/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id',
  owner: 'amazon',
  name: 'Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 24.04)*',
} as const

type Keys = Partially<AwsKeys>

/** `type: aws` after defaults and rules. */
export type AwsConfig = ReturnType<ReturnType<typeof awsRules>>

/** One way to specify the machine image. */
export type AwsImage = { id: string } | { ssm: string } | { owner: string; name: string }

export function awsRules(keys: Keys, block: Block) {
  const instance_types = awsTypes(keys, block)
  checkNames(keys, block)
  checkNetwork(keys, block)
  checkTags(keys, block)
  if (keys.log_stream && !keys.log_group)
    note(block, 'CONFIG_NEEDS_KEY', 'log_stream needs log_group', { key: 'log_stream', part: 'key' })
  const bareMetal = instance_types?.some(({ type }) => isBareMetal(type)) ?? false
  const common = commonRules(keys, block, bareMetal)
  const image = imageOf(keys, block)
  checkImages(keys, block, !image || hasNewestImage({ image }))
  checkVolume(keys, block)
  checkLimits(keys, block)
  checkSpot(keys, block)
  checkBase(keys, instance_types ?? [], block)
  checkCapacity(keys, block)
  checkGangs(keys, instance_types ?? [], block)
  checkInterfaces(keys, instance_types ?? [], block)
  return (whole: AwsKeys) => ({
    ...whole,
    ...common(whole),
    base_config: whole.base_config ?? {},
    network_interface: { ...whole.network_interface, public_ip: publicIpOf(whole, sure(instance_types)) },
    image: sure(image),
    volume: { ...whole.volume, size: whole.root_volume_size ?? whole.volume.size },
    spot: spotOf(whole),
    /** In order of preference; `instance_type` alone gives a list of one. Every entry has its slots. */
    instance_types: sure(instance_types),
  })
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
      : note(block, 'IMAGE_MISSING', 'no machine image is set: image is missing', { remedy })
  // Something inside it is wrong, and has been reported.
  if (!isMapping(block.raw['image']) || image === undefined) return undefined
  const ways = ['id', 'ssm', 'owner', 'name'].filter((way) => givenIn(block, 'image', way))
  if (ways.length === 0)
    return note(block, 'IMAGE_MISSING', 'image sets none of id, ssm and owner', { key: 'image', remedy })
  if (new Set(ways.map((way) => (way === 'name' ? 'owner' : way))).size > 1)
    return note(block, 'CONFIG_CONFLICT', `image is specified in several ways: ${ways.join(', ')}`, {
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

function checkVolume({ volume }: Keys, block: Block): void {
  if (given(block, 'root_volume_size') && givenIn(block, 'volume', 'size'))
    note(block, 'CONFIG_CONFLICT', 'volume.size and root_volume_size both set the size of the root volume', {
      key: 'root_volume_size',
      part: 'key',
    })
  if (!volume) return
  const { type, iops, throughput } = volume
  if (volume.kms_key_id && volume.encrypted === false && givenIn(block, 'volume', 'encrypted'))
    note(block, 'CONFIG_CONFLICT', 'volume.kms_key_id encrypts the volume, but volume.encrypted is false', {
      key: ['volume', 'kms_key_id'],
      part: 'key',
    })
  if (type && type !== 'gp3' && throughput)
    note(block, 'CONFIG_CONFLICT', `volume.throughput is for gp3, but volume.type is "${type}"`, {
      key: ['volume', 'throughput'],
      part: 'key',
    })
  if ((type === 'io1' || type === 'io2') && !givenIn(block, 'volume', 'iops'))
    note(block, 'CONFIG_NEEDS_KEY', `a volume of type ${type} needs volume.iops`, {
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
}

function checkSpot({ spot, spot_max_price }: Keys, block: Block): void {
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
}

/** `max_price`: dollars an hour as a string; undefined: the on-demand price is the cap. */
function spotOf({ spot, spot_max_price: max_price }: AwsKeys) {
  const more = max_price === undefined ? {} : { max_price }
  return typeof spot === 'object'
    ? { ...more, ...spot }
    : { ...more, enabled: spot, fallback: 'none' as const }
}

/** Of an interface: 5 by default, 16 with the highest quota. https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html */
const mostGroups = 16

function checkNetwork({ subnet_ids = [], network_interface }: Keys, block: Block): void {
  checkDuplicates(block, 'subnet_ids', subnet_ids)
  if (subnet_ids.length && network_interface?.subnet_id)
    note(block, 'CONFIG_CONFLICT', 'subnet_ids and network_interface.subnet_id both name the subnet', {
      key: ['network_interface', 'subnet_id'],
      part: 'key',
      remedy: 'Move it into subnet_ids.',
    })
  const { security_group_id, security_group_ids } = network_interface ?? {}
  const ofInterface = inner(block, 'network_interface')
  if (ofInterface && security_group_ids)
    checkDuplicates(ofInterface, 'security_group_ids', security_group_ids)
  if (security_group_ids && security_group_ids.length > mostGroups)
    note(
      block,
      'CONFIG_OUT_OF_RANGE',
      `an interface can have at most ${mostGroups} security groups, but security_group_ids has ${security_group_ids.length}`,
      {
        key: ['network_interface', 'security_group_ids'],
        remedy: 'Put the rules of several groups into one. More than 5 need a higher quota of the account.',
      },
    )
  if (security_group_id && security_group_ids)
    note(block, 'CONFIG_CONFLICT', 'security_group_id and security_group_ids cannot be combined', {
      key: ['network_interface', 'security_group_id'],
      part: 'key',
      remedy: 'Move it into security_group_ids.',
    })
}

// Tags of the user must not clash with each other, nor with those that mark managed VMs.

const ownPrefix = ownerTags.cluster.slice(0, ownerTags.cluster.indexOf(':') + 1)

export function checkTags({ custom_tags = [], tag_key }: Partially<AwsKeys>, block: Block): void {
  const keys = custom_tags.map(({ key }) => key)
  checkDuplicates(block, 'custom_tags', keys, ['key'])
  keys.forEach((key, index) => {
    const at = { key: ['custom_tags', index, 'key'] }
    if (key?.startsWith(ownPrefix)) reserved(block, key, at.key)
    else if (key === 'Name' || (key !== undefined && key === tag_key))
      note(
        block,
        'CONFIG_DUPLICATE',
        `custom_tags sets ${key}, which ${key === 'Name' ? 'instance_name' : 'tag_key'} also sets`,
        {
          ...at,
          remedy: `Use ${key === 'Name' ? 'instance_name' : 'tag_value'} for its value.`,
        },
      )
  })
  if (tag_key?.startsWith(ownPrefix)) reserved(block, tag_key, ['tag_key'])
}

function reserved(block: Block, tag: string, key: (string | number)[]): void {
  note(
    block,
    'CONFIG_CONFLICT',
    `the tag ${JSON.stringify(tag)} is reserved: the provisioner uses it to identify its instances`,
    {
      key,
      remedy: `Choose a key that does not start with "${ownPrefix}".`,
    },
  )
}

// The instance types of an AWS pool, each with its accelerators.

/** The default of Determined's provisioner (aws_config.go). */
const standardType = 'g4dn.metal'

/** The user's slots win over the table; entries with a problem are left out. */
export function awsTypes(keys: Partially<AwsKeys>, block: Block): TypeWithSlots[] | undefined {
  if (!given(block, 'instance_types')) {
    const alone = given(block, 'instance_type') ? keys.instance_type : standardType
    return alone === undefined ? undefined : withSlots(block, alone, keys.instance_slots, ['instance_type'])
  }
  for (const key of ['instance_type', 'instance_slots'].filter((word) => given(block, word)))
    note(block, 'CONFIG_CONFLICT', `instance_types and ${key} cannot be combined`, {
      key,
      part: 'key',
      remedy: 'Write it as an entry of instance_types: `- {type: …, slots: …}`.',
    })
  const types = typesOf(
    keys.instance_types,
    block,
    (type, slots, path) => withSlots(block, type, slots, path),
    (entry, path) => ofFamily(entry, path, block),
  )
  checkFamilies(keys, block)
  // A family may contain a type that is listed before it.
  return types && [...Map.groupBy(types, ({ type }) => type).values()].map(([first]) => first!)
}

function checkFamilies({ instance_types = [] }: Partially<AwsKeys>, block: Block): void {
  instance_types.forEach((entry, index) => {
    if (typeof entry === 'string') return
    const { type, slots, family } = entry
    const other = type ? 'type' : slots === undefined ? undefined : 'slots'
    if (family && other)
      note(block, 'CONFIG_CONFLICT', `family and ${other} cannot be combined in an entry of instance_types`, {
        key: ['instance_types', index, 'family'],
        part: 'key',
        remedy: 'Write an entry of its own for each.',
      })
  })
}

/** For each number of GPUs of a family its smallest size. */
function ofFamily({ family }: { family?: string }, path: YamlPath, block: Block): TypeWithSlots[] {
  if (!family) {
    // Of another type, which has been reported.
    const raw = inList(block.raw['instance_types'], path)
    // A misspelt key has been reported, too.
    if (isMapping(raw) && Object.keys(raw).every((word) => word === 'slots'))
      note(block, 'CONFIG_MISSING_KEY', 'an entry of instance_types has neither type nor family', {
        key: path,
        remedy: 'Write `{type: g5.xlarge}` or `{family: g5}`.',
      })
    return []
  }
  if (!Object.hasOwn(gpuSizes, family)) {
    const meant = nearest(family, ofLetter(family, Object.keys(gpuSizes)))
    note(
      block,
      'CONFIG_BAD_CHOICE',
      `the family ${JSON.stringify(family)} is not in the table of GPU types`,
      {
        key: [...path, 'family'],
        remedy: `${meant ? `Did you mean "${meant}"? Otherwise list` : 'List'} its types: \`- {type: …, slots: N}\`.`,
      },
    )
    return []
  }
  return Object.entries(gpuSizes[family]!).flatMap(([slots, sizes]) => {
    const size = sizes.split(' ').find((one) => one !== 'metal')
    return size ? [{ type: `${family}.${size}`, slots: Number(slots) }] : []
  })
}

/** Names of another letter are for other work: `m5` is not a misspelt `p5`. */
function ofLetter(name: string, known: string[]): string[] {
  return known.filter((one) => one[0] === name[0]?.toLowerCase())
}

function inList(list: unknown, path: YamlPath): unknown {
  return Array.isArray(list) ? list[Number(path.at(-1))] : undefined
}

function withSlots(block: Block, type: string, slots: number | undefined, path: YamlPath): TypeWithSlots[] {
  const fault = typeFault(type)
  if (fault) {
    note(block, 'CONFIG_BAD_VALUE', fault.message, { key: path, remedy: fault.remedy })
    return []
  }
  const known = slots ?? awsAccelerators(type)
  if (known !== undefined) return [{ type, slots: known }]
  const meant = nearest(type, ofLetter(type, knownGpuTypes()))
  const say = path.length > 1 ? `\`- {type: ${type}, slots: N}\`` : '`instance_slots: N`'
  note(block, 'INSTANCE_SLOTS_UNKNOWN', `the number of accelerators of ${JSON.stringify(type)} is unknown`, {
    key: path,
    remedy: `${meant ? `Did you mean "${meant}"? Otherwise set it: ` : 'Set it: '}${say}.`,
  })
  return []
}

// Accelerators of EC2 instance types: an offline table, so that a dry run needs no cloud.

/**
 * NVIDIA GPUs of x86 instance types, which the agent's image requires
 * (https://docs.aws.amazon.com/ec2/latest/instancetypes/ac.html; Determined's table is provconfig/aws_config.go).
 */
const gpuSizes: Record<string, Record<number, string>> = {
  p2: { 1: 'xlarge', 8: '8xlarge', 16: '16xlarge' },
  p3: { 1: '2xlarge', 4: '8xlarge', 8: '16xlarge' },
  p3dn: { 8: '24xlarge' },
  p4d: { 8: '24xlarge' },
  p4de: { 8: '24xlarge' },
  p5: { 1: '4xlarge', 8: '48xlarge' },
  p5e: { 8: '48xlarge' },
  p5en: { 8: '48xlarge' },
  'p6-b200': { 8: '48xlarge' },
  'p6-b300': { 8: '48xlarge' },
  g4dn: { 1: 'xlarge 2xlarge 4xlarge 8xlarge 16xlarge', 4: '12xlarge', 8: 'metal' },
  g5: { 1: 'xlarge 2xlarge 4xlarge 8xlarge 16xlarge', 4: '12xlarge 24xlarge', 8: '48xlarge' },
  g6: { 1: 'xlarge 2xlarge 4xlarge 8xlarge 16xlarge', 4: '12xlarge 24xlarge', 8: '48xlarge' },
  g6e: { 1: 'xlarge 2xlarge 4xlarge 8xlarge 16xlarge', 4: '12xlarge 24xlarge', 8: '48xlarge' },
  gr6: { 1: '4xlarge 8xlarge' },
  g7e: { 1: '2xlarge 4xlarge 8xlarge', 2: '12xlarge', 4: '24xlarge', 8: '48xlarge' },
}

/**
 * Families without accelerators: their first letters are followed by a generation
 * (https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html). `dl`, `inf`, `trn`, `f` and `vt`
 * have accelerators that the agent does not support, so they are not listed.
 */
const plainType =
  /^(?:[acdhimrtxz]|hpc|im|is)\d+[a-z]*(?:-[a-z\d]+)?\.(?:nano|micro|small|medium|large|\d*xlarge|metal(?:-\d+xl)?)$/

/** undefined when the type is not in the table. */
export function awsAccelerators(type: string): number | undefined {
  const [family = '', size = ''] = type.split('.')
  const sizes = Object.hasOwn(gpuSizes, family) ? gpuSizes[family]! : {}
  for (const [count, names] of Object.entries(sizes))
    if (names.split(' ').includes(size)) return Number(count)
  return plainType.test(type) ? 0 : undefined
}

/** Every GPU type of the table, for suggestions. */
export function knownGpuTypes(): string[] {
  return Object.entries(gpuSizes).flatMap(([family, sizes]) =>
    Object.values(sizes).flatMap((names) => names.split(' ').map((size) => `${family}.${size}`)),
  )
}
