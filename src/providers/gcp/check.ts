// `provision check` for a pool: asks Google Cloud about everything a launch needs, without launching.
import type { Offering } from '../../planner/index.ts'
import { type MetadataOptions, outgoingFetch } from '../../platform/index.ts'
import { type Problem, problem } from '../../problems/index.ts'
import type { CheckItem, ProviderContext } from '../contract.ts'
import { attemptWith, fault } from '../failure.ts'
import { baseProblems } from './base-config.ts'
import { type GceApi, type GceImage, gceClient, type MachineType, type Region } from './client.ts'
import { googleAuth } from './compute-package.ts'
import { gceFailure } from './errors.ts'
import { permissionsOf } from './iam-role.ts'
import { imagePath } from './image.ts'
import { lastPart } from './instances.ts'
import { familyOf, gpusOf, machineTypeName } from './machine-types.ts'
import { type ProjectAndZone, projectAndZone, regionOf } from './request.ts'
import type { GcpConfig } from './rules.ts'
import { applicationDefault, endpointsOf, transport } from './transport.ts'

const attempt = attemptWith(gceFailure)

/** Checks with the project and zone that a launch would have. Throws PROVIDER_CONFIG when one of them is unknown. */
export async function check(
  context: ProviderContext<GcpConfig>,
  offerings: Offering[],
  signal?: AbortSignal,
): Promise<CheckItem[]> {
  const { config, clock, env } = context
  const metadata: MetadataOptions = { fetch: globalThis.fetch, clock, env }
  const scope = await projectAndZone(config, metadata)
  const endpoints = endpointsOf(env)
  const send = transport({
    credentials: applicationDefault(googleAuth(scope.project, env), env['GOOGLE_APPLICATION_CREDENTIALS']),
    fetch: outgoingFetch(env),
  })
  const api = gceClient({ endpoints, send, clock })
  try {
    return await checkPool({ api, config, scope, offerings, signal })
  } finally {
    api.close()
  }
}

interface CheckInput {
  api: GceApi
  config: GcpConfig
  scope: ProjectAndZone
  offerings: Offering[]
  signal?: AbortSignal | undefined
}

/** Checks every item, also after one that failed, so that all problems are reported at once. */
async function checkPool(input: CheckInput): Promise<CheckItem[]> {
  const items: CheckItem[] = [{ what: `project ${input.scope.project}` }]
  const region = await checkZones(items, input)
  const refused = items.at(-1)?.problem
  // Without credentials every other item would fail with the same message.
  if (refused?.details?.['code'] === 'credentials')
    return [items[0]!, { what: 'credentials', problem: refused }]
  await checkPermissions(items, input)
  checkBase(items, input.config)
  await checkImage(items, input)
  await checkNetwork(items, input)
  const types = await checkTypes(items, input)
  if (region) await checkQuotas(items, input, region, types)
  input.signal?.throwIfAborted()
  return items
}

async function checkZones(items: CheckItem[], { api, config, scope, signal }: CheckInput) {
  const { project } = scope
  const name = regionOf(scope.zone)
  const named = config.zones.length ? config.zones : [scope.zone]
  const look = () => api.getRegion({ project, region: name }, signal)
  return attempt(items, `region ${name} with ${named.join(', ')}`, look, ({ zones = [] }) => {
    const real = zones.map(lastPart)
    const baseConfigProblems = named.filter((zone) => !real.includes(zone))
    return baseConfigProblems.length
      ? fault(`region ${name} has no ${baseConfigProblems.join(', ')}`, `Use some of ${real.join(', ')}.`)
      : undefined
  })
}

async function checkPermissions(items: CheckItem[], { api, config, scope, signal }: CheckInput) {
  const needed = permissionsOf([config])
  const { project } = scope
  const answer: CheckItem[] = []
  const look = () => api.testPermissions({ project, permissions: [...needed.keys()] }, signal)
  const found = await attempt(answer, `permissions in project ${project}`, look)
  if (!found) return void items.push(...answer)
  for (const [permission, why] of needed) {
    const what = `${permission} ${why}`
    const granted = found.permissions?.includes(permission)
    items.push(granted ? { what } : { what, problem: notGranted(permission, project) })
  }
}

function checkBase(items: CheckItem[], { base_config }: GcpConfig): void {
  if (!Object.keys(base_config).length) return
  const found = baseProblems(base_config)
  items.push(...found.map((one) => ({ what: 'base_config', problem: one })))
  if (!found.length) items.push({ what: 'base_config' })
}

function notGranted(permission: string, project: string): Problem {
  return problem('PROVIDER_AUTH', `the provisioner's account has no ${permission} in project ${project}`, {
    remedy: 'Grant it a role that has the permission; docs/gcp.md describes the minimal role.',
  })
}

