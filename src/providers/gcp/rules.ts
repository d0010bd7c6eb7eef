// `type: gcp`: from the keys of the file to the configuration, with the rules between keys.
import {
  type Block,
  checkDuplicates,
  checkImages,
  commonRules,
  given,
  givenIn,
  inner,
  isBareMetal,
  isMapping,
  note,
  orList,
  type Partially,
  sure,
  type TypeWithSlots,
  typesOf,
  type YamlPath,
} from '../../config/index.ts'
import { nearest } from '../../platform/index.ts'
import { ownerTags } from '../contract.ts'
import { baseFaults } from './base-config.ts'
import { hasNewestImage } from './image.ts'
import {
  attachableGpus,
  bootDiskFor,
  builtInGpuTypes,
  isTpu,
  lastPart,
  type Machine,
  machineOf,
} from './machine-types.ts'
import { checkNames } from './names.ts'
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
  checkNames(keys, block)
  checkBaseFields(keys, block)
  checkImage(keys, block)
  checkImages(keys, block, hasNewestImage(keys.boot_disk_source_image ?? ''))
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
  checkCapacity(keys, block)
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
    note(block, 'IMAGE_MISSING', 'no machine image is set: boot_disk_source_image is missing', {
      remedy: `Set \`boot_disk_source_image: ${publicGcpImage}\`; \`gcloud compute images list --project deeplearning-platform-release --no-standard-images\` lists the current families.`,
    })
}

/** Determined's `preemptible` is spot without a fallback. */
function spotOf({ spot, instance_type }: GcpKeys) {
  const { enabled, fallback } = typeof spot === 'object' ? spot : { enabled: spot, fallback: 'none' as const }
  return { enabled: enabled || instance_type.preemptible, fallback }
}

function checkSpot({ spot, instance_type }: Keys, block: Block): void {
  const enabled = typeof spot === 'object' ? spot.enabled : spot
  if (instance_type?.preemptible && given(block, 'spot') && enabled === false)
    note(block, 'CONFIG_CONFLICT', 'instance_type.preemptible is true, but spot is false', {
      key: ['instance_type', 'preemptible'],
      part: 'key',
    })
}

/** https://cloud.google.com/compute/docs/instances/about-flex-start-vms: at most seven days, and no reservation. */
const flexStart = { least: 3_600_000, most: 7 * 24 * 3_600_000 }

function checkCapacity({ capacity, spot, instance_type, base_config = {} }: Keys, block: Block): void {
  if (!capacity) return
  const has = (key: string) => givenIn(block, 'capacity', key)
  const isSpot = (typeof spot === 'object' ? spot.enabled : spot) || instance_type?.preemptible
  const conflict = (key: YamlPath, message: string) =>
    note(block, 'CONFIG_CONFLICT', message, { key, part: 'key' })
  const others = Object.keys(inner(block, 'capacity')?.raw ?? {}).some((key) => key !== 'only')
  // A misspelt key has been reported.
  if (!others)
    note(block, 'CONFIG_NEEDS_KEY', 'capacity sets neither reservation nor flex_start', {
      key: 'capacity',
      part: 'key',
    })
  if (has('reservation') && has('flex_start'))
    conflict(['capacity', 'flex_start'], 'capacity.reservation and capacity.flex_start cannot be combined')
  if (has('flex_start') && isSpot)
    conflict(['capacity', 'flex_start'], 'capacity.flex_start and spot cannot be combined')
  if (capacity.only && has('reservation') && isSpot)
    note(block, 'CONFIG_UNUSED', 'spot has no effect with capacity.only', { key: 'spot', part: 'key' })
  if (capacity.only && !has('reservation'))
    note(block, 'CONFIG_UNUSED', 'capacity.only has no effect without capacity.reservation', {
      key: ['capacity', 'only'],
      part: 'key',
    })
  const { flex_start: duration } = capacity
  if (duration !== undefined && (duration < flexStart.least || duration > flexStart.most))
    note(block, 'CONFIG_OUT_OF_RANGE', 'capacity.flex_start must be between 1h and 168h (7 days)', {
      key: ['capacity', 'flex_start'],
      remedy:
        duration < flexStart.least
          ? 'Agents are drained 40 minutes before the end, so that shorter times leave none for jobs.'
          : 'Google Cloud runs them for at most 7 days.',
    })
  const { scheduling } = base_config
  for (const field of ['provisioningModel', 'preemptible', ...(has('flex_start') ? ['maxRunDuration'] : [])])
    if (isMapping(scheduling) && Object.hasOwn(scheduling, field))
      conflict(
        ['base_config', 'scheduling', field],
        `capacity and base_config.scheduling.${field} both choose the capacity`,
      )
  if (base_config['reservationAffinity'] !== undefined)
    conflict(
      ['base_config', 'reservationAffinity'],
      'capacity and base_config.reservationAffinity both choose the capacity',
    )
}

