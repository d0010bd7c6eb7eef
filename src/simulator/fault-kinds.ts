// The menu of what can go wrong in a world.
import { createRandom } from './random.ts'

/** What the cloud does to calls while such weather lasts. */
export const weatherKinds = [
  'stock_out',
  'quota',
  'partial_launch',
  'throttle',
  'auth_lost',
  'server_errors',
  'outage',
  'reply_lost',
  'effect_late',
  'silent_calls',
  'partial_listing',
  'failed_listing',
  'flickering_listing',
  'master_down',
  'drain_fails',
] as const
export type WeatherKind = (typeof weatherKinds)[number]

/** What can become of a VM. */
export const vmFaults = [
  'stuck_pending',
  'never_boots',
  'never_joins',
  'script_fails',
  'joins_late',
  'short_of_slots',
  'broken_agent',
  'flaps',
  'cut_off',
  'vanishes',
  'stops',
  'spot_notice',
  'spot_notice_alone',
  'spot_without_notice',
] as const
export type VmFault = (typeof vmFaults)[number]

/** What happens to the provisioner, its configuration and its surroundings. */
export const incidentKinds = [
  'crash',
  'crash_in_call',
  'restart',
  'journal_lost',
  'second_writer',
  'certificate_renewed',
  'gate_closed',
  'max_changed',
  'paused',
  'drained_by_person',
  'removal_ordered',
] as const
export type IncidentKind = (typeof incidentKinds)[number]

/** What is odd about the world as a whole. */
export const oddities = [
  'late_visibility',
  'clock_skew',
  'unplaceable_work',
  'foreign_vms',
  'no_push',
  /** No VM launched before the calm ever joins. */
  'bad_image',
] as const
export type Oddity = (typeof oddities)[number]

export type FaultKind = WeatherKind | VmFault | IncidentKind | Oddity
export const faultKinds: readonly FaultKind[] = [...weatherKinds, ...vmFaults, ...incidentKinds, ...oddities]

/** Some of the menu, as the seed has it: a world where everything goes wrong at once shows little. */
export function someFaults(seed: string): FaultKind[] {
  const random = createRandom(seed).fork('menu')
  const percent = random.pick([8, 15, 30, 60])
  return faultKinds.filter(() => random.chance(percent))
}
