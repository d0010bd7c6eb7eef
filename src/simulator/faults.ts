// The cloud's faults over time, in the form that the simulated cloud reads.

import type { FailureStage } from '../agent-setup/index.ts'
import { type Offering, offeringKey } from '../planner/index.ts'
import type { CallKind, Cloud, Fate, Faults } from './cloud.ts'
import type { Random } from './random.ts'
import type { InstanceFault, Scenario, TimedFault, TimedFaultKind } from './scenario.ts'

const second = 1000
/**
 * Milliseconds; a flickering listing omits an instance at most once in this time; `omitted_instances` has no such
 * limit.
 */
const flickerApart = 300 * second
/** How long a lookup by id may miss an existing instance, and how far apart two such times begin. */
const unfoundFor = 55 * second
const unfoundApart = 240 * second

export interface FaultSchedule {
  faults: Faults
  /** The timed fault of this kind that is active now, if any. */
  now(kind: TimedFaultKind): TimedFault | undefined
}

/**
 * `cloud` returns the number of VMs so far, because the life of a VM depends on its number. While a provisioner has lost its
 * memory (`isWithoutMemory`), complete listings omit nothing: otherwise an instance could not be known at all.
 */
export function createFaults(
  scenario: Scenario,
  random: Random,
  now: () => number,
  cloud: () => Cloud,
  isWithoutMemory: () => boolean,
): FaultSchedule {
  const draw = random.fork('fates')
  const flickered = new Map<string, number>()
  const unfoundSince = new Map<string, number>()
  const plenty = Math.max(1000, 2 * scenario.policy.maxInstances)

  function active(kind: TimedFaultKind): TimedFault | undefined {
    const time = now()
    return scenario.timedFaults.find((w) => w.kind === kind && w.from <= time && time < w.to)
  }

  function fate(call: CallKind): Fate {
    if (active('auth_lost')) return 'refused'
    if (active('outage')) return draw.chance(50) ? 'failed' : 'silent'
    if (active('server_errors') && draw.chance(60)) return 'failed'
    if (active('throttle') && draw.chance(60)) return 'throttled'
    if (active('silent_calls') && draw.chance(30)) return 'silent'
    if (call === 'list' && active('failed_listing') && draw.chance(80)) return 'failed'
    if (active('foreign_answers') && draw.chance(50)) return draw.chance(50) ? 'garbled' : 'failed'
    if (call === 'launch' && active('effect_late') && draw.chance(50)) return 'effect_late'
    if (call === 'terminate' && active('late_terminations') && draw.chance(50)) return 'effect_late'
    if ((call === 'launch' || call === 'terminate') && active('reply_lost') && draw.chance(50))
      return 'reply_lost'
    return 'done'
  }

  function stock(offering: Offering): number {
    const faults = active('stock_out')
    if (!faults) return plenty
    // One zone, one type, or everything, sometimes with one remaining VM.
    const left = draw.chance(20) ? 1 : 0
    const first = scenario.offerings[0]!
    if (faults.draw < 0.3) return offering.zone === first.zone ? left : plenty
    if (faults.draw < 0.6) return offeringKey(offering) === offeringKey(first) ? left : plenty
    return left
  }

  /** Some for as long as the fault lasts, others only sometimes. */
  function isOmitted(id: string): boolean {
    return random.fork('omitted', id, active('omitted_instances')!.from).chance(40) || draw.chance(30)
  }

  /**
   * A lookup by id sometimes misses an instance too, but never for a minute (once it is old enough to be looked up).
   */
  function isUnfound(id: string): boolean {
    if (!active('omitted_instances') && !active('empty_listings')) return false
    const since = unfoundSince.get(id)
    if (since !== undefined && now() - since < unfoundApart) return now() - since < unfoundFor
    const begins = draw.chance(30)
    if (begins) unfoundSince.set(id, now())
    return begins
  }

  const faults: Faults = {
    fate,
    latency: (call) => {
      const slow = call === 'launch' ? 1500 : 600
      return { there: draw.whole(10, slow), back: draw.whole(10, slow) }
    },
    clientTimeout: 30 * second,
    lateness: () => draw.whole(30, 110) * second,
    stock,
    quota: () => {
      const faults = active('quota')
      return faults ? Math.floor(faults.draw * scenario.policy.maxInstances) : plenty
    },
    gives: (count) => (active('partial_launch') && count > 0 ? draw.whole(0, count) : count),
    hiddenFor: () =>
      scenario.oddities.has('late_visibility') ? draw.whole(0, 60) * second : draw.whole(0, 2) * second,
    startsAfter: () => lifeOf(scenario, random, cloud().created, now()).startsAfter,
    lingersFor: () => draw.whole(1, 60) * second,
    remainsFor: () => (scenario.oddities.has('ended_stay_listed') ? 3600 * second : 0),
    listing(all) {
      const isBlank = isWithoutMemory()
      if (!isBlank && active('empty_listings') && draw.chance(80)) return { instances: [], complete: true }
      const instances = !isBlank && active('omitted_instances') ? all.filter(({ id }) => !isOmitted(id)) : all
      if (active('partial_listing') && draw.chance(60))
        return { instances: instances.filter(() => draw.chance(60)), complete: false }
      if (!active('flickering_listing')) return { instances, complete: true }
      return {
        complete: true,
        instances: instances.filter(({ id }) => {
          const hidden = draw.chance(15) && now() - (flickered.get(id) ?? 0) > flickerApart
          if (hidden) flickered.set(id, now())
          return !hidden
        }),
      }
    },
    listingTakes: () => (scenario.oddities.has('slow_listing') ? draw.whole(20, 60) * second : 0),
    finding: (instances) => instances.filter(({ id }) => !isUnfound(id)),
    clockSkew: scenario.oddities.has('clock_skew') ? random.fork('skew').whole(-600, 600) * second : 0,
  }
  return { faults, now: active }
}

