// The image of a VM and its root device: queried, because images change and differ.
import { derivedName, type MetadataOptions } from '../../platform/index.ts'
import { ProvisionError, problem } from '../../problems/index.ts'
import { type Ownership, ownerTags } from '../contract.ts'
import { ownIdentity } from '../online-facts.ts'
import { type Ec2Api, type Image, type InstanceTypeInfo, pages } from './client.ts'
import { codeOf } from './errors.ts'
import { type AwsFacts, tagSpecifications } from './machine.ts'
import { ec2Metadata } from './metadata.ts'
import type { RegionShare } from './region.ts'
import { templatePrefix } from './request.ts'
import type { AwsConfig, AwsImage } from './rules.ts'

export interface ResolvedImage {
  imageId: string
  rootDevice: string
  /** Such as `x86_64`; undefined when EC2 does not report it. */
  architecture?: string
}

/** Throws PROVIDER_CONFIG when the image does not exist, and the SDK's errors. */
export async function resolveImage(
  api: Ec2Api,
  image: AwsImage,
  owner: Ownership,
  signal?: AbortSignal,
): Promise<ResolvedImage> {
  const found = await find(api, image, owner, signal)
  if (!found?.ImageId) throw refused(`image ${nameOf(image)} not found in this region`)
  // Instance-store images have none; EC2 has created no new ones for years.
  if (!found.RootDeviceName) throw refused(`image ${found.ImageId} has no root device`)
  const { ImageId: imageId, RootDeviceName: rootDevice, Architecture: architecture } = found
  return { imageId, rootDevice, ...(architecture ? { architecture } : {}) }
}

async function find(
  api: Ec2Api,
  image: AwsImage,
  owner: Ownership,
  signal?: AbortSignal,
): Promise<Image | undefined> {
  if ('owner' in image) return newest(api, image, signal)
  const id = 'ssm' in image ? await parameterValue(api, image.ssm, owner, signal) : image.id
  const { Images: [found] = [] } = await api.describeImages({ ImageIds: [id] }, signal)
  return found
}

async function newest(
  api: Ec2Api,
  { owner, name }: { owner: string; name: string },
  signal?: AbortSignal,
): Promise<Image | undefined> {
  const Filters = [
    { Name: 'name', Values: [name] },
    { Name: 'state', Values: ['available'] },
  ]
  let latest: Image | undefined
  const fetchPage = (token: string | undefined) =>
    api.describeImages({ Owners: [owner], Filters, ...(token ? { NextToken: token } : {}) }, signal)
  for await (const { Images = [] } of pages(fetchPage))
    for (const image of Images) if ((image.CreationDate ?? '') > (latest?.CreationDate ?? '')) latest = image
  return latest
}

/**
 * The image id in an SSM parameter, resolved by EC2, so that no SSM client is needed: a launch template may name the
 * parameter, and describing the template with ResolveAlias returns the id. The template is deleted right afterwards.
 */
async function parameterValue(
  api: Ec2Api,
  parameter: string,
  { clusterId, pool }: Ownership,
  signal?: AbortSignal,
): Promise<string> {
  const LaunchTemplateName = `${templatePrefix}-image-${derivedName(24, clusterId, pool, parameter)}`
  const ImageId = `resolve:ssm:${parameter}`
  const Tags = [
    { Key: ownerTags.cluster, Value: clusterId },
    { Key: ownerTags.pool, Value: pool },
  ]
  const TagSpecifications = tagSpecifications(Tags, ['launch-template'])
  try {
    await api.createLaunchTemplate(
      { LaunchTemplateName, LaunchTemplateData: { ImageId }, TagSpecifications },
      signal,
    )
  } catch (error) {
    // Left over from a crash: it has the same content.
    if (codeOf(error) !== 'InvalidLaunchTemplateName.AlreadyExistsException') throw error
  }
  try {
    const request = { LaunchTemplateName, Versions: ['$Latest'], ResolveAlias: true }
    const { LaunchTemplateVersions = [] } = await api.describeLaunchTemplateVersions(request, signal)
    const id = LaunchTemplateVersions[0]?.LaunchTemplateData?.ImageId
    if (!id?.startsWith('ami-')) throw refused(`the SSM parameter ${parameter} contains no image id`)
    return id
  } finally {
    await api.deleteLaunchTemplate({ LaunchTemplateName }).catch(() => undefined)
  }
}

function nameOf(image: AwsImage): string {
  if ('owner' in image) return `${image.name} of ${image.owner}`
  return 'ssm' in image ? `from the SSM parameter ${image.ssm}` : image.id
}

function refused(message: string): ProvisionError {
  const remedy = "Use an image in the pool's region that the account may use."
  return new ProvisionError(problem('PROVIDER_CONFIG', message, { remedy }))
}

// Facts that a launch needs and the file does not contain, and the slots of instance types: queried, and cached for a
// while.

export interface OnlineInput {
  api: Ec2Api
  config: AwsConfig
  owner: Ownership
  metadata: MetadataOptions
  images: RegionShare['images']
}

export type OnlineFacts = (signal?: AbortSignal) => Promise<AwsFacts>

export function onlineFacts({ api, config, owner, metadata, images }: OnlineInput): OnlineFacts {
  const { image } = config
  const ask = (signal?: AbortSignal) => resolveImage(api, image, owner, signal)
  const ownInstanceId = ownIdentity(() => ec2Metadata(metadata).get('instance-id'))
  return async (signal) => {
    const facts = await images(JSON.stringify(image), ask, signal)
    return config.tag_value === undefined ? { ...facts, tagValue: await ownInstanceId() } : facts
  }
}

export interface TypeFacts {
  /** NVIDIA GPUs, which the agent's image can use; else one CPU slot if `cpu_slots_allowed`. */
  slots: number
  /** Architectures of the images it can run; empty when EC2 does not report them. */
  architectures: string[]
  /** Whether a cluster placement group can hold it; undefined when EC2 does not report it. */
  clusterGroups?: boolean
}

/** undefined for a type that EC2 does not have in this region. */
export async function typeFacts(
  api: Ec2Api,
  instanceType: string,
  cpuSlotsAllowed: boolean,
  signal?: AbortSignal,
): Promise<TypeFacts | undefined> {
  try {
    const InstanceTypes = [instanceType as NonNullable<InstanceTypeInfo['InstanceType']>]
    const { InstanceTypes: [type] = [] } = await api.describeInstanceTypes({ InstanceTypes }, signal)
    if (!type) return undefined
    const architectures = type.ProcessorInfo?.SupportedArchitectures ?? []
    const strategies = type.PlacementGroupInfo?.SupportedStrategies
    return {
      slots: gpusOf(type) || (cpuSlotsAllowed ? 1 : 0),
      architectures,
      ...(strategies ? { clusterGroups: strategies.includes('cluster') } : {}),
    }
  } catch (error) {
    if (['InvalidInstanceType', 'InvalidParameterValue'].includes(codeOf(error))) return undefined
    throw error
  }
}

function gpusOf({ GpuInfo }: InstanceTypeInfo): number {
  const nvidia = (GpuInfo?.Gpus ?? []).filter(({ Manufacturer }) => Manufacturer === 'NVIDIA')
  return nvidia.reduce((sum, { Count = 0 }) => sum + Count, 0)
}
