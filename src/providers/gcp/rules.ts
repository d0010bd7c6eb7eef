// `type: gcp`: from the keys of the file to the configuration, with the rules between them.
import {
  type Block,
  checkDuplicates,
  commonRules,
  given,
  isBareMetal,
  isMapping,
  note,
  type Partially,
  sure,
} from '../../config/index.ts'
import { ownerTags } from '../contract.ts'
import { baseFaults } from './base-config.ts'
import { bootDiskFor, gcpTypes, lastPart } from './machine-types.ts'
import type { GcpKeys } from './schema.ts'

/**
 * A public GPU image with Docker and the NVIDIA runtime
 * (https://cloud.google.com/deep-learning-vm/docs/images).
 */
export const publicGcpImage =
  'projects/deeplearning-platform-release/global/images/family/common-cu129-ubuntu-2404-nvidia-580'

const cloudPlatform = 'https://www.googleapis.com/auth/cloud-platform'
const ownPrefix = ownerTags.cluster.slice(0, ownerTags.cluster.indexOf(':')).concat('-')

type Keys = Partially<GcpKeys>

/** `type: gcp` after defaults and rules. */
export type GcpConfig = ReturnType<ReturnType<typeof gcpRules>>

export function gcpRules(keys: Keys, block: Block) {
  const { attached, instance_types } = gcpTypes(keys, block)
  checkBaseFields(keys, block)
  checkImage(keys, block)
  checkZones(keys, block)
  checkNetwork(keys, block)
  checkLabels(keys, block)
  const { email, scopes } = keys.service_account ?? {}
  if (scopes?.length && !email)
    note(block, 'CONFIG_UNUSED', 'service_account.scopes has no effect without service_account.email', {
      key: ['service_account', 'scopes'],
      part: 'key',
    })
  const bareMetal = instance_types?.some(({ type }) => isBareMetal(type)) ?? false
  const common = commonRules(keys, block, bareMetal)
  checkSpot(keys, block)
  return (whole: GcpKeys) => {
    const types = sure(instance_types)
    const { email, scopes } = whole.service_account
    return {
      ...whole,
      ...common(whole),
      base_config: whole.base_config ?? {},
      boot_disk_source_image: whole.boot_disk_source_image ?? '',
      boot_disk_type: whole.boot_disk_type
        ? lastPart(whole.boot_disk_type)
        : bootDiskFor(types[0]?.type ?? ''),
      service_account: { email, scopes: scopes ?? (email ? [cloudPlatform] : []) },
      instance_type: {
        ...attached,
        machine_type: types[0]?.type ?? '',
        preemptible: whole.instance_type.preemptible,
      },
      /** In order of preference; `instance_type` alone gives a list of one. Every entry has its slots. */
      instance_types: types,
      spot: spotOf(whole),
    }
  }
}

function checkBaseFields({ base_config = {} }: Keys, block: Block): void {
  for (const { path, message, ...more } of baseFaults(base_config))
    note(block, 'REQUEST_BASE_CONFIG', message, { key: path, ...more })
}

function checkImage({ base_config, boot_disk_source_image }: Keys, block: Block): void {
  const disks = base_config?.['disks']
  const bootable = Array.isArray(disks)
    ? disks.findIndex((disk) => isMapping(disk) && disk['boot'] === true)
    : -1
  if (bootable >= 0 && boot_disk_source_image)
    note(block, 'CONFIG_CONFLICT', 'boot_disk_source_image and base_config both describe a boot disk', {
      key: ['base_config', 'disks', bootable, 'boot'],
      part: 'key',
    })
  if (bootable < 0 && !given(block, 'boot_disk_source_image'))
    note(block, 'IMAGE_MISSING', 'No machine image is named: boot_disk_source_image is missing', {
      remedy: `Set \`boot_disk_source_image: ${publicGcpImage}\`; \`gcloud compute images list --project deeplearning-platform-release --no-standard-images\` lists the current families.`,
    })
}

/** The origin's `preemptible` is spot without a fallback. */
function spotOf({ spot, instance_type }: GcpKeys) {
  const { enabled, fallback } = typeof spot === 'object' ? spot : { enabled: spot, fallback: 'none' as const }
  return { enabled: enabled || instance_type.preemptible, fallback }
}

function checkSpot({ spot, instance_type }: Keys, block: Block): void {
  const enabled = typeof spot === 'object' ? spot.enabled : spot
  if (instance_type?.preemptible && given(block, 'spot') && enabled === false)
    note(block, 'CONFIG_CONFLICT', 'instance_type.preemptible asks for what spot switches off', {
      key: ['instance_type', 'preemptible'],
      part: 'key',
    })
}

function checkZones({ zone, zones = [] }: Keys, block: Block): void {
  checkDuplicates(block, 'zones', zones)
  if (zone && zones.length)
    note(block, 'CONFIG_CONFLICT', 'zone and zones exclude each other', {
      key: 'zone',
      part: 'key',
      remedy: 'Move it into zones.',
    })
  const stranger = zones.find((other) => regionOf(other) !== regionOf(zones[0]!))
  if (stranger)
    note(block, 'CONFIG_CONFLICT', `zones are of one region, but ${zones[0]} and ${stranger} are not`, {
      key: 'zones',
      remedy: 'Use one pool for each region.',
    })
}

function regionOf(zone: string): string {
  return zone.slice(0, zone.lastIndexOf('-'))
}

function checkNetwork({ network_interface }: Keys, block: Block): void {
  const { network, subnetwork } = network_interface ?? {}
  if (!network === !subnetwork) return
  const [has, lacks] = network ? ['network', 'subnetwork'] : ['subnetwork', 'network']
  // The origin then leaves both out without a word (origin: gcp_config.go).
  note(block, 'CONFIG_NEEDS_KEY', `network_interface.${has} needs network_interface.${lacks}`, {
    key: ['network_interface', has!],
    part: 'key',
  })
}

function checkLabels({ labels = {}, label_key }: Keys, block: Block): void {
  for (const label of [...Object.keys(labels), ...(label_key ? [label_key] : [])])
    if (label.startsWith(ownPrefix))
      note(
        block,
        'CONFIG_CONFLICT',
        `The label ${JSON.stringify(label)} is one of those that mark VMs as ours`,
        {
          key: label === label_key ? 'label_key' : ['labels', label],
          part: label === label_key ? 'value' : 'key',
          remedy: `Choose a key that does not start with "${ownPrefix}".`,
        },
      )
  if (label_key && Object.hasOwn(labels, label_key))
    note(block, 'CONFIG_DUPLICATE', `labels sets ${label_key}, which label_key sets, too`, {
      key: ['labels', label_key],
      part: 'key',
      remedy: 'Use label_value for its value.',
    })
}
