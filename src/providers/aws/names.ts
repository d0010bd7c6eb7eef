// The form of what EC2 and IAM name: regions, ids, ARNs. Judged without a network; whether a name exists, `check` asks.
import { type Block, doubt, note, type Partially, type YamlPath } from '../../config/index.ts'
import { nearest } from '../../platform/index.ts'
import regions from './regions.json' with { type: 'json' }
import type { AwsKeys } from './schema.ts'

type Keys = Partially<AwsKeys>

/** Notes names that AWS cannot have (errors), and those that it does not have so far (warnings). */
export function checkNames(keys: Keys, block: Block): void {
  checkRegion(keys.region, block)
  checkImageId(keys.image_id, block, ['image_id'])
  checkImageId(keys.image?.id, block, ['image', 'id'])
  checkOwner(keys.image?.owner, block)
  keys.subnet_ids?.forEach((id, index) => {
    checkId(id, 'subnet', block, ['subnet_ids', index])
  })
  const { subnet_id, security_group_id, security_group_ids } = keys.network_interface ?? {}
  checkId(subnet_id, 'subnet', block, ['network_interface', 'subnet_id'])
  checkId(security_group_id, 'security group', block, ['network_interface', 'security_group_id'])
  security_group_ids?.forEach((id, index) => {
    checkId(id, 'security group', block, ['network_interface', 'security_group_ids', index])
  })
  checkKmsKey(keys, block)
  checkProfile(keys, block)
  checkKeyPair(keys.ssh_key_name, block)
}

// Regions.

const partitionOf = new Map(
  Object.entries(regions).flatMap(([partition, names]) => names.map((name) => [name, partition] as const)),
)

/**
 * Every region so far is an area, perhaps a government's part of it, a direction and a number. A name of that form that is
 * not in the SDK's list may be a new region.
 */
const regionForm =
  /^(?:[a-z]{2}|eusc-[a-z]{2})(?:-gov|-iso[a-z]?)?-(?:central|(?:north|south)(?:east|west)?|east|west)-\d$/
/** The zone of a region: `us-west-2a`, and local zones such as `us-west-2-lax-1a`. */
const zoneForm = /^(.+?-\d)(?:[a-z]|-[a-z]{3}-\d[a-z]|-wl\d.*)$/

function checkRegion(region: string | undefined, block: Block): void {
  if (!region || partitionOf.has(region)) return
  const at = { key: 'region' }
  const [, ofZone = ''] = zoneForm.exec(region) ?? []
  if (partitionOf.has(ofZone) || regionForm.test(ofZone)) {
    note(block, 'CONFIG_BAD_VALUE', `region must be a region, but ${quoted(region)} is a zone of ${ofZone}`, {
      ...at,
      remedy: `Write \`region: ${ofZone}\`; the zone follows from the subnet.`,
    })
    return
  }
  const isGoogles = /^[a-z]+-[a-z]+\d+(?:-[a-z])?$/.test(region)
  const known = [...partitionOf.keys()]
  const alike = known.find((name) => name.slice(0, -1) === region.slice(0, -1))
  const meant = isGoogles ? undefined : (nearest(region, known) ?? alike)
  if (regionForm.test(region))
    note(block, 'CONFIG_UNKNOWN_LOCATION', `${quoted(region)} is not in the list of AWS regions`, {
      ...at,
      ...(meant && { remedy: `Did you mean "${meant}"? A new region is not in the list yet.` }),
    })
  else
    note(block, 'CONFIG_BAD_VALUE', `region must be an AWS region, but is ${quoted(region)}`, {
      ...at,
      remedy: meant ? `Did you mean "${meant}"?` : 'Write a region such as "us-west-2".',
    })
}

// Ids of EC2: a word for what they name, and 8 or 17 hexadecimal digits.

const words = {
  AMI: 'ami',
  subnet: 'subnet',
  'security group': 'sg',
} as const

const digits = /^[^-]+-(?:[0-9a-f]{8}|[0-9a-f]{17})$/

function checkImageId(id: string | undefined, block: Block, key: YamlPath): void {
  const [, parameter] = /^(?:resolve:ssm:|ssm:)?(\/.+)$/.exec(id ?? '') ?? []
  const more = parameter
    ? `For a parameter of SSM, write \`image: {ssm: ${parameter}}\`.`
    : 'To choose an image by its name, write `image: {owner: ACCOUNT, name: PATTERN}`.'
  checkId(id, 'AMI', block, key, more)
}