// The life of each VM, drawn when it is launched: when it runs, when its agent joins, and what goes wrong with it.

export interface InstanceLife {
  fault: InstanceFault | undefined
  /** Milliseconds from its launch until it runs; undefined: never. */
  startsAfter: number | undefined
  /** Milliseconds from its launch until its agent joins; undefined: never. */
  joinsAfter: number | undefined
  /** Milliseconds from its launch until the fault occurs, for those that occur later. */
  faultAfter: number
  /** The stage its script ends with. */
  stage: FailureStage | undefined
}
/** What goes wrong with every instance of a generation. */
export type BadGeneration = 'never_joins' | 'script_fails' | 'short_of_slots' | 'vanishes'

const faultyPercent = 35

/** `ordinal` counts the VMs of the world from 1; VMs launched in a calm world have no faults. */
export function lifeOf(
  scenario: Scenario,
  random: Random,
  ordinal: number,
  now: number,
  bad?: BadGeneration,
): InstanceLife {
  const draw = random.fork('vm', ordinal)
  const { startsAfter, joinsAfter } = bootOf(scenario, draw)
  const life = {
    startsAfter,
    joinsAfter,
    faultAfter: joinsAfter + draw.whole(5, 300) * second,
    stage: undefined,
  }
  const fault = bad ?? (now < scenario.calmAt ? faultOf(scenario, draw) : undefined)
  const { bootTimeout } = scenario.policy
  switch (fault) {
    case 'stuck_pending':
      return { ...life, fault, startsAfter: undefined, joinsAfter: undefined }
    case 'never_boots':
      return { ...life, fault, joinsAfter: undefined }
    case 'never_joins':
      return {
        ...life,
        fault,
        joinsAfter: undefined,
        faultAfter: bootTimeout + startsAfter,
        stage: 'tls_unknown_ca',
      }
    case 'script_fails':
      return { ...life, fault, joinsAfter: undefined, faultAfter: joinsAfter, stage: 'no_docker' }
    case 'joins_late':
      return { ...life, fault, joinsAfter: bootTimeout + draw.whole(-20, 40) * second }
    case 'vanishes':
      return isShortLived(scenario, now) || bad
        ? { ...life, fault, faultAfter: joinsAfter + draw.whole(5, 100) * second }
        : { ...life, fault }
    default:
      return { ...life, fault }
  }
}

function bootOf({ given }: Scenario, draw: Random): { startsAfter: number; joinsAfter: number } {
  if (given) {
    const joinsAfter = draw.whole(given.boot.least, given.boot.most)
    return { startsAfter: Math.floor(joinsAfter / 4), joinsAfter }
  }
  const startsAfter = draw.whole(3, 25) * second
  return { startsAfter, joinsAfter: startsAfter + draw.whole(10, 60) * second }
}

function isShortLived({ oddities, calmAt }: Scenario, now: number): boolean {
  return oddities.has('short_lived') && !oddities.has('bad_image') && now < calmAt
}

function faultOf({ instanceFaults, oddities }: Scenario, draw: Random): InstanceFault | undefined {
  if (oddities.has('bad_image')) return draw.pick(['never_boots', 'never_joins', 'script_fails'])
  if (oddities.has('short_lived')) return 'vanishes'
  return instanceFaults.length > 0 && draw.chance(faultyPercent) ? draw.pick(instanceFaults) : undefined
}
