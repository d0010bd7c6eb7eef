// How a VM is bought and what happens to it: spot or not, at maintenance, at its end.
import type { CapacityType } from '../../planner/instance.ts'
import type { Scheduling } from './compute-types.ts'

export interface SchedulingInput {
  base: Scheduling
  capacity: CapacityType
  /** Whether a key of ours says what is bought; without it, `base_config` does. */
  decided: boolean
  /** GPUs, and families that stay on their host. */
  stays: boolean
}

/** `base_config.scheduling` with what the way of buying and the family need laid over it. */
export function schedulingOf({ base, capacity, decided, stays }: SchedulingInput): Scheduling {
  const kept = decided ? withoutModel(base) : base
  const model = decided && capacity === 'spot' ? 'SPOT' : kept.provisioningModel
  const taken = model === 'SPOT' || kept.preemptible === true
  return {
    ...kept,
    ...(model ? { provisioningModel: model } : {}),
    // The only values spot VMs may have; DELETE, because a stopped agent VM is never started again.
    ...(model === 'SPOT' ? { instanceTerminationAction: kept.instanceTerminationAction ?? 'DELETE' } : {}),
    ...(taken ? { automaticRestart: false } : {}),
    onHostMaintenance: taken || stays ? 'TERMINATE' : (kept.onHostMaintenance ?? 'MIGRATE'),
  }
}

function withoutModel({ provisioningModel: _, preemptible: __, ...rest }: Scheduling): Scheduling {
  return rest
}
