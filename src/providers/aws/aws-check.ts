// `provision check` of a pool on EC2: with the region and the request a launch would have.
import { randomUUID } from 'node:crypto'
import type { Offering } from '../../planner/instance.ts'
import type { MetadataOptions } from '../../platform/metadata-server.ts'
import type { CheckItem, ProviderContext } from '../contract.ts'
import type { AwsConfig } from './aws-config.ts'
import { checkPool } from './check.ts'
import { ec2Client, regionOfSdk } from './client.ts'
import type { ResolvedImage } from './image.ts'
import { notOnEc2 } from './online-facts.ts'
import { regionOf } from './region.ts'
import { awsLaunch } from './request.ts'

/** Throws PROVIDER_CONFIG when no region is known. */
export async function check(
  context: ProviderContext,
  offerings: Offering[],
  signal?: AbortSignal,
): Promise<CheckItem[]> {
  const config = context.config as AwsConfig
  const { owner, master } = context
  const metadata: MetadataOptions = { fetch: globalThis.fetch, clock: context.clock, env: context.env }
  const region = await regionOf(config.region, regionOfSdk, metadata)
  const api = ec2Client(region)
  const intent = { id: randomUUID(), count: 1, offerings }
  const tagValue = config.tag_value ?? notOnEc2
  try {
    const prepare = (image: ResolvedImage) =>
      awsLaunch({ config, owner, setup: { master }, intent }, { ...image, region, tagValue, userData: '' })
    return [{ what: `region ${region}` }, ...(await checkPool({ api, config, owner, prepare }, signal))]
  } finally {
    api.close()
  }
}
