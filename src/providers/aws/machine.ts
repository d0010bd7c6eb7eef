// The settings that all VMs of a pool share: image, disk, placement, metadata service, shutdown. The same in RunInstances
// and in a template.
import { type MasterAddress, masterUrl } from '../../pki/index.ts'
import { type Problem, problem } from '../../problems/index.ts'
import { type Ownership, ownerTags } from '../contract.ts'
import type { ResourceType, RunInstancesRequest, Tag, TagSpecification } from './client.ts'
import { sharedGroup } from './placement.ts'
import type { AwsConfig, AwsImage } from './rules.ts'

/** @param group of the launch; default: the one that the pool names, if any */
export function machineOf(config: AwsConfig, facts: SettledFacts, group = sharedGroup(config)) {
  return {
    ImageId: facts.imageId,
    UserData: facts.userData,
    BlockDeviceMappings: [{ DeviceName: facts.rootDevice, Ebs: rootVolume(config) }],
    // An agent VM is never restarted: the script powers it off to get rid of it.
    InstanceInitiatedShutdownBehavior: 'terminate',
    MetadataOptions: {
      HttpEndpoint: 'enabled',
      HttpTokens: 'required',
      HttpPutResponseHopLimit: config.metadata_hop_limit,
    },
    ...(config.ssh_key_name ? { KeyName: config.ssh_key_name } : {}),
    ...(config.iam_instance_profile_arn
      ? { IamInstanceProfile: { Arn: config.iam_instance_profile_arn } }
      : {}),
    ...placementOf(config, group),
  } satisfies Partial<RunInstancesRequest>
}

function placementOf({ tenancy }: AwsConfig, group: string | undefined) {
  if (!group && !tenancy) return {}
  return {
    Placement: {
      ...(group ? { GroupName: group } : {}),
      ...(tenancy ? { Tenancy: tenancy } : {}),
    },
  }
}

function rootVolume({ volume }: AwsConfig) {
  return {
    VolumeType: volume.type as 'gp3',
    VolumeSize: volume.size,
    DeleteOnTermination: true,
    // Omitted rather than false: the account may encrypt by default, and a snapshot may be encrypted.
    ...(volume.encrypted || volume.kms_key_id ? { Encrypted: true } : {}),
    ...(volume.kms_key_id ? { KmsKeyId: volume.kms_key_id } : {}),
    ...(volume.iops === undefined ? {} : { Iops: volume.iops }),
    ...(volume.throughput === undefined ? {} : { Throughput: volume.throughput }),
  }
}

/** A hop limit above 1 lets containers reach the metadata service (Determined's aws.go sets 2). */
export function metadataProblems({ metadata_hop_limit, iam_instance_profile_arn }: AwsConfig): Problem[] {
  if (metadata_hop_limit < 2) return []
  const credentials = iam_instance_profile_arn
    ? ` and use the credentials of ${iam_instance_profile_arn}`
    : ''
  return [
    problem(
      'REQUEST_METADATA_OPEN',
      `task containers can read the instance's user data${credentials} from the metadata service: metadata_hop_limit is ${metadata_hop_limit}`,
    ),
  ]
}

// The tags of a VM: Determined's, the provisioner's, and the user's.

export interface TagInput {
  config: AwsConfig
  owner: Ownership
  master: MasterAddress
  tagValue: string
}

/** Tags that are the same for every launch of a pool; the keys are those of Determined's provisioner (aws.go). */
export function poolTags({ config, owner, master, tagValue }: TagInput): Tag[] {
  return [
    tag('Name', config.instance_name),
    tag(config.tag_key, tagValue),
    tag('determined-resource-pool', owner.pool),
    tag('determined-master-address', masterUrl(master)),
    tag(ownerTags.cluster, owner.clusterId),
    tag(ownerTags.pool, owner.pool),
    tag(ownerTags.writer, owner.writerId),
    ...config.custom_tags.map(({ key, value }) => tag(key, value)),
  ]
}

