// Machine types and attached GPUs in each zone of the pool.
import type { CheckItem } from '../contract.ts'
import type { CheckInput } from './check.ts'
import { attempt, fault } from './check-items.ts'
import type { MachineType } from './gce-api.ts'
import { familyOf, machineTypeName } from './machine-type.ts'
import { gpusOf } from './slots.ts'

/** The types there are, by name. A type that some zones lack is used where it is, so each zone is an item. */
export async function checkTypes(items: CheckItem[], input: CheckInput): Promise<Map<string, MachineType>> {
  const { api, config, place, signal } = input
  const { project } = place
  const zones = config.zones.length ? config.zones : [place.zone]
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
              `${machineType} has ${real} GPUs, but the pool counts on ${slots} slots`,
              'Correct the slots of the machine type.',
            )
      })
      if (found) known.set(machineType, found)
    }
  await checkGpus(items, input, zones)
  return known
}

/** Only N1 machines take GPUs; the others bring theirs. */
async function checkGpus(items: CheckItem[], { api, config, place, signal }: CheckInput, zones: string[]) {
  const { gpu_type, gpu_num } = config.instance_type
  const taken = config.instance_types.some(({ type }) => familyOf(type).gpus === 'attached')
  if (!gpu_type || !gpu_num || !taken) return
  const acceleratorType = machineTypeName(gpu_type)
  for (const zone of zones) {
    const look = () => api.getAcceleratorType({ project: place.project, zone, acceleratorType }, signal)
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
