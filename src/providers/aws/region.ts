// Where the pool's VMs are: the file, AWS's environment variables or profile, else the region this machine is in.

import type { MetadataOptions } from '../../platform/metadata-server.ts'
import { ProvisionError, problem } from '../../problems/problem.ts'
import { ec2Metadata } from './metadata.ts'

/** `ofSdk` is what the SDK finds by itself; AWS_DEFAULT_REGION is the name the origin and the AWS CLI read. */
export async function regionOf(
  configured: string | undefined,
  ofSdk: () => Promise<string | undefined>,
  metadata: MetadataOptions,
): Promise<string> {
  const known = configured ?? (await ofSdk()) ?? metadata.env['AWS_DEFAULT_REGION']
  if (known) return known
  try {
    const here = await ec2Metadata(metadata).get('placement/region')
    if (here) return here
  } catch (error) {
    if (!(error instanceof ProvisionError)) throw error
  }
  throw new ProvisionError(
    problem('PROVIDER_CONFIG', 'no AWS region is known: none is configured, and this machine is not on EC2', {
      remedy: "Set `region` in the pool's provider block, or AWS_REGION.",
    }),
  )
}