function checkId(
  id: string | undefined,
  kind: keyof typeof words,
  block: Block,
  key: YamlPath,
  more = '',
): void {
  if (!id) return
  const word = words[kind]
  const name = key.filter((part) => typeof part === 'string').join('.')
  const form = `Write an id such as "${word}-0123456789abcdef0".`
  if (!id.startsWith(`${word}-`)) {
    const message = `${name} must be the id of ${kind === 'AMI' ? 'an' : 'a'} ${kind}, but is ${quoted(id)}`
    note(block, 'CONFIG_BAD_VALUE', message, { key, remedy: more ? `${form} ${more}` : form })
  } else if (!digits.test(id)) {
    const message = `${name} ${quoted(id)} does not end in 8 or 17 hexadecimal digits, as ids of EC2 do`
    doubt(block, 'CONFIG_UNUSUAL_ID', message, { key, remedy: form })
  }
}

function checkOwner(owner: string | undefined, block: Block): void {
  if (!owner || /^\d{12}$/.test(owner) || /^[a-z][a-z-]*$/.test(owner)) return
  note(block, 'CONFIG_BAD_VALUE', `image.owner must be an account id or alias, but is ${quoted(owner)}`, {
    key: ['image', 'owner'],
    remedy: 'Write 12 digits, or an alias such as "amazon" or "self".',
  })
}

// Names of IAM and of key pairs.

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html */
const profileForm = /^arn:(aws[a-z-]*):iam::\d{12}:instance-profile\/[\w+=,.@/-]{1,640}$/

function checkProfile({ iam_instance_profile_arn: arn, region }: Keys, block: Block): void {
  if (!arn) return
  const at = { key: 'iam_instance_profile_arn' }
  const [, partition] = profileForm.exec(arn) ?? []
  if (partition === undefined) {
    const isRole = /:role\//.test(arn)
    const message = `iam_instance_profile_arn must be the ARN of an instance profile, but is ${quoted(arn)}`
    note(block, 'CONFIG_BAD_VALUE', message, {
      ...at,
      remedy: `${isRole ? 'This is a role; its instance profile often has the same name. ' : ''}Write it as "arn:aws:iam::ACCOUNT:instance-profile/NAME", with the 12 digits of the account.`,
    })
    return
  }
  const wanted = region === undefined ? undefined : partitionOf.get(region)
  if (wanted !== undefined && wanted !== partition)
    note(
      block,
      'CONFIG_CONFLICT',
      `iam_instance_profile_arn is in partition ${partition}, but ${region} is in ${wanted}`,
      { ...at, remedy: `Write an ARN that starts with "arn:${wanted}:iam::".` },
    )
}

/** https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id */
const kmsForm =
  /^(?:arn:aws[a-z-]*:kms:[a-z\d-]+:\d{12}:(?:key|alias)\/.+|alias\/[\w/-]+|mrk-[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/

function checkKmsKey({ volume, region }: Keys, block: Block): void {
  const id = volume?.kms_key_id
  if (!id) return
  if (kmsForm.test(id)) {
    // A volume and its key are in one region; otherwise EC2 launches the instance and terminates it at once.
    const [, , , keyRegion] = id.startsWith('arn:') ? id.split(':') : []
    if (keyRegion && region && keyRegion !== region)
      note(block, 'CONFIG_CONFLICT', `volume.kms_key_id is in ${keyRegion}, but the pool is in ${region}`, {
        key: ['volume', 'kms_key_id'],
        remedy: `Use a key of ${region}, or its replica there.`,
      })
    return
  }
  note(block, 'CONFIG_BAD_VALUE', `volume.kms_key_id must be a key of KMS, but is ${quoted(id)}`, {
    key: ['volume', 'kms_key_id'],
    remedy: 'Write its id, its ARN, or "alias/NAME"; `aws kms list-aliases` lists them.',
  })
}

function checkKeyPair(name: string | undefined, block: Block): void {
  if (!name) return
  const at = {
    key: 'ssh_key_name',
    remedy: 'Write its name in EC2, not the path of a file; `aws ec2 describe-key-pairs` lists them.',
  }
  // EC2 accepts any 255 characters of ASCII, so that "team/alice.pem" may be a name.
  if (/^(?:~|\.{1,2})?\//.test(name) || name.length > 255)
    note(block, 'CONFIG_BAD_VALUE', `ssh_key_name must be the name of a key pair, but is ${quoted(name)}`, at)
  else if (name.endsWith('.pem'))
    doubt(block, 'CONFIG_UNUSUAL_ID', `ssh_key_name ${quoted(name)} looks like the name of a file`, at)
}

// Instance types: a family and a size.

/** https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html */
const typeForm = /^[a-z][a-z\d-]*\.[a-z\d-]+$/

/** What is wrong with the name of an instance type; undefined if it can be one. */
export function typeFault(type: string): { message: string; remedy: string } | undefined {
  if (typeForm.test(type)) return undefined
  const dotted = type.toLowerCase().replace(/^([a-z]+\d+[a-z]*)[-_ ](\d*x?large|metal)$/, '$1.$2')
  return {
    message: `${quoted(type)} is not the name of an EC2 instance type`,
    remedy: typeForm.test(dotted) ? `Did you mean "${dotted}"?` : 'Write FAMILY.SIZE, such as "g5.xlarge".',
  }
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text)
}