export function intentTag(intentId: string): Tag {
  return tag(ownerTags.intent, intentId)
}

export function tagSpecifications(tags: Tag[], kinds: ResourceType[]): TagSpecification[] {
  return kinds.map((kind) => ({ ResourceType: kind, Tags: tags }))
}

/**
 * What EC2 would refuse: more than 50 tags, keys over 128 and values over 256 characters, keys that start with `aws:`,
 * duplicate keys (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions).
 */
export function tagProblems(tags: Tag[]): Problem[] {
  const found: string[] = []
  if (tags.length > 50) found.push(`${tags.length} tags, but an instance can have at most 50`)
  const seen = new Set<string>()
  for (const { Key: key = '', Value: value = '' } of tags) {
    if (key === '') found.push('a tag without a key')
    if (lengthOf(key) > 128)
      found.push(`the key ${shortened(key)} has ${lengthOf(key)} characters of at most 128`)
    if (lengthOf(value) > 256)
      found.push(`the value of ${shortened(key)} has ${lengthOf(value)} characters of at most 256`)
    if (/^aws:/i.test(key)) found.push(`the key ${shortened(key)} starts with aws:, which is reserved by AWS`)
    if (seen.has(key)) found.push(`duplicate key ${shortened(key)}`)
    seen.add(key)
  }
  return found.map((what) => problem('REQUEST_TAGS_REFUSED', `EC2 would reject the tags: ${what}`))
}

function tag(key: string, value: string): Tag {
  return { Key: key, Value: value }
}

function lengthOf(text: string): number {
  return [...text].length
}

function shortened(text: string): string {
  return lengthOf(text) > 60 ? `"${[...text].slice(0, 57).join('')}..."` : `"${text}"`
}

// Values that only the cloud or this host knows: read at launch, shown as placeholders by a dry run.

/** Each is undefined until it has been queried. */
export interface AwsFacts {
  region?: string
  imageId?: string
  /** The image's root device, such as `/dev/xvda`. */
  rootDevice?: string
  /** `tag_value` when the file gives none: the master's instance id, or `determined-ai-determined`. */
  tagValue?: string
  /** The user data, base64 as the API requires it. */
  userData?: string
}

export type SettledFacts = Required<AwsFacts>

/** Facts, else the file's values, else a placeholder in `<>`; one warning names every placeholder but the user data. */
export function settleFacts(
  config: AwsConfig,
  facts: AwsFacts,
): { facts: SettledFacts; problems: Problem[] } {
  const unknown: string[] = []
  const orPlaceholder = (known: string | undefined, name: string, placeholder: string): string => {
    if (known !== undefined) return known
    unknown.push(`${name} ${placeholder}`)
    return placeholder
  }
  const settled: SettledFacts = {
    region: orPlaceholder(
      config.region ?? facts.region,
      'region',
      '<from AWS_REGION, the AWS profile or instance metadata>',
    ),
    imageId: orPlaceholder(facts.imageId ?? idOf(config.image), 'image', imagePlaceholder(config.image)),
    rootDevice: orPlaceholder(facts.rootDevice, 'root device', '<root device of the image>'),
    tagValue: orPlaceholder(
      config.tag_value ?? facts.tagValue,
      `tag ${config.tag_key}`,
      "<the master's EC2 instance id, or determined-ai-determined>",
    ),
    userData: facts.userData ?? '<user data, base64>',
  }
  if (!unknown.length) return { facts: settled, problems: [] }
  const message = `the request has values that are known only at AWS: ${unknown.join(', ')}`
  return { facts: settled, problems: [problem('REQUEST_UNKNOWN_OFFLINE', message, { details: { unknown } })] }
}

function idOf(image: AwsImage): string | undefined {
  return 'id' in image ? image.id : undefined
}

function imagePlaceholder(image: AwsImage): string {
  if ('ssm' in image) return `<image of the SSM parameter ${image.ssm}>`
  if ('owner' in image) return `<newest image ${image.name} of ${image.owner}>`
  return '<image>'
}
