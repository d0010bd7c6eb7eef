// Project and zone of a pool: the file, Google's environment variables, else those of the VM this runs on.

import type { MetadataOptions } from '../../platform/metadata-server.ts'
import { ProvisionError, problem } from '../../problems/problem.ts'
import type { GcpConfig } from './gcp-config.ts'
import { type GceValue, gceMetadata } from './metadata-client.ts'

export interface Place {
  project: string
  /** Of launches that name none, and of questions about machine types. */
  zone: string
}

/** Throws PROVIDER_CONFIG when one of them is known to nobody. */
export async function placeOf(config: GcpConfig, metadata: MetadataOptions): Promise<Place> {
  const { env } = metadata
  return {
    project:
      config.project ??
      (env['GOOGLE_CLOUD_PROJECT'] || undefined) ??
      (await here('project', 'GOOGLE_CLOUD_PROJECT', metadata)),
    zone:
      config.zones[0] ??
      config.zone ??
      (env['CLOUDSDK_COMPUTE_ZONE'] || undefined) ??
      (await here('zone', 'CLOUDSDK_COMPUTE_ZONE', metadata)),
  }
}

async function here(value: GceValue, variable: string, metadata: MetadataOptions): Promise<string> {
  let why: string | undefined
  try {
    const known = await gceMetadata(metadata).get(value)
    if (known) return known
  } catch (error) {
    if (!(error instanceof ProvisionError)) throw error
    why = error.problems[0]?.message
  }
  const message = `no Google Cloud ${value} is known: none is configured, and this machine is not on Compute Engine`
  throw new ProvisionError(
    problem('PROVIDER_CONFIG', message, {
      remedy: `Set \`${value}\` in the pool's provider block, or ${variable}.`,
      ...(why ? { details: { why } } : {}),
    }),
  )
}
