// The Compute Engine metadata server.
// https://cloud.google.com/compute/docs/metadata/querying-metadata

import { askMetadata, type MetadataOptions, neededValue, unavailable } from '../../platform/index.ts'
import { ProvisionError } from '../../problems/index.ts'

/** Values that may be the host in `master_url` (Determined: provconfig/config.go), and the kind of each. */
export const gceHostAliases = { 'internal-ip': 'address', 'external-ip': 'address' } as const

export function isGceHostAlias(host: string): host is keyof typeof gceHostAliases {
  return Object.hasOwn(gceHostAliases, host)
}

const paths = {
  project: 'project/project-id',
  name: 'instance/name',
  zone: 'instance/zone',
  'internal-ip': 'instance/network-interfaces/0/ip',
  'external-ip': 'instance/network-interfaces/0/access-configs/0/external-ip',
} as const

export type GceValue = keyof typeof paths

export interface GceMetadata {
  /** undefined when the instance has no such value. The zone comes without its path: `us-central1-a`. */
  get(value: GceValue): Promise<string | undefined>
}

/** `get` throws CLOUD_METADATA_UNAVAILABLE when this host is not a Compute Engine instance. */
export function gceMetadata(options: MetadataOptions): GceMetadata {
  const base = baseUrl(options.env)
  return {
    async get(value) {
      const url = `${base}/computeMetadata/v1/${paths[value]}`
      const { status, text, headers } = await askMetadata(options, {
        url,
        headers: { 'Metadata-Flavor': 'Google' },
      })
      // Google's server sets this header in its responses; a proxy or a portal does not.
      if (headers.get('metadata-flavor') !== 'Google')
        throw new ProvisionError(unavailable(url, 'the response is not from the metadata server'))
      if (status === 404) return undefined
      if (status !== 200) throw new ProvisionError(unavailable(url, `HTTP ${status}`))
      return text.trim().split('/').at(-1) || undefined
    },
  }
}

/**
 * The environment variables of Google's clients; the address rather than the name, which does not resolve off the
 * cloud.
 */
function baseUrl(env: MetadataOptions['env']): string {
  const host = env['GCE_METADATA_HOST'] || env['GCE_METADATA_IP'] || '169.254.169.254'
  return /^https?:\/\//.test(host) ? host.replace(/\/+$/, '') : `http://${host}`
}

// The host that the provisioner runs on.

export interface MachineOnGcp {
  project: string
  /** Name of the instance. */
  name: string
  zone: string
}

/** Throws CLOUD_METADATA_UNAVAILABLE when this host is not on Compute Engine. */
export async function machineOnGcp(options: MetadataOptions): Promise<MachineOnGcp> {
  const metadata = gceMetadata(options)
  const [project, name, zone] = await Promise.all([
    neededValue('project', metadata.get('project')),
    neededValue('name', metadata.get('name')),
    neededValue('zone', metadata.get('zone')),
  ])
  return { project, name, zone }
}
