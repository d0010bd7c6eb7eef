// What a launch has to know that the file does not say, and the slots of instance types: asked for, and kept for a while.

import type { MetadataOptions } from '../../platform/metadata-server.ts'
import type { Clock } from '../../platform/ports.ts'
import type { Ownership } from '../contract.ts'
import { keptAnswer, ownIdentity } from '../online-facts.ts'
import type { Ec2Api, InstanceTypeInfo } from './client.ts'
import { codeOf } from './errors.ts'
import { resolveImage } from './image.ts'
import type { AwsFacts } from './machine.ts'
import { ec2Metadata } from './metadata.ts'
import type { AwsConfig } from './rules.ts'

/** A newer image is used after this. */
const imageKeptMs = 600_000

export interface OnlineInput {
  api: Ec2Api
  config: AwsConfig
  owner: Ownership
  clock: Clock
  metadata: MetadataOptions
}

export type OnlineFacts = (signal?: AbortSignal) => Promise<AwsFacts>

export function onlineFacts({ api, config, owner, clock, metadata }: OnlineInput): OnlineFacts {
  const image = keptAnswer(clock, imageKeptMs, (signal) => resolveImage(api, config.image, owner, signal))
  const ownInstanceId = ownIdentity(() => ec2Metadata(metadata).get('instance-id'))
  return async (signal) => {
    const facts = await image(signal)
    return config.tag_value === undefined ? { ...facts, tagValue: await ownInstanceId() } : facts
  }
}

/** NVIDIA GPUs, which the agent's image can use; else the one CPU slot where it is allowed. Unknown types: undefined. */
export async function slotsOf(
  api: Ec2Api,
  instanceType: string,
  cpuSlotsAllowed: boolean,
  signal?: AbortSignal,
): Promise<number | undefined> {
  try {
    const InstanceTypes = [instanceType as NonNullable<InstanceTypeInfo['InstanceType']>]
    const { InstanceTypes: [type] = [] } = await api.describeInstanceTypes({ InstanceTypes }, signal)
    if (!type) return undefined
    return gpusOf(type) || (cpuSlotsAllowed ? 1 : 0)
  } catch (error) {
    if (['InvalidInstanceType', 'InvalidParameterValue'].includes(codeOf(error))) return undefined
    throw error
  }
}

function gpusOf({ GpuInfo }: InstanceTypeInfo): number {
  const nvidia = (GpuInfo?.Gpus ?? []).filter(({ Manufacturer }) => Manufacturer === 'NVIDIA')
  return nvidia.reduce((sum, { Count = 0 }) => sum + Count, 0)
}