async function checkImage(items: CheckItem[], { api, config, scope, signal }: CheckInput) {
  const path = config.boot_disk_source_image
  if (!path) return
  const image = imagePath(path)
  const what = `image ${path}`
  if (!image) {
    const remedy = 'Write it as projects/PROJECT/global/images/NAME, or …/images/family/FAMILY.'
    items.push({ what, problem: fault(`${path} is not an image path`, remedy) })
    return
  }
  const { project = scope.project, isFamily, name } = image
  const look = () =>
    isFamily
      ? api.getImageFromFamily({ project, family: name }, signal)
      : api.getImage({ project, image: name }, signal)
  await attempt(items, what, look, (image) => unusable(image, config))
}

function unusable({ name = '', status = 'READY', deprecated, diskSizeGb }: GceImage, config: GcpConfig) {
  const state = deprecated?.state
  if (state === 'OBSOLETE' || state === 'DELETED') return fault(`image ${name} is ${state.toLowerCase()}`)
  if (status !== 'READY') return fault(`image ${name} is ${status.toLowerCase()}`)
  const size = Number(diskSizeGb ?? 0)
  return size > config.boot_disk_size
    ? fault(
        `image ${name} needs a disk of ${size} GB, but boot_disk_size is ${config.boot_disk_size}`,
        `Set boot_disk_size to at least ${size}.`,
      )
    : undefined
}

async function checkNetwork(items: CheckItem[], { api, config, scope, signal }: CheckInput) {
  const { network, subnetwork } = config.network_interface
  const own = Array.isArray(config.base_config['networkInterfaces'])
  const named = network || (own ? '' : 'default')
  const projectOf = (path: string) => /projects\/([^/]+)\//.exec(path)?.[1] ?? scope.project
  if (named)
    await attempt(items, `network ${named}`, () =>
      api.getNetwork({ project: projectOf(named), network: lastPart(named) }, signal),
    )
  if (!subnetwork) return
  const region = /regions\/([^/]+)\//.exec(subnetwork)?.[1] ?? regionOf(scope.zone)
  const look = () =>
    api.getSubnetwork({ project: projectOf(subnetwork), region, subnetwork: lastPart(subnetwork) }, signal)
  await attempt(items, `subnetwork ${subnetwork} in ${region}`, look, (found) =>
    network && lastPart(found.network) !== lastPart(network)
      ? fault(`subnetwork ${subnetwork} is in network ${lastPart(found.network)}, not in ${network}`)
      : undefined,
  )
}

/** The existing types, by name. A type that some zones lack is used in the others, so each zone is an item. */
async function checkTypes(items: CheckItem[], input: CheckInput): Promise<Map<string, MachineType>> {
  const { api, config, scope, signal } = input
  const { project } = scope
  const zones = config.zones.length ? config.zones : [scope.zone]
  const known = new Map<string, MachineType>()
  for (const { type, slots } of config.instance_types)
    for (const zone of zones) {
      const machineType = machineTypeName(type)
      const look = () => api.getMachineType({ project, zone, machineType }, signal)
      const found = await attempt(items, `machine type ${machineType} in ${zone}`, look, (there) => {
        const real = gpusOf(config, machineType, there)
        return real === slots || (!real && config.cpu_slots_allowed && slots === 1)
          ? undefined
          : fault(
              `${machineType} has ${real} GPUs, but the pool is configured with ${slots} slots`,
              'Correct the slots of the machine type.',
            )
      })
      if (found) known.set(machineType, found)
    }
  await checkGpus(items, input, zones)
  return known
}

/** Only N1 machines take attached GPUs; others have theirs built in. */
async function checkGpus(items: CheckItem[], { api, config, scope, signal }: CheckInput, zones: string[]) {
  const { gpu_type, gpu_num } = config.instance_type
  const taken = config.instance_types.some(({ type }) => familyOf(type).gpus === 'attached')
  if (!gpu_type || !gpu_num || !taken) return
  const acceleratorType = machineTypeName(gpu_type)
  for (const zone of zones) {
    const look = () => api.getAcceleratorType({ project: scope.project, zone, acceleratorType }, signal)
    await attempt(
      items,
      `GPU ${acceleratorType} in ${zone}`,
      look,
      ({ maximumCardsPerInstance: most = gpu_num }) =>
        gpu_num > most
          ? fault(`a machine takes at most ${most} ${acceleratorType}, and gpu_num is ${gpu_num}`)
          : undefined,
    )
  }
}

type Quotas = NonNullable<Region['quotas']>

