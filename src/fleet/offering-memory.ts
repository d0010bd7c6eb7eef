// What is remembered of offerings the cloud refused, and for how long.

import type { FailureClass, Instance } from '../planner/instance.ts'
import { type Offering, offeringKey } from '../planner/instance.ts'
import type { LaunchFailure } from '../providers/launch.ts'
import { delayAfter, refusalGrowth } from './backoff.ts'

export interface Refusal {
  class: FailureClass
  /** Refusals in a row. */
  failures: number
  /** Not asked again before. */
  until: number
}

/** By `offeringKey`. */
export type OfferingMemory = Map<string, Refusal>

/**
 * Learns from one launch call: what refused is remembered longer each time, what gave a VM is forgotten.
 * A failure without an offering is one of the whole call.
 */
export function learn(
  memory: OfferingMemory,
  asked: readonly Offering[],
  instances: readonly Instance[],
  failures: readonly LaunchFailure[],
  now: number,
  random: () => number,
): void {
  const refused = new Map<string, FailureClass>()
  for (const failure of failures)
    for (const offering of failure.offering ? [failure.offering] : asked)
      refused.set(offeringKey(offering), failure.class)
  for (const offering of asked) {
    const key = offeringKey(offering)
    const gave = instances.some((instance) => isFrom(instance, offering))
    if (gave && !refused.has(key)) memory.delete(key)
  }
  for (const [key, failureClass] of refused) {
    const count = (memory.get(key)?.failures ?? 0) + 1
    const until = now + delayAfter(count, refusalGrowth[failureClass], random)
    memory.set(key, { class: failureClass, failures: count, until })
  }
}

/** The zone is the cloud's word for it and need not be the offering's (a subnet on EC2). */
function isFrom({ instanceType, capacityType }: Instance, offering: Offering): boolean {
  return instanceType === offering.instanceType && capacityType === offering.capacityType
}
