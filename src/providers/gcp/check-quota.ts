// How many more VMs the quotas of the region leave room for, as far as Compute Engine's own API shows quotas.
// https://cloud.google.com/compute/resource-usage

import { problem } from '../../problems/problem.ts'
import type { CheckItem } from '../contract.ts'
import type { CheckInput } from './check.ts'
import { attempt } from './check-items.ts'
import type { MachineType, Region } from './gce-api.ts'
import type { GcpConfig } from './gcp-config.ts'
import { regionOf } from './launch-steps.ts'
import { familyOf, machineTypeName } from './machine-type.ts'

type Quotas = NonNullable<Region['quotas']>

/** Newer machine series have quotas that only Cloud Quotas shows: those are not found here, and not judged. */
export async function checkQuotas(
  items: CheckItem[],
  { api, config, place, offerings, signal }: CheckInput,
  region: Region,
  types: Map<string, MachineType>,
): Promise<void> {
  const { project } = place
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
      const item = headroom(region.quotas ?? [], { metric, spot, perVm, vm, where: regionOf(place.zone) })
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
  /** Spot VMs have quotas of their own where those were ever asked for, and count with the others where not. */
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
  if (room) return { what: `${what}: room for ${room} more ${vm}` }
  const message = `${what} has no room for a ${vm}, which needs ${perVm}: ${usage} of ${limit} are used`
  const remedy = 'Ask for more of the quota (IAM & Admin, Quotas), or choose another type or region.'
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

/** The type of each GPU in such a VM. */
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
