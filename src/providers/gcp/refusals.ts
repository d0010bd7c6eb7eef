// Which offerings a refusal is about: those are left alone for a while.
import type { FailureClass, Offering } from '../../planner/instance.ts'
import type { LaunchFailure, LaunchOrder } from '../launch.ts'
import type { GceFailure } from './gce-failure.ts'
import type { LaunchStep } from './launch-steps.ts'

/** A lack of rights, of answers or of patience is nothing an offering could help. */
const ofAll: FailureClass[] = ['auth', 'transient', 'throttle']

/**
 * A stock-out is that of its zone. A quota is the region's, so that the other zones would refuse as well; so would they
 * when no zone is named, or when the request itself is wrong.
 */
export function refusalsOf(
  step: LaunchStep,
  { intent }: LaunchOrder,
  failure: GceFailure,
  zone?: string,
): LaunchFailure[] {
  if (ofAll.includes(failure.class)) return [{ ...failure, missing: 0 }]
  const inZone = step.offerings.filter((offering) => offering.zone === zone)
  const about = failure.class === 'capacity' && inZone.length ? inZone : step.offerings
  return about.map((offering) => ({
    ...failure,
    missing: 0,
    offering: intent.offerings.find((asked) => isSame(asked, offering)) ?? offering,
  }))
}

/** A step knows the zone of an offering that names none. */
function isSame(asked: Offering, { instanceType, capacityType, zone }: Offering): boolean {
  const same = asked.instanceType === instanceType && asked.capacityType === capacityType
  return same && (asked.zone === zone || asked.zone === '')
}

/** Completes "could not …". */
export function launching({ offerings, names }: LaunchStep): string {
  const { instanceType, zone, capacityType } = offerings[0]!
  const where = offerings.length > 1 ? `any of ${offerings.map((one) => one.zone).join(', ')}` : zone
  return `launch ${names.length} ${capacityType === 'spot' ? 'spot ' : ''}${instanceType} in ${where}`
}
