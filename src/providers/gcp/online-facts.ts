// What a launch has to know that the file does not say: asked for once, and anew when it may have changed.

import { limit } from '../../platform/limit.ts'
import type { MetadataOptions } from '../../platform/metadata-server.ts'
import type { Clock } from '../../platform/ports.ts'
import type { GcpFacts } from './facts.ts'
import type { GceApi } from './gce-api.ts'
import type { GcpConfig } from './gcp-config.ts'
import { lastPart } from './instances.ts'
import { regionOf } from './launch-steps.ts'
import { gceMetadata } from './metadata-client.ts'
import type { Place } from './place.ts'

/** The origin's word for a master that is not on Compute Engine (origin: provconfig/gcp_config.go). */
const notOnGce = 'determined-ai-determined'

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
  const oneQuestion = limit(1)
  let zones: { names: string[]; at: number } | undefined
  let identity: Promise<string> | undefined

  /** Only a launch in several zones has to name those it may not use. */
  async function zonesOfRegion(signal?: AbortSignal): Promise<string[]> {
    if (zones && clock.now() - zones.at < zonesKeptMs) return zones.names
    const region = regionOf(place.zone)
    const answer = await api.getRegion({ project: place.project, region }, signal)
    zones = { names: (answer.zones ?? []).map(lastPart), at: clock.now() }
    return zones.names
  }

  /** The name of the VM this runs on, as the origin cuts it: 30 characters, without a hyphen at the end. */
  function ownName(): Promise<string> {
    identity ??= gceMetadata(metadata)
      .get('name')
      .then(
        (name) => name?.slice(0, 30).replace(/-$/, '') || notOnGce,
        () => notOnGce,
      )
    return identity
  }

  return async (signal) => {
    const needsIdentity = config.label_value === undefined || config.name_prefix === undefined
    return {
      ...place,
      ...(needsIdentity ? { identity: await ownName() } : {}),
      ...(config.zones.length > 1 ? { zones: await oneQuestion(() => zonesOfRegion(signal)) } : {}),
    }
  }
}
