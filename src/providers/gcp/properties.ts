// The properties of a VM of one machine type: `base_config`, overridden by the pool's keys.
import type { MasterAddress } from '../../pki/index.ts'
import type { CapacityType, Offering } from '../../planner/index.ts'
import { type Problem, problem } from '../../problems/index.ts'
import type { Intent, Ownership } from '../contract.ts'
import {
  baseProblems,
  type Disk,
  type InstanceProperties,
  type MetadataItem,
  type NetworkInterface,
  type Scheduling,
} from './base-config.ts'
import { namesNewest } from './image.ts'
import { labelProblems, labelsOf, ownerKeys } from './labels.ts'
import { familyOf, fitFamily, isConfidential, machineTypeName } from './machine-types.ts'
import type { GcpConfig } from './rules.ts'

export interface PropertiesInput {
  config: GcpConfig
  owner: Ownership
  master: MasterAddress
  intent: Intent
  facts: SettledFacts
}

export interface Properties {
  properties: InstanceProperties
  problems: Problem[]
}

export function propertiesOf(input: PropertiesInput, offering: Offering, region: string): Properties {
  const { config, owner, master, intent, facts } = input
  const machineType = machineTypeName(offering.instanceType)
  const { base, problems } = fitFamily(machineType, config.base_config)
  const gpus = acceleratorsOf(config, offering, base)
  const boot = disksOf(config, machineType, base.disks ?? [])
  const label = { config, owner, master, intentId: intent.id, identity: facts.identity }
  const labels = labelsOf(label, base.labels ?? {})
  const { startupScript } = facts
  const metadata = metadataOf(
    { master, owner, intentId: intent.id, startupScript },
    base.metadata?.items ?? [],
  )
  const tags = networkTagsOf(config, base.tags?.items ?? [])
  const accounts = serviceAccountsOf(config, base.serviceAccounts)
  const { guestAccelerators: _, ...kept } = base
  const flexStart = config.capacity?.flex_start
  const scheduling = schedulingOf({
    base: base.scheduling ?? {},
    capacity: offering.capacityType,
    flexStart,
    isExplicit: config.spot.enabled || config.capacity !== undefined || offering.capacityType === 'spot',
    isPinned: gpus.present || !familyOf(machineType).migrates || isConfidential(base),
  })
  return {
    properties: {
      ...kept,
      machineType,
      disks: boot.disks,
      ...(gpus.accelerators?.length ? { guestAccelerators: gpus.accelerators } : {}),
      networkInterfaces: interfacesOf(config, region, base.networkInterfaces ?? []),
      scheduling,
      ...affinityOf(config, offering),
      ...(accounts ? { serviceAccounts: accounts } : {}),
      ...(tags.length ? { tags: { items: tags } } : {}),
      labels,
      metadata: { items: metadata.items },
    },
    problems: [
      ...baseProblems(config.base_config),
      ...problems,
      ...(base.scheduling?.onHostMaintenance === 'MIGRATE' && scheduling.onHostMaintenance === 'TERMINATE'
        ? [
            replaced(
              'scheduling.onHostMaintenance',
              `this kind of ${machineType} cannot be migrated to another host`,
            ),
          ]
        : []),
      ...gpus.problems,
      ...boot.problems,
      ...labelProblems(label, labels),
      ...metadata.replaced.map((key) => replaced(`metadata ${key}`, 'the provisioner sets it')),
    ],
  }
}

/**
 * N1 takes attached GPUs; accelerator families have theirs built in and refuse a request for them; the others have
 * none.
 */
function acceleratorsOf(config: GcpConfig, offering: Offering, base: InstanceProperties) {
  const { gpu_type, gpu_num } = config.instance_type
  const type = machineTypeName(offering.instanceType)
  const { gpus } = familyOf(type)
  const requested =
    gpu_type && gpu_num > 0 ? [{ acceleratorType: gpu_type, acceleratorCount: gpu_num }] : undefined
  if (gpus === 'attached' || gpus === 'unknown') {
    const accelerators = gpus === 'attached' && requested ? requested : base.guestAccelerators
    return { accelerators, present: Boolean(accelerators?.length), problems: [] }
  }
  if (gpus === 'built_in') {
    const problems = base.guestAccelerators
      ? [replaced('guestAccelerators', `${type} has built-in GPUs`)]
      : []
    return { accelerators: undefined, present: true, problems }
  }
  const allowed = config.cpu_slots_allowed ? 1 : 0
  const problems = offering.slots > allowed ? [noGpus(type, offering.slots)] : []
  return { accelerators: undefined, present: false, problems }
}

