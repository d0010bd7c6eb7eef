// Keys of `type: aws`: those of Determined's provisioner (provconfig/aws_config.go) and new ones.
import * as z from 'zod/mini'
import {
  block,
  choice,
  count,
  flag,
  instanceTypeList,
  key,
  keyOr,
  kinds,
  list,
  name,
  names,
  needed,
  oldKey,
  providerSchema,
  shaped,
  spotKey,
  text,
} from '../../config/index.ts'

/** Digits with at most one dot, and at least one digit (Determined's provisioner accepts a lone "."). */
const price = shaped(
  /^(?:\d+\.?\d*|\.\d+)$/,
  'a price such as "0.45"',
  'Write dollars per hour with digits and at most one dot.',
)

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions */
const tagKey = shaped(
  /^(?!aws:)[\s\S]{1,128}$/i,
  'a tag key: 1 to 128 characters, not starting with "aws:"',
  'Choose another key; "aws:" is reserved by AWS.',
)
const tagValue = shaped(/^[\s\S]{0,256}$/, 'a tag value of at most 256 characters')

const imageKeys = {
  id: key(name, 'AMI id, such as `ami-0123456789abcdef0`.'),
  ssm: key(
    shaped(
      /^\//,
      'the path of an SSM parameter, starting with "/"',
      'Write the full path, such as "/aws/service/…/ami-id".',
    ),
    'SSM parameter that contains the AMI id.',
  ),
  owner: key(name, 'Account id or alias that owns the image; with `name`.'),
  name: key(name, 'Name pattern (`*`, `?`); the newest image of that owner is used.'),
}

const volumeKeys = {
  type: keyOr(choice('gp3', 'gp2', 'io1', 'io2', 'standard'), 'gp3', 'EBS volume type.'),
  size: keyOr(count(100), 200, 'GB.'),
  encrypted: keyOr(flag, false, "Encrypt the volume with the account's key."),
  kms_key_id: key(
    name,
    'Encrypt the volume with this KMS key: its id, ARN, or `alias/NAME` ([permissions](aws.md#permissions)).',
    "the account's key",
  ),
  iops: key(count(100), 'Provisioned IOPS; for gp3 (at least 3000), io1 and io2.'),
  throughput: key(count(125), 'MiB/s; for gp3.'),
}

const typeKeys = {
  type: key(name, 'Its name; either `type` or `family`. Without `slots`, the name alone may be the entry.'),
  slots: key(count(0), 'Its accelerators.', 'from the table of known types'),
  family: key(
    name,
    'A family of the table of known types, such as `g6`: for each number of accelerators its smallest size, the fewest accelerators first; without bare metal.',
  ),
}

const capacityKeys = {
  reservation: key(
    shaped(
      /^(?:open|cr-[0-9a-f]{8,17}|arn:[\w-]+:resource-groups:[^:]*:\d{12}:group\/.+)$/,
      'the id of a capacity reservation ("cr-…"), the ARN of a resource group of reservations, or "open"',
      'Write its id, such as "cr-0123456789abcdef0"; `aws ec2 describe-capacity-reservations` lists them.',
    ),
    'A capacity reservation: its id, the ARN of a resource group of reservations, or `open` for any open reservation of the account that matches.',
  ),
  block: key(
    shaped(
      /^cr-[0-9a-f]{8,17}$/,
      'the id of the capacity reservation of a Capacity Block ("cr-…")',
      'Write its id, such as "cr-0123456789abcdef0"; `aws ec2 describe-capacity-reservations` lists them.',
    ),
    'A Capacity Block: the id of its capacity reservation.',
  ),
  only: keyOr(flag, false, 'Never launch outside of it.'),
}

/** p5.48xlarge has the most of all types: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa-acc-inst-types.html */
const mostNetworkCards = 32

const maxPrice = key(price, 'Maximum dollars per hour, as a quoted string.', 'the on-demand price')

