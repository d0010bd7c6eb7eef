// What the cloud says about the machine this program runs on: who it is, where, and how agents can reach it.
import { hostAliases } from '../pki/trust-plan.ts'
import type { MetadataOptions } from '../platform/metadata-server.ts'
import { ProvisionError, problem } from '../problems/problem.ts'
import { ec2Metadata } from './aws/metadata.ts'
import { gceMetadata } from './gcp/metadata-client.ts'

export interface MachineOnAws {
  instanceId: string
  region: string
  zone: string
}

export interface MachineOnGcp {
  project: string
  /** Name of the instance. */
  name: string
  zone: string
}

/** Throws CLOUD_METADATA_UNAVAILABLE where this machine is not on EC2. */
export async function machineOnAws(options: MetadataOptions): Promise<MachineOnAws> {
  const metadata = ec2Metadata(options)
  const [instanceId, region, zone] = await Promise.all([
    needed('instance id', metadata.get('instance-id')),
    needed('region', metadata.get('placement/region')),
    needed('zone', metadata.get('placement/availability-zone')),
  ])
  return { instanceId, region, zone }
}

/** Throws CLOUD_METADATA_UNAVAILABLE where this machine is not on Compute Engine. */
export async function machineOnGcp(options: MetadataOptions): Promise<MachineOnGcp> {
  const metadata = gceMetadata(options)
  const [project, name, zone] = await Promise.all([
    needed('project', metadata.get('project')),
    needed('name', metadata.get('name')),
    needed('zone', metadata.get('zone')),
  ])
  return { project, name, zone }
}

/**
 * The address behind a host alias such as `local-ipv4`; any other host comes back as it is, without a request
 * (origin: provconfig/config.go). Throws CLOUD_METADATA_UNAVAILABLE when this machine is not on the alias's cloud, or
 * has no such address: agents can dial no alias.
 */
export async function resolveHost(host: string, options: MetadataOptions): Promise<string> {
  const ec2 = hostAliases.aws.find((alias) => alias === host)
  if (ec2) return needed(host, ec2Metadata(options).get(ec2))
  const gce = hostAliases.gcp.find((alias) => alias === host)
  return gce ? needed(host, gceMetadata(options).get(gce)) : host
}

async function needed(name: string, value: Promise<string | undefined>): Promise<string> {
  const known = await value
  if (known !== undefined) return known
  throw new ProvisionError(
    problem('CLOUD_METADATA_UNAVAILABLE', `the metadata server knows no ${name} of this machine`),
  )
}
