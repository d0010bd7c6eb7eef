// What a launch has to know that the file does not say, and the slots of machine types: asked for, and kept for a while.
import type { Clock, MetadataOptions } from '../../platform/index.ts'
import { keptAnswer, ownIdentity } from '../online-facts.ts'
import type { GceApi, MachineType } from './client.ts'
import { codeOf } from './errors.ts'
import { lastPart } from './instances.ts'
import { familyOf } from './machine-types.ts'
import { gceMetadata } from './metadata-client.ts'
import type { GcpFacts } from './properties.ts'
import { type Place, regionOf } from './request.ts'
import type { GcpConfig } from './rules.ts'

/** Regions get a new zone once in years. */
const zonesKeptMs = 3_600_000

export interface OnlineInput {
  api: GceApi
  config: GcpConfig
  place: Place
  clock: Clock
  metadata: MetadataOptions
}

export type OnlineFacts = (signal?: AbortSignal) => Promise<GcpFacts>

export function onlineFacts({ api, config, place, clock, metadata }: OnlineInput): OnlineFacts {
  const zonesOfRegion = keptAnswer(clock, zonesKeptMs, async (signal) => {
    const region = regionOf(place.zone)
    const { zones = [] } = await api.getRegion({ project: place.project, region }, signal)
    return zones.map(lastPart)
  })
  // As Determined's provisioner cuts it: 30 characters, without a hyphen at the end.
  const ownName = ownIdentity(async () =>
    (await gceMetadata(metadata).get('name'))?.slice(0, 30).replace(/-$/, ''),
  )
  return async (signal) => {
    const needsIdentity = config.label_value === undefined || config.name_prefix === undefined
    return {
      ...place,
      ...(needsIdentity ? { identity: await ownName() } : {}),
      // Only a launch in several zones has to name those it may not use.
      ...(config.zones.length > 1 ? { zones: await zonesOfRegion(signal) } : {}),
    }
  }
}

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
