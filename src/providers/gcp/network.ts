// The network interfaces, the network tags and the service account of a VM.

import type { NetworkInterface } from './compute-types.ts'
import type { GcpConfig } from './gcp-config.ts'

const external = { name: 'External NAT', type: 'ONE_TO_ONE_NAT', networkTier: 'PREMIUM' }

/**
 * The pool's interface after those of `base_config`; GCE's default network when there is none at all. `external_ip`
 * without a network gives the first interface an address.
 */
export function interfacesOf(
  { network_interface }: GcpConfig,
  region: string,
  base: NetworkInterface[],
): NetworkInterface[] {
  const { network, subnetwork, external_ip } = network_interface
  const access = external_ip ? { accessConfigs: [external] } : {}
  if (network || subnetwork)
    return [
      ...base,
      {
        ...(network ? { network: pathOf('global/networks', network) } : {}),
        ...(subnetwork ? { subnetwork: pathOf(`regions/${region}/subnetworks`, subnetwork) } : {}),
        ...access,
      },
    ]
  const [first, ...others] = base
  if (!first) return [{ network: 'global/networks/default', ...access }]
  return first.accessConfigs?.length ? base : [{ ...first, ...access }, ...others]
}

/** The API wants URLs or parts of them; a bare name is a part of none. */
function pathOf(collection: string, name: string): string {
  return name.includes('/') ? name : `${collection}/${name}`
}

export function networkTagsOf({ network_tags }: GcpConfig, base: string[]): string[] {
  return [...new Set([...base, ...network_tags])]
}

/** The pool's account; without one, what `base_config` says. */
export function serviceAccountsOf<T>({ service_account }: GcpConfig, base: T) {
  const { email, scopes } = service_account
  return email ? [{ email, scopes }] : base
}