function noGpus(type: string, slots: number): Problem {
  return problem(
    'REQUEST_MACHINE_REFUSED',
    `${type} does not support GPUs, but the pool is configured with ${slots} slots`,
    {
      remedy:
        'Set gpu_num: 0, or choose an N1 machine type (GPUs are attached) or a type of an A or G family.',
    },
  )
}

function replaced(what: string, why: string): Problem {
  return problem('REQUEST_BASE_CONFIG_REPLACED', `${what} of base_config is not used: ${why}`)
}

// The boot disk before the disks of `base_config`, of a type that the machine supports.

/** Without an image in the pool's keys, the boot disk is that of `base_config`. */
export function disksOf(
  config: GcpConfig,
  machineType: string,
  base: Disk[],
): { disks: Disk[]; problems: Problem[] } {
  if (!config.boot_disk_source_image) return { disks: base, problems: [] }
  const { type, problems } = bootDiskType(config, machineType)
  const boot: Disk = {
    boot: true,
    autoDelete: true,
    initializeParams: {
      sourceImage: config.boot_disk_source_image,
      diskSizeGb: config.boot_disk_size,
      diskType: type,
    },
  }
  const others = base.filter((disk) => !disk.boot)
  if (others.length < base.length)
    problems.push(
      problem(
        'REQUEST_BASE_CONFIG_REPLACED',
        `the boot disk of base_config is not used: boot_disk_source_image is ${config.boot_disk_source_image}`,
      ),
    )
  return { disks: [boot, ...others], problems }
}

/** The pool's type is replaced on machine types that do not support it, if another type of the pool does. */
function bootDiskType(config: GcpConfig, machineType: string): { type: string; problems: Problem[] } {
  const accepted = familyOf(machineType).bootDisks
  const requested = config.boot_disk_type.split('/').at(-1) || accepted?.[0] || 'pd-balanced'
  if (!accepted || accepted.includes(requested)) return { type: requested, problems: [] }
  const fitsAnother = config.instance_types.some(({ type }) => familyOf(type).bootDisks?.includes(requested))
  if (fitsAnother) return { type: accepted[0] ?? requested, problems: [] }
  const message = `${machineTypeName(machineType)} does not boot from ${requested}`
  const remedy = `Set boot_disk_type to ${accepted.join(' or ')}, or leave it out.`
  return { type: requested, problems: [problem('REQUEST_MACHINE_REFUSED', message, { remedy })] }
}

// The network interfaces, the network tags and the service account of a VM.

const external = { name: 'External NAT', type: 'ONE_TO_ONE_NAT', networkTier: 'PREMIUM' }

/**
 * The pool's interface after those of `base_config`; Compute Engine's default network when there is none. `external_ip`
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

/** The API requires URLs or partial URLs; a bare name is neither. */
function pathOf(collection: string, name: string): string {
  return name.includes('/') ? name : `${collection}/${name}`
}

export function networkTagsOf({ network_tags }: GcpConfig, base: string[]): string[] {
  return [...new Set([...base, ...network_tags])]
}

/** The pool's account; without one, that of `base_config`. */
export function serviceAccountsOf<T>({ service_account }: GcpConfig, base: T) {
  const { email, scopes } = service_account
  return email ? [{ email, scopes }] : base
}

/**
 * https://cloud.google.com/compute/docs/instances/reservations-consume; Flex-start instances cannot use reservations
 * (https://cloud.google.com/compute/docs/instances/about-flex-start-vms).
 */
function affinityOf(
  { capacity }: GcpConfig,
  { capacityType }: Offering,
): Pick<InstanceProperties, 'reservationAffinity'> {
  if (capacity?.flex_start !== undefined)
    return { reservationAffinity: { consumeReservationType: 'NO_RESERVATION' } }
  if (capacityType !== 'reserved' || !capacity?.reservation) return {}
  return {
    reservationAffinity: {
      consumeReservationType: 'SPECIFIC_RESERVATION',
      key: 'compute.googleapis.com/reservation-name',
      values: [capacity.reservation],
    },
  }
}

// How a VM is bought, and what happens at maintenance and when it is interrupted.

export interface SchedulingInput {
  base: Scheduling
  capacity: CapacityType
  /** Milliseconds after which a Flex-start instance is deleted; undefined: it is none. */
  flexStart?: number | undefined
  /** Whether a key of the pool sets the capacity type; otherwise `base_config` does. */
  isExplicit: boolean
  /** GPUs, confidential instances, and families that cannot be migrated. */
  isPinned: boolean
}

