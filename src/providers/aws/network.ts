// The network interfaces of an instance, and EFA: one interface for each network card of its type.
import { entryKeys } from './base-config.ts'

/** The keys of a pool that decide the interfaces. */
export interface NetworkKeys {
  network_interface: {
    public_ip?: boolean
    security_group_id?: string
    security_group_ids?: readonly string[]
    efa?: boolean | number
    ipv6?: boolean
  }
  base_config: Record<string, unknown>
}

/**
 * The interfaces of an instance of this type, without `base_config`. The first is the primary one; with EFA, one for each
 * network card, of which only the first has device index 0
 * (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa-acc-inst-types.html).
 */
export function networkInterfaces(config: NetworkKeys, type: string) {
  const { public_ip = true, ipv6, efa } = config.network_interface
  const groups = groupsOf(config)
  const shared = { DeleteOnTermination: true, ...(groups.length ? { Groups: groups } : {}) }
  const primary = {
    DeviceIndex: 0,
    // EC2 refuses a launch that says so for several interfaces.
    ...(interfaceCount(config, type) > 1 ? {} : { AssociatePublicIpAddress: public_ip }),
    ...shared,
    ...(ipv6 ? { Ipv6AddressCount: 1 } : {}),
  }
  if (!efa) return [primary]
  return Array.from({ length: efaCount(config, type) }, (_, card) => ({
    ...(card === 0 ? primary : { DeviceIndex: 1, ...shared }),
    InterfaceType: 'efa',
    NetworkCardIndex: card,
  }))
}

/** Security groups of every interface; empty: the default group of the VPC. */
export function groupsOf({ network_interface }: Pick<NetworkKeys, 'network_interface'>): string[] {
  const { security_group_id, security_group_ids = [] } = network_interface
  return security_group_id ? [security_group_id, ...security_group_ids] : [...security_group_ids]
}

/** How many interfaces an instance of this type is launched with, `base_config` included. */
export function interfaceCount(config: NetworkKeys, type: string): number {
  const { NetworkInterfaces: added } = config.base_config
  const cards = Array.from({ length: efaCount(config, type) }, (_, card) => ({
    NetworkCardIndex: card,
    DeviceIndex: card === 0 ? 0 : 1,
  }))
  const all: object[] = [{}, ...cards, ...(Array.isArray(added) ? added : [])]
  return new Set(all.map((one) => entryKeys.NetworkInterfaces({ ...one }))).size
}

/** EFA interfaces that the pool requests for this type; 0 without `efa`. */
export function efaCount(
  { network_interface: { efa } }: Pick<NetworkKeys, 'network_interface'>,
  type: string,
) {
  return efa === true ? (efaInterfaces(type) ?? 0) : efa || 0
}

/**
 * EFA interfaces of the types that have them, in the families of the table. A dry run needs no cloud. Not listed is p6-b300:
 * its first network card has no EFA.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa.html#efa-instance-types
 */
const efaSizes: Record<string, Record<string, number>> = {
  p3: {},
  p3dn: { '24xlarge': 1 },
  p4d: { '24xlarge': 4 },
  p4de: { '24xlarge': 4 },
  p5: { '4xlarge': 1, '48xlarge': 32 },
  p5e: { '48xlarge': 32 },
  p5en: { '48xlarge': 16 },
  'p6-b200': { '48xlarge': 8 },
  g4dn: { '8xlarge': 1, '12xlarge': 1, '16xlarge': 1, metal: 1 },
  g5: { '8xlarge': 1, '12xlarge': 1, '16xlarge': 1, '24xlarge': 1, '48xlarge': 1 },
  g6: { '8xlarge': 1, '12xlarge': 1, '16xlarge': 1, '24xlarge': 1, '48xlarge': 1 },
  g6e: { '8xlarge': 1, '12xlarge': 1, '16xlarge': 1, '24xlarge': 2, '48xlarge': 4 },
  gr6: { '8xlarge': 1 },
  g7e: { '8xlarge': 1, '12xlarge': 1, '24xlarge': 2, '48xlarge': 4 },
  hpc6a: { '48xlarge': 1 },
  hpc6id: { '32xlarge': 2 },
  hpc7a: { '12xlarge': 2, '24xlarge': 2, '48xlarge': 2, '96xlarge': 2 },
  hpc7g: { '4xlarge': 1, '8xlarge': 1, '16xlarge': 1 },
}

/** 0 for a size without EFA; undefined for a family that is not in the table. */
export function efaInterfaces(type: string): number | undefined {
  const [family = '', size = ''] = type.split('.')
  if (!Object.hasOwn(efaSizes, family)) return undefined
  return efaSizes[family]?.[size] ?? 0
}

/** The sizes with EFA of a type's family, for suggestions. */
export function efaSizesLike(type: string): string[] {
  const [family = ''] = type.split('.')
  return Object.keys(efaSizes[family] ?? {}).map((size) => `${family}.${size}`)
}