function checkZones({ zone, zones = [] }: Keys, block: Block): void {
  checkDuplicates(block, 'zones', zones)
  if (zone && zones.length)
    note(block, 'CONFIG_CONFLICT', 'zone and zones cannot be combined', {
      key: 'zone',
      part: 'key',
      remedy: 'Move it into zones.',
    })
  // A region in the list is reported by itself.
  const [first, ...others] = zones.filter((one) => !/^[a-z]+-[a-z]+\d+$/.test(one))
  const otherRegion = first && others.find((other) => regionOf(other) !== regionOf(first))
  if (otherRegion)
    note(block, 'CONFIG_CONFLICT', `zones must be in one region, but ${first} and ${otherRegion} are not`, {
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
  // In this case Determined's provisioner silently ignores both (gcp_config.go).
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
        `the label ${JSON.stringify(label)} is reserved: the provisioner uses it to identify its instances`,
        {
          key: label === label_key ? 'label_key' : ['labels', label],
          part: label === label_key ? 'value' : 'key',
          remedy: `Choose a key that does not start with "${ownPrefix}".`,
        },
      )
  if (label_key && Object.hasOwn(labels, label_key))
    note(block, 'CONFIG_DUPLICATE', `labels sets ${label_key}, which label_key also sets`, {
      key: ['labels', label_key],
      part: 'key',
      remedy: 'Use label_value for its value.',
    })
}

// The machine types of a pool and their GPUs: built in, or attached to N1 machines.

/** The defaults of Determined's provisioner (gcp_config.go). */
const standard = { machine: 'n1-standard-32', gpuType: 'nvidia-tesla-t4', gpuNum: 4 }

interface Gpus {
  type: string
  count: number
  /** Whether the user set them, rather than the defaults. */
  said: boolean
}

/** `attached` are the attached GPUs; `slots` of each type are those of its agent. */
function gcpTypes(keys: Partially<GcpKeys>, block: Block) {
  const several = given(block, 'instance_types')
  if (several && givenIn(block, 'instance_type', 'machine_type'))
    note(block, 'CONFIG_CONFLICT', 'instance_types and instance_type.machine_type cannot be combined', {
      key: ['instance_type', 'machine_type'],
      part: 'key',
      remedy: 'Write it as an entry of instance_types: `- type: …`.',
    })
  checkOverlaid(keys, block)
  const attached = wantedGpus(keys, block, several)
  const machines: Machine[] = []
  const read = (text: string, slots: number | undefined, path: YamlPath) => {
    const machine = machineOf(text)
    if (machine) {
      machines.push(machine)
      return withSlots(machine, slots, attached, block, path)
    }
    if (isTpu(text))
      note(block, 'MACHINE_TYPE_INVALID', `${JSON.stringify(text)} has TPUs, which are not supported`, {
        key: path,
        remedy: 'Choose a machine type with GPUs, such as g2-standard-8, or one without accelerators.',
      })
    else
      note(block, 'MACHINE_TYPE_INVALID', `${JSON.stringify(text)} is not the name of a machine type`, {
        key: path,
      })
    return []
  }
  const instance_types = several
    ? typesOf(keys.instance_types, block, read)
    : read(machineName(keys, block), undefined, ['instance_type', 'machine_type'])
  const attachable = machines.some((machine) => machine.attachable)
  // `det deploy gcp` also writes the GPU type of the compute pool into the auxiliary pool, with gpu_num: 0.
  if (attached.count > 0 && isKnownGpu(attached, block)) {
    if (attachable) checkAttached(attached, block)
    else if (attached.said && machines[0]) refuseAttached(machines[0], attached, block)
  }
  return {
    instance_types,
    attached: {
      gpu_type: attachable && attached.count > 0 ? attached.type : '',
      gpu_num: attachable ? attached.count : 0,
    },
  }
}

function machineName({ instance_type }: Partially<GcpKeys>, block: Block): string {
  const said = givenIn(block, 'instance_type', 'machine_type')
  return (said && instance_type?.machine_type) || standard.machine
}

/** Determined's defaults apply to a single N1 machine only, not to a list of types. */
function wantedGpus({ instance_type }: Partially<GcpKeys>, block: Block, several: boolean): Gpus {
  const noType = inner(block, 'instance_type')?.raw['gpu_type'] === ''
  const saidType = givenIn(block, 'instance_type', 'gpu_type')
  const saidCount = givenIn(block, 'instance_type', 'gpu_num')
  const type =
    noType || (several && !saidType && !saidCount) ? '' : (instance_type?.gpu_type ?? standard.gpuType)
  const count = instance_type?.gpu_num ?? (type === '' ? 0 : standard.gpuNum)
  return { type, count, said: (saidType || saidCount) && count > 0 }
}

function withSlots(
  { name, builtIn, attachable }: Machine,
  said: number | undefined,
  attached: Gpus,
  block: Block,
  path: YamlPath,
): TypeWithSlots[] {
  const own = attachable || (builtIn === undefined && attached.said) ? attached.count : builtIn
  const slots = said ?? own
  if (slots !== undefined) return [{ type: name, slots }]
  note(block, 'INSTANCE_SLOTS_UNKNOWN', `the number of GPUs of ${JSON.stringify(name)} is unknown`, {
    key: path,
    remedy: `Set it: \`instance_types: [{type: ${name}, slots: N}]\`.`,
  })
  return []
}

function isKnownGpu({ type }: Gpus, block: Block): boolean {
  const known = [...Object.keys(attachableGpus), ...builtInGpuTypes]
  if (known.includes(type)) return true
  const meant = nearest(type, known)
  note(
    block,
    'GPU_TYPE_UNKNOWN',
    type ? `there is no GPU of type ${JSON.stringify(type)}` : 'gpu_num is set without gpu_type',
    {
      key: ['instance_type', type ? 'gpu_type' : 'gpu_num'],
      ...(meant && { remedy: `Did you mean "${meant}"?` }),
    },
  )
  return false
}

function checkAttached({ type, count }: Gpus, block: Block): void {
  const fitting = attachableGpus[type]
  if (type === '') return
  if (!fitting)
    note(block, 'GPU_NOT_ATTACHABLE', `GPUs of type ${type} cannot be attached to an N1 machine`, {
      key: ['instance_type', 'gpu_type'],
    })
  else if (!fitting.includes(count))
    note(
      block,
      'GPU_COUNT_INVALID',
      `a machine has ${fitting.join(', ')} GPUs of type ${type}, not ${count}`,
      {
        key: ['instance_type', 'gpu_num'],
        remedy: `Write ${orList(fitting.map(String)).replaceAll('"', '')}.`,
      },
    )
}

function refuseAttached({ name, builtIn }: Machine, { type, count }: Gpus, block: Block): void {
  const key = ['instance_type', givenIn(block, 'instance_type', 'gpu_num') ? 'gpu_num' : 'gpu_type']
  const isNative = !Object.hasOwn(attachableGpus, type)
  if (isNative && (count === builtIn || builtIn === undefined)) return
  if (isNative && builtIn)
    note(block, 'GPU_COUNT_INVALID', `${name} has ${builtIn} GPUs built in, not ${count}`, {
      key,
      remedy: 'Remove gpu_type and gpu_num: the machine type determines the GPUs.',
    })
  else note(block, 'GPU_NOT_ATTACHABLE', `GPUs of type ${type} cannot be attached to ${name}`, { key })
}

/** instance_type always overrides a type in base_config: silently buying another machine would be costly. */
function checkOverlaid({ base_config }: Partially<GcpKeys>, block: Block): void {
  for (const key of ['machineType', 'guestAccelerators'])
    if (base_config && Object.hasOwn(base_config, key))
      note(block, 'CONFIG_CONFLICT', `base_config.${key} would be replaced by instance_type`, {
        key: ['base_config', key],
        part: 'key',
        remedy: `Write it as instance_type.${key === 'machineType' ? 'machine_type' : 'gpu_type and gpu_num'}.`,
      })
}