/** `base_config.scheduling`, overridden by what the capacity type and the family require. */
export function schedulingOf(input: SchedulingInput): Scheduling {
  const { base, capacity, flexStart, isExplicit, isPinned } = input
  const kept = isExplicit ? withoutModel(base) : base
  const model = isExplicit && capacity === 'spot' ? 'SPOT' : kept.provisioningModel
  if (flexStart !== undefined)
    return {
      ...kept,
      provisioningModel: 'FLEX_START',
      maxRunDuration: { seconds: String(Math.floor(flexStart / 1000)) },
      instanceTerminationAction: 'DELETE',
      automaticRestart: false,
      onHostMaintenance: 'TERMINATE',
    }
  const taken = model === 'SPOT' || kept.preemptible === true
  return {
    ...kept,
    ...(model ? { provisioningModel: model } : {}),
    // The only values that spot VMs may have; DELETE, because a stopped agent VM is never restarted.
    ...(model === 'SPOT' ? { instanceTerminationAction: kept.instanceTerminationAction ?? 'DELETE' } : {}),
    ...(taken ? { automaticRestart: false } : {}),
    onHostMaintenance: taken || isPinned ? 'TERMINATE' : (kept.onHostMaintenance ?? 'MIGRATE'),
  }
}

function withoutModel({ provisioningModel: _, preemptible: __, ...rest }: Scheduling): Scheduling {
  return rest
}

// The metadata values of a VM: its startup script, its master, and its owner, each unencoded.

export interface MetadataInput {
  master: MasterAddress
  owner: Ownership
  intentId: string
  startupScript: string
}

/** Items of `base_config` stay, except those with a key of the provisioner; `replaced` lists those. */
export function metadataOf(
  input: MetadataInput,
  base: MetadataItem[],
): { items: MetadataItem[]; replaced: string[] } {
  const ours: Record<string, string> = {
    'startup-script': input.startupScript,
    'determined-master-address': hostAndPort(input.master),
    ...ownerKeys(input.owner, input.intentId),
  }
  const clashes = base.filter(({ key }) => key && key in ours)
  return {
    items: [
      ...base.filter((item) => !clashes.includes(item)),
      ...Object.entries(ours).map(([key, value]) => ({ key, value })),
    ],
    replaced: clashes.map(({ key }) => key ?? ''),
  }
}

function hostAndPort({ host, port }: MasterAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

// Values that only the cloud or this host knows: read at launch, shown as placeholders by a dry run.

/** Each is undefined until it has been queried. */
export interface GcpFacts {
  project?: string
  zone?: string
  /** The master's instance name cut to 30 characters, or `determined-ai-determined`. */
  identity?: string
  /** Every zone of the regions of the pool's zones. */
  zones?: string[]
  /** The metadata value `startup-script`. */
  startupScript?: string
  /** The newest image of the family, where launches name it. */
  image?: string
}

export interface SettledFacts extends Required<Omit<GcpFacts, 'zones' | 'image'>> {
  zones?: string[]
  image?: string
}

/** Facts, else the file's values, else a placeholder in `<>`; one warning names every placeholder but the script. */
export function settleFacts(
  config: GcpConfig,
  facts: GcpFacts,
): { facts: SettledFacts; problems: Problem[] } {
  const unknown: string[] = []
  const orPlaceholder = (
    known: string | undefined,
    needed: boolean,
    name: string,
    placeholder: string,
  ): string => {
    if (known !== undefined) return known
    if (needed) unknown.push(`${name} ${placeholder}`)
    return placeholder
  }
  const needsIdentity = config.label_value === undefined || config.name_prefix === undefined
  const settled: SettledFacts = {
    project: orPlaceholder(config.project ?? facts.project, true, 'project', "<the master's own project>"),
    zone: orPlaceholder(config.zone ?? facts.zone, !config.zones.length, 'zone', "<the master's own zone>"),
    identity: orPlaceholder(
      facts.identity,
      needsIdentity,
      config.label_value === undefined ? `label ${config.label_key} and names` : 'names',
      "<the master's instance name, or determined-ai-determined>",
    ),
    startupScript: facts.startupScript ?? '<user data>',
    ...(facts.zones ? { zones: facts.zones } : {}),
    ...(namesNewest(config) && {
      image: orPlaceholder(facts.image, true, 'image', `<newest image of ${config.boot_disk_source_image}>`),
    }),
  }
  if (config.zones.length > 1 && !facts.zones)
    unknown.push('the other zones of the region, which will be denied')
  if (!unknown.length) return { facts: settled, problems: [] }
  const message = `the request has values that are known only at Google Cloud: ${unknown.join(', ')}`
  return { facts: settled, problems: [problem('REQUEST_UNKNOWN_OFFLINE', message, { details: { unknown } })] }
}
