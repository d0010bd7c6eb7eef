// Work that a pool can never run, however long it waits.

import type { Offering } from '../planner/instance.ts'
import type { Policy } from '../planner/policy.ts'
import type { FleetCode } from '../problems/fleet-codes.ts'
import type { TraceJob } from './trace-trace.ts'

export type MisfitCode = Extract<
  FleetCode,
  'NEVER_FITS' | 'EXCEEDS_MAX' | 'AUX_NOT_ALLOWED' | 'JOB_AT_MAX_SLOTS'
>

/** Why the work never fits; undefined when it does. Work larger than a VM takes whole VMs of one size. */
export function misfitOf(
  { slots, maxSlots = Number.POSITIVE_INFINITY }: Pick<TraceJob, 'slots' | 'maxSlots'>,
  offerings: readonly Pick<Offering, 'slots'>[],
  { maxInstances, maxAuxPerAgent }: Pick<Policy, 'maxInstances' | 'maxAuxPerAgent'>,
): MisfitCode | undefined {
  if (maxInstances === 0) return 'EXCEEDS_MAX'
  if (slots === 0) return maxAuxPerAgent === 0 ? 'AUX_NOT_ALLOWED' : undefined
  if (slots > maxSlots) return 'JOB_AT_MAX_SLOTS'
  const needs = offerings.flatMap((offering) => {
    if (offering.slots >= slots) return [1]
    return offering.slots > 0 && slots % offering.slots === 0 ? [slots / offering.slots] : []
  })
  if (needs.length === 0) return 'NEVER_FITS'
  return Math.min(...needs) > maxInstances ? 'EXCEEDS_MAX' : undefined
}
