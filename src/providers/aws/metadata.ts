// The EC2 instance metadata service, version 2: a session token first, then values.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html

import { askMetadata, type MetadataOptions, neededValue, unavailable } from '../../platform/index.ts'
import { ProvisionError, problem } from '../../problems/index.ts'

/** Values that may be the host in `master_url` (Determined: provconfig/config.go), and the kind of each. */
export const ec2HostAliases = {
  'local-ipv4': 'address',
  'public-ipv4': 'address',
  'local-hostname': 'name',
  'public-hostname': 'name',
} as const

export type Ec2Value =
  | 'instance-id'
  | 'placement/region'
  | 'placement/availability-zone'
  | keyof typeof ec2HostAliases

export interface Ec2Metadata {
  /** undefined when the instance has no such value (a public address, for instance). */
  get(value: Ec2Value): Promise<string | undefined>
}

const tokenSeconds = 21_600

/** `get` throws CLOUD_METADATA_UNAVAILABLE when this host is not an EC2 instance, or the service is off. */
export function ec2Metadata(options: MetadataOptions): Ec2Metadata {
  const base = baseUrl(options.env)
  let token: Promise<string> | undefined

  async function fetchToken(): Promise<string> {
    const url = `${base}/latest/api/token`
    const headers = { 'x-aws-ec2-metadata-token-ttl-seconds': String(tokenSeconds) }
    const { status, text } = await askMetadata(options, { url, method: 'PUT', headers })
    if (status !== 200 || !text)
      throw new ProvisionError(unavailable(url, `HTTP ${status} instead of a token`))
    return text
  }

  /** A refused token is replaced once: it may have expired, or be from before a restart. */
  async function read(url: string, fresh: boolean) {
    token ??= fetchToken()
    const headers = { 'x-aws-ec2-metadata-token': await token.catch(forget) }
    const answer = await askMetadata(options, { url, headers })
    if (answer.status !== 401 || fresh) return answer
    token = undefined
    return read(url, true)
  }

  function forget(error: unknown): never {
    token = undefined
    throw error
  }

  return {
    async get(value) {
      const url = `${base}/latest/meta-data/${value}`
      if (options.env['AWS_EC2_METADATA_DISABLED']?.toLowerCase() === 'true')
        throw new ProvisionError(unavailable(url, 'AWS_EC2_METADATA_DISABLED is true'))
      const { status, text } = await read(url, false)
      if (status === 404) return undefined
      if (status !== 200) throw new ProvisionError(unavailable(url, `HTTP ${status}`))
      return text.trim() || undefined
    },
  }
}

/**
 * The environment variables of AWS's SDKs (https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-client.html).
 */
function baseUrl(env: MetadataOptions['env']): string {
  const given = env['AWS_EC2_METADATA_SERVICE_ENDPOINT']
  if (given) return given.replace(/\/+$/, '')
  const ipv6 = env['AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE']?.toLowerCase() === 'ipv6'
  return ipv6 ? 'http://[fd00:ec2::254]' : 'http://169.254.169.254'
}

export function isEc2HostAlias(host: string): host is keyof typeof ec2HostAliases {
  return Object.hasOwn(ec2HostAliases, host)
}

// The host that the provisioner runs on.

export interface MachineOnAws {
  instanceId: string
  region: string
  zone: string
}

/** Throws CLOUD_METADATA_UNAVAILABLE when this host is not on EC2. */
export async function machineOnAws(options: MetadataOptions): Promise<MachineOnAws> {
  const metadata = ec2Metadata(options)
  const [instanceId, region, zone] = await Promise.all([
    neededValue('instance id', metadata.get('instance-id')),
    neededValue('region', metadata.get('placement/region')),
    neededValue('zone', metadata.get('placement/availability-zone')),
  ])
  return { instanceId, region, zone }
}

/** `ofSdk` is the region the SDK finds; Determined's provisioner and the AWS CLI read AWS_DEFAULT_REGION. */
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
    problem('PROVIDER_CONFIG', 'no AWS region: none is configured, and this machine is not on EC2', {
      remedy: "Set `region` in the pool's provider block, or AWS_REGION.",
    }),
  )
}
