// The least a role has to allow, for the pools of a configuration: `provision check --print-iam-policy`.
// https://cloud.google.com/compute/docs/access/iam-permissions
import type { GcpConfig } from './rules.ts'

/** As `gcloud iam roles create ID --project P --file FILE` takes it. */
export interface Role {
  title: string
  description: string
  stage: 'GA'
  includedPermissions: string[]
}

/** Permissions on the project, with what they are for. */
const always = {
  'compute.instances.create': 'to launch VMs',
  'compute.instances.delete': 'to end VMs',
  'compute.instances.get': 'to look at a VM',
  'compute.instances.getSerialPortOutput': 'to see how far a VM came that did not join',
  'compute.instances.list': 'to list VMs',
  'compute.instances.setLabels': 'to mark what is launched as ours',
  'compute.instances.setMetadata': 'to give VMs their startup script',
  'compute.disks.create': 'to give VMs a boot disk',
  'compute.subnetworks.use': 'to put VMs into a network',
  'compute.zoneOperations.get': 'to follow a launch in one zone',
  'compute.zoneOperations.list': 'to know why a VM was not made, or was taken back',
  'compute.machineTypes.get': 'to know the slots of a machine type',
  'compute.regions.get': 'to know the zones and quotas of the region',
  'compute.zones.list': 'to list VMs in every zone',
  'compute.projects.get': 'to check quotas',
  'compute.networks.get': 'to check the network',
  'compute.subnetworks.get': 'to check the subnetwork',
} as const

type When = (pool: GcpConfig) => boolean

const sometimes: [permission: string, why: string, when: When][] = [
  ['compute.regionOperations.get', 'to follow a launch in several zones', ({ zones }) => zones.length > 1],
  [
    'compute.acceleratorTypes.get',
    'to check attached GPUs',
    ({ instance_type }) => Boolean(instance_type.gpu_type),
  ],
  [
    'compute.images.get',
    'to check the image',
    ({ boot_disk_source_image: image }) => image !== '' && !/\/family\//.test(image),
  ],
  [
    'compute.images.getFromFamily',
    'to check the image family',
    ({ boot_disk_source_image }) => /\/family\//.test(boot_disk_source_image),
  ],
  [
    'compute.images.useReadOnly',
    'to make boot disks from the image',
    ({ boot_disk_source_image }) => boot_disk_source_image !== '',
  ],
  [
    'compute.subnetworks.useExternalIp',
    'to give VMs an external address',
    ({ network_interface }) => network_interface.external_ip,
  ],
  [
    'compute.instances.setServiceAccount',
    'to give VMs their service account',
    ({ service_account }) => service_account.email !== '',
  ],
  [
    'compute.instances.setTags',
    'to give VMs their network tags',
    ({ network_tags }) => network_tags.length > 0,
  ],
]

/** Permission and what it is for, as far as these pools need it. */
export function permissionsOf(pools: readonly GcpConfig[]): Map<string, string> {
  const asked = sometimes.filter(([, , when]) => pools.some(when))
  return new Map([
    ...Object.entries(always),
    ...asked.map(([permission, why]): [string, string] => [permission, why]),
  ])
}

/**
 * A role for the project of the pools. `iam.serviceAccounts.actAs` is not in it: it would hold for every service account
 * of the project, so roles/iam.serviceAccountUser belongs on the VMs' own account alone.
 */
export function leastRole(pools: readonly GcpConfig[]): Role {
  return {
    title: 'Agent provisioner',
    description: 'Launches and ends agent VMs on Compute Engine',
    stage: 'GA',
    includedPermissions: [...permissionsOf(pools).keys()].sort(),
  }
}
