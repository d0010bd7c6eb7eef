// The minimal role for the pools of a configuration: `provision check --print-iam-policy`.
// https://cloud.google.com/compute/docs/access/iam-permissions
import type { Disk, InstanceProperties, NetworkInterface } from './base-config.ts'
import type { GcpConfig } from './rules.ts'

/** As `gcloud iam roles create ID --project P --file FILE` takes it. */
export interface Role {
  title: string
  description: string
  stage: 'GA'
  includedPermissions: string[]
}

/** Permissions on the project, and their purpose. */
const alwaysNeeded = {
  'compute.instances.create': 'to launch instances',
  'compute.instances.delete': 'to terminate instances',
  'compute.instances.get': 'to read an instance',
  'compute.instances.getSerialPortOutput': 'to read the boot stage of an instance that did not join',
  'compute.instances.list': 'to list instances',
  'compute.instances.setLabels': 'to tag what is launched',
  'compute.instances.setMetadata': 'to set the startup script of instances',
  'compute.subnetworks.use': 'to attach instances to a network',
  'compute.zoneOperations.get': 'to follow a launch in one zone',
  'compute.zoneOperations.list': 'to know why an instance was not created, or was preempted',
  'compute.machineTypes.get': 'to know the slots of a machine type',
  'compute.regions.get': 'to know the zones and quotas of the region',
  'compute.zones.list': 'to list instances in every zone',
  'compute.projects.get': 'to check quotas',
} as const

type When = (pool: GcpConfig) => boolean

/** Keys of the pool, and values of `base_config`, that need further permissions. */
const conditionallyNeeded: [permission: string, why: string, when: When][] = [
  ['compute.regionOperations.get', 'to follow a launch in several zones', ({ zones }) => zones.length > 1],
  [
    'compute.acceleratorTypes.get',
    'to check attached GPUs',
    ({ instance_type }) => instance_type.gpu_type !== '' && instance_type.gpu_num > 0,
  ],
  [
    'compute.images.get',
    'to check the image',
    ({ boot_disk_source_image: image }) => image !== '' && !/\/family\//.test(image),
  ],
  [
    'compute.images.getFromFamily',
    'to check the image family, and to know its newest image',
    ({ boot_disk_source_image }) => /\/family\//.test(boot_disk_source_image),
  ],
  [
    'compute.disks.create',
    'to create disks for instances',
    (pool) => pool.boot_disk_source_image !== '' || disksOf(pool).some(({ source }) => !source),
  ],
  [
    'compute.images.useReadOnly',
    'to create disks from an image',
    (pool) => pool.boot_disk_source_image !== '' || madeFrom(pool, 'sourceImage'),
  ],
  [
    'compute.snapshots.useReadOnly',
    'to create disks from a snapshot',
    (pool) => madeFrom(pool, 'sourceSnapshot'),
  ],
  [
    'compute.disks.use',
    'to attach an existing disk',
    (pool) => disksOf(pool).some(({ source, mode }) => source && mode !== 'READ_ONLY'),
  ],
  [
    'compute.disks.useReadOnly',
    'to attach an existing disk read-only',
    (pool) => disksOf(pool).some(({ source, mode }) => source && mode === 'READ_ONLY'),
  ],
  ['compute.disks.setLabels', 'to label disks', (pool) => madeFrom(pool, 'labels')],
  [
    'compute.networks.get',
    'to check the network',
    (pool) => pool.network_interface.network !== '' || !interfacesOf(pool).length,
  ],
  [
    'compute.subnetworks.get',
    'to check the subnetwork',
    ({ network_interface }) => network_interface.subnetwork !== '',
  ],
  [
    'compute.subnetworks.useExternalIp',
    'to assign an external address to instances',
    (pool) =>
      pool.network_interface.external_ip ||
      interfacesOf(pool).some((one) => accessOf(one).length > 0 || isList(one['ipv6AccessConfigs'])),
  ],
  [
    'compute.addresses.use',
    'to assign a reserved external address to instances',
    (pool) => interfacesOf(pool).some((one) => accessOf(one).some(({ natIP }) => natIP)),
  ],
  [
    'compute.instances.setServiceAccount',
    'to attach a service account to instances',
    (pool) => pool.service_account.email !== '' || isList(baseOf(pool).serviceAccounts),
  ],
  [
    'compute.instances.setTags',
    'to set network tags on instances',
    (pool) => pool.network_tags.length > 0 || isList(baseOf(pool).tags?.items),
  ],
  [
    'compute.resourcePolicies.use',
    'to apply a resource policy to instances',
    (pool) => isList(baseOf(pool)['resourcePolicies']) || madeFrom(pool, 'resourcePolicies'),
  ],
]

/** The types of all fields were checked when the file was read. */
function baseOf({ base_config }: GcpConfig): InstanceProperties {
  return base_config
}

/** The disks of `base_config` that are sent: the pool's image replaces its boot disk. */
function disksOf(pool: GcpConfig): Disk[] {
  const disks = baseOf(pool).disks ?? []
  return pool.boot_disk_source_image ? disks.filter(({ boot }) => !boot) : disks
}

function madeFrom(pool: GcpConfig, field: string): boolean {
  return disksOf(pool).some(({ initializeParams = {} }) => Object.hasOwn(initializeParams, field))
}

function interfacesOf(pool: GcpConfig): NetworkInterface[] {
  return baseOf(pool).networkInterfaces ?? []
}

function accessOf({ accessConfigs = [] }: NetworkInterface): { natIP?: string }[] {
  return accessConfigs
}

function isList(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0
}

/** Permissions and their purpose, as far as these pools need them. */
export function permissionsOf(pools: readonly GcpConfig[]): Map<string, string> {
  const requested = conditionallyNeeded.filter(([, , when]) => pools.some(when))
  return new Map([
    ...Object.entries(alwaysNeeded),
    ...requested.map(([permission, why]): [string, string] => [permission, why]),
  ])
}

/**
 * A role for the project of the pools. It does not contain `iam.serviceAccounts.actAs`, which would apply to every service
 * account of the project: roles/iam.serviceAccountUser should be granted on the VMs' own account only.
 */
export function leastRole(pools: readonly GcpConfig[]): Role {
  return {
    title: 'Agent provisioner',
    description: 'Launches and terminates agent instances on Compute Engine',
    stage: 'GA',
    includedPermissions: [...permissionsOf(pools).keys()].sort(),
  }
}
