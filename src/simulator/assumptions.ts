// What a simulation takes for granted, since no file tells it.
import { type FaultKind, faultKinds } from './fault-kinds.ts'

export interface Assumptions {
  /** The same seed, the same outcome, whatever else is asked. */
  seed: string
  /** Milliseconds from the launch of a VM until its agent joins, drawn evenly. */
  boot: { least: number; most: number }
  /** The scheduler places work within so many milliseconds. */
  placesWithin: number
  /** The master sees within so many milliseconds that an agent is gone with its VM. */
  missedWithin: number
  /** What goes wrong, again and again; nothing by default. */
  faults: readonly FaultKind[]
  /** The provisioner asks the master every few seconds instead of being told of changes. */
  polled: boolean
}

/** They change the question, are orders the origin cannot hear, or need more than a trace to mean something. */
const notForTrials: readonly FaultKind[] = [
  'max_changed',
  'paused',
  'removal_ordered',
  'unplaceable_work',
  'foreign_vms',
  'no_push',
]

/** What can be asked for by name. */
export const trialFaults = faultKinds.filter((kind) => !notForTrials.includes(kind))

/** With it no VM ever joins, and nothing else shows. */
const leavesNothing: FaultKind = 'bad_image'

/** What `all` means. */
export const allTrialFaults = trialFaults.filter((kind) => kind !== leavesNothing)
