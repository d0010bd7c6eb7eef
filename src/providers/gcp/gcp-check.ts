// `provision check` of a pool on Compute Engine: with the project and zone a launch would have.

import type { Offering } from '../../planner/instance.ts'
import type { MetadataOptions } from '../../platform/metadata-server.ts'
import type { CheckItem, ProviderContext } from '../contract.ts'
import { checkPool } from './check.ts'
import { gceClient } from './client.ts'
import { googleAuth } from './compute-package.ts'
import { applicationDefault } from './credentials.ts'
import { endpointsOf } from './endpoint.ts'
import type { GcpConfig } from './gcp-config.ts'
import { placeOf } from './place.ts'
import { transport } from './transport.ts'

/** Throws PROVIDER_CONFIG when no project or zone is known. */
export async function check(
  context: ProviderContext,
  offerings: Offering[],
  signal?: AbortSignal,
): Promise<CheckItem[]> {
  const { clock, env } = context
  const config = context.config as GcpConfig
  const metadata: MetadataOptions = { fetch: globalThis.fetch, clock, env }
  const place = await placeOf(config, metadata)
  const endpoints = endpointsOf(env)
  const send = transport({
    credentials: applicationDefault(googleAuth(place.project)),
    fetch: globalThis.fetch,
  })
  const api = gceClient({ endpoints, send, clock })
  try {
    return await checkPool({ api, config, place, offerings, signal })
  } finally {
    api.close()
  }
}