const awsKeys = {
  base_config: key(
    z.record(z.string(), z.unknown()),
    'Fields of `RunInstances` that have no key here, with the names of the EC2 API; merged over the request ([rules](aws.md#base_config)).',
    '`{}`',
  ),
  region: key(name, 'EC2 region.', 'the AWS environment and profile, otherwise instance metadata'),
  image: key(
    z.strictObject(imageKeys).register(kinds, {
      noun: 'image',
      remedy: 'Write `image: {id: ami-…}`, or one of its other keys.',
    }),
    'The machine image: exactly one of `id`, `ssm`, or `owner` with `name`. It needs Docker, and the NVIDIA runtime for GPUs. There is no built-in image.',
    'none: `image` or `image_id` is required',
  ),
  image_id: oldKey(name, 'The AMI id; the same as `image: {id: …}`.'),
  volume: block(volumeKeys, 'The root volume.'),
  root_volume_size: oldKey(count(100), 'GB; the same as `volume: {size: …}`.'),
  tag_key: keyOr(
    tagKey,
    'managed_by',
    'An additional tag on each instance. It does not affect which instances the provisioner manages.',
  ),
  tag_value: key(
    tagValue,
    'Value of `tag_key`.',
    "the master's EC2 instance id, otherwise `determined-ai-determined`",
  ),
  instance_name: keyOr(tagValue, 'determined-ai-agent', 'The Name tag.'),
  ssh_key_name: key(text, 'EC2 key pair for SSH.', 'none: no SSH access'),
  network_interface: block(
    {
      public_ip: key(
        flag,
        'Assign a public IP address to the instance. EC2 allows that for a single interface only.',
        '`true`; `false` with several interfaces',
      ),
      subnet_id: keyOr(text, '', 'Empty: the default subnet.'),
      security_group_id: keyOr(
        text,
        '',
        "Empty: the default group. It must allow agents to connect to the master's port.",
      ),
      security_group_ids: key(names, 'Several security groups, instead of `security_group_id`.'),
      efa: key(
        z.union([flag, count(1, mostNetworkCards)]).register(kinds, {
          noun: `true, false or a number of interfaces from 1 to ${mostNetworkCards}`,
          remedy: 'Write true for as many interfaces as the type has, or their number.',
        }),
        'Elastic Fabric Adapters ([requirements](aws.md#agents-that-train-together)): `true` for all that the instance type has, or their number.',
        '`false`',
      ),
      ipv6: key(flag, 'Assign an IPv6 address to the instance; its subnet needs an IPv6 range.', '`false`'),
    },
    'The network of the instance.',
  ),
  subnet_ids: keyOr(names, [], 'Several subnets, in order of preference: one for each zone to try.'),
  placement_group: key(
    name,
    '`per_gang`: make a cluster placement group for the instances of each job that needs several. Any other name: launch all instances into this group, which must exist ([when](aws.md#agents-that-train-together)).',
    'none',
  ),
  tenancy: key(
    choice('default', 'dedicated'),
    'Hardware that is shared with other accounts (`default`) or not (`dedicated`).',
    "that of the subnet's VPC",
  ),
  iam_instance_profile_arn: keyOr(text, '', 'Instance profile of the instance.'),
  metadata_hop_limit: keyOr(
    count(1, 64),
    2,
    'Maximum network hops of a response of the metadata service: 2 reaches containers, 1 only the instance itself.',
  ),
  capacity: key(
    z.strictObject(capacityKeys),
    'Capacity that is paid for in advance, tried first: `reservation` or `block` ([how](aws.md#reserved-capacity)).',
    'none',
  ),
  instance_type: key(
    z.string().check(z.minLength(1)).register(kinds, {
      noun: 'the name of an instance type',
      remedy: 'Write one name, such as g5.xlarge; several belong in instance_types.',
    }),
    'EC2 instance type.',
    '`g4dn.metal`',
  ),
  instance_slots: key(
    count(0),
    'Accelerators of `instance_type`. Overrides the table of known types.',
    'from the table of known types',
  ),
  instance_types: key(
    instanceTypeList(typeKeys, ['TYPE', '{type: TYPE, slots: N}', '{family: FAMILY}']),
    'Several instance types, in order of preference: names, mappings with the slots, or families.',
  ),
  cpu_slots_allowed: keyOr(flag, false, 'Use an instance type without accelerators as one CPU slot.'),
  log_group: keyOr(text, '', "CloudWatch log group of the agent's container."),
  log_stream: keyOr(text, '', 'CloudWatch log stream; needs `log_group`.'),
  spot: spotKey({ max_price: maxPrice }, 'Use spot capacity: `true`, `false`, or a mapping.'),
  spot_max_price: oldKey(price, 'The same as `spot: {max_price: …}`.'),
  custom_tags: keyOr(
    z
      .array(
        z
          .strictObject({ key: needed(tagKey, 'Tag key.'), value: needed(tagValue, 'Tag value.') })
          .register(kinds, { noun: 'an entry of custom_tags' }),
      )
      .register(kinds, list('{key, value}')),
    [],
    'Additional tags on each instance and its volumes.',
  ),
}

export const awsProvider = providerSchema('aws', 'Instances on Amazon EC2.', awsKeys)

export type AwsKeys = z.output<typeof awsProvider>
