// Slots of an instance type, as EC2 describes it.
import type { InstanceTypeInfo } from '@aws-sdk/client-ec2'
import type { Ec2Api } from './ec2-api.ts'
import { codeOf } from './errors.ts'

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
