// Slots of a machine type: the GPUs it brings, or those the pool attaches to it.

import type { GceApi, MachineType } from './gce-api.ts'
import { codeOf } from './gce-failure.ts'
import type { GcpConfig } from './gcp-config.ts'
import { familyOf } from './machine-type.ts'

/** GPUs, else the one CPU slot where it is allowed; undefined for a type the zone does not have. */
export async function slotsOf(
  api: GceApi,
  config: GcpConfig,
  place: { project: string; zone: string; machineType: string },
  signal?: AbortSignal,
): Promise<number | undefined> {
  try {
    const type = await api.getMachineType(place, signal)
    return gpusOf(config, place.machineType, type) || (config.cpu_slots_allowed ? 1 : 0)
  } catch (error) {
    // A name that cannot be one is `invalid`.
    if (['notFound', 'invalid'].includes(codeOf(error))) return undefined
    throw error
  }
}

/** GPUs a machine of the type has in this pool. */
export function gpusOf(
  { instance_type }: GcpConfig,
  name: string,
  { accelerators = [] }: MachineType,
): number {
  const attached = familyOf(name).gpus === 'attached' && instance_type.gpu_type ? instance_type.gpu_num : 0
  return accelerators.reduce((sum, { guestAcceleratorCount = 0 }) => sum + guestAcceleratorCount, attached)
}