/**
 * How many more VMs the quotas of the region allow (https://cloud.google.com/compute/resource-usage). Newer machine
 * series have quotas that only Cloud Quotas shows; those are not checked.
 */
async function checkQuotas(
  items: CheckItem[],
  { api, config, scope, offerings, signal }: CheckInput,
  region: Region,
  types: Map<string, MachineType>,
): Promise<void> {
  const { project } = scope
  const global = await attempt(items, `quotas of project ${project}`, () =>
    api.getProject({ project }, signal),
  )
  const kinds = new Map(offerings.map((one) => [`${one.capacityType} ${one.instanceType}`, one]))
  for (const offering of kinds.values()) {
    const type = types.get(machineTypeName(offering.instanceType))
    if (!type) continue
    const vm = machineTypeName(offering.instanceType)
    for (const [metric, perVm] of needs(config, offering.instanceType, type)) {
      const spot = offering.capacityType === 'spot' && /CPUS$|GPUS$/.test(metric)
      const item = headroom(region.quotas ?? [], { metric, spot, perVm, vm, where: regionOf(scope.zone) })
      if (item) items.push(item)
    }
    const perVm = offering.capacityType === 'spot' ? 0 : cardsOf(config, offering.instanceType, type).length
    const everywhere = { metric: 'GPUS_ALL_REGIONS', spot: false, perVm, vm, where: 'all regions' }
    const item = headroom(global?.quotas ?? [], everywhere)
    if (item) items.push(item)
  }
}

interface Need {
  metric: string
  /** Spot VMs have separate quotas if those were ever requested; otherwise they count with the others. */
  spot: boolean
  perVm: number
  vm: string
  where: string
}

function headroom(quotas: Quotas, { metric: name, spot, perVm, vm, where }: Need): CheckItem | undefined {
  const own = spot && quotas.find((quota) => quota.metric === `PREEMPTIBLE_${name}` && quota.limit)
  const found = own || quotas.find((quota) => quota.metric === name)
  if (!found || !perVm) return undefined
  const { metric, limit = 0, usage = 0 } = found
  const room = Math.max(0, Math.floor((limit - usage) / perVm))
  const what = `quota ${metric} in ${where}`
  if (room) return { what: `${what}: ${room} more ${vm} possible` }
  const message = `${what} is too small for one more ${vm}, which needs ${perVm}: ${usage} of ${limit} are in use`
  const remedy = 'Request a higher quota (IAM & Admin, Quotas), or choose another type or region.'
  return { what, problem: problem('PROVIDER_QUOTA', message, { remedy }) }
}

function needs(
  config: GcpConfig,
  instanceType: string,
  type: MachineType,
): [metric: string, perVm: number][] {
  const { name } = familyOf(instanceType)
  const cards = cardsOf(config, instanceType, type)
  const ssd = /^pd-(?:ssd|balanced)$/.test(config.boot_disk_type)
  const standard = config.boot_disk_type === 'pd-standard'
  return [
    // N1 and E2 share one quota, other series have their own.
    [/^(?:n1|e2)$/.test(name) ? 'CPUS' : `${name.toUpperCase()}_CPUS`, type.guestCpus ?? 0],
    ...[...new Set(cards)].map((card): [string, number] => [
      gpuMetric(card),
      cards.filter((other) => other === card).length,
    ]),
    ['IN_USE_ADDRESSES', config.network_interface.external_ip ? 1 : 0],
    ['SSD_TOTAL_GB', ssd ? config.boot_disk_size : 0],
    ['DISKS_TOTAL_GB', standard ? config.boot_disk_size : 0],
  ]
}

/** The type of each GPU of such a VM. */
function cardsOf(
  { instance_type }: GcpConfig,
  instanceType: string,
  { accelerators = [] }: MachineType,
): string[] {
  const { gpu_type, gpu_num } = instance_type
  const attached = familyOf(instanceType).gpus === 'attached' && gpu_type
  return [
    ...accelerators.flatMap(({ guestAcceleratorType = '', guestAcceleratorCount = 0 }) =>
      Array<string>(guestAcceleratorCount).fill(guestAcceleratorType),
    ),
    ...(attached ? Array<string>(gpu_num).fill(machineTypeName(gpu_type)) : []),
  ]
}

/** `nvidia-tesla-t4` counts as NVIDIA_T4_GPUS, `nvidia-l4` as NVIDIA_L4_GPUS. */
function gpuMetric(accelerator: string): string {
  const card = accelerator
    .replace(/^nvidia-(?:tesla-)?/, '')
    .replaceAll('-', '_')
    .toUpperCase()
  return `NVIDIA_${card}_GPUS`
}
