// A world before it begins: everything that follows from the seed and the menu, as data.

import type { PoolSettings } from '../fleet/settings.ts'
import { fixedPeriods, type Policy } from '../planner/policy.ts'
import type { KnownOffering } from '../planner/snapshot.ts'
import {
  type FaultKind,
  type IncidentKind,
  incidentKinds,
  type Oddity,
  type VmFault,
  vmFaults,
  type WeatherKind,
  weatherKinds,
} from './fault-kinds.ts'
import { createRandom, type Random } from './random.ts'

export interface JobPlan {
  id: string
  at: number
  slots: number
  /** Milliseconds of work. */
  duration: number
  job?: string
  maxSlots?: number
  /** The scheduler never places it. */
  unplaceable?: boolean
}

export interface Weather {
  kind: WeatherKind
  from: number
  to: number
  /** A choice within the kind: which offerings, how many, how often. */
  draw: number
}

export interface Incident {
  kind: IncidentKind
  at: number
  /** How long it lasts, in milliseconds. */
  lasts: number
  draw: number
}

export interface Scenario {
  seed: string
  faults: readonly FaultKind[]
  startsAt: number
  /** From then on nothing goes wrong any more, and all that went wrong must be mended. */
  calmAt: number
  policy: Policy
  offerings: Omit<KnownOffering, 'refused'>[]
  jobs: JobPlan[]
  weather: Weather[]
  incidents: Incident[]
  vmFaults: VmFault[]
  oddities: Set<Oddity>
  /** Of a pool that is tried on a trace (trial/). Left out, these are drawn, or the worst. */
  given?: Given
}

export interface Given extends Pick<PoolSettings, 'launchError' | 'visibility'> {
  /** Milliseconds from the making of a VM until its agent joins, drawn evenly. */
  boot: { least: number; most: number }
  /** The scheduler places work within so many milliseconds. */
  placesWithin: number
  /** The master sees within so many milliseconds that an agent is gone with its VM. */
  missedWithin: number
}

const second = 1000
const minute = 60 * second
const startsAt = Date.parse('2026-11-23T12:00:00Z')
const catalogue: Readonly<Record<string, number>> = { m1: 1, m4: 4, n4: 4, m8: 8 }

/** The same seed and faults give the same scenario. `faults` in any order. */
export function createScenario(seed: string, faults: readonly FaultKind[]): Scenario {
  const random = createRandom(seed)
  const chaos = random.fork('chaos').whole(8, 20) * minute
  const calmAt = startsAt + chaos
  const has = (kind: FaultKind) => faults.includes(kind)
  return {
    seed,
    faults,
    startsAt,
    calmAt,
    policy: policyOf(random.fork('policy')),
    offerings: offeringsOf(random.fork('offerings')),
    jobs: jobsOf(random.fork('jobs'), chaos, has('unplaceable_work')),
    weather: weatherKinds.filter(has).flatMap((kind) => weatherOf(kind, random.fork('weather', kind), chaos)),
    incidents: incidentKinds
      .filter(has)
      .flatMap((kind) => incidentsOf(kind, random.fork('incident', kind), chaos))
      .sort((a, b) => a.at - b.at),
    vmFaults: vmFaults.filter(has),
    oddities: new Set(faults as Oddity[]),
  }
}

function policyOf(random: Random): Policy {
  const maxInstances = random.whole(1, 10)
  return {
    minInstances: random.chance(60) ? 0 : random.whole(0, Math.min(3, maxInstances)),
    maxInstances,
    maxIdle: random.whole(60, 240) * second,
    bootTimeout: random.whole(150, 300) * second,
    reconnectWait: 25 * second,
    placementGrace: 30 * second,
    maxAuxPerAgent: random.pick([0, 2, 100]),
    launchRate: random.chance(80) ? 500 : Math.max(10, 2 * maxInstances),
    ...fixedPeriods,
  }
}

function offeringsOf(random: Random): Scenario['offerings'] {
  const types = random.pick([['m4'], ['m4'], ['m8', 'm4'], ['m4', 'm8'], ['n4', 'm4'], ['m1', 'm8']])
  const zones = random.pick([['a'], ['a', 'b']])
  const capacities = random.pick([['on_demand'], ['on_demand'], ['spot'], ['spot', 'on_demand']] as const)
  return capacities.flatMap((capacityType, c) =>
    types.flatMap((instanceType, t) =>
      zones.map((zone, z) => ({
        instanceType,
        zone,
        capacityType,
        slots: catalogue[instanceType]!,
        preference: (c * types.length + t) * zones.length + z,
      })),
    ),
  )
}

function jobsOf(random: Random, chaos: number, someUnplaceable: boolean): JobPlan[] {
  const jobs: JobPlan[] = []
  const maxSlots = [random.whole(2, 8), random.whole(2, 8)]
  const last = startsAt + chaos
  for (let at = startsAt + random.whole(0, 30) * second; at < last; at += random.whole(5, 180) * second)
    for (let n = random.chance(15) ? random.whole(3, 12) : 1; n > 0; n--) {
      const id = `job-${jobs.length}`
      const group = random.whole(0, 1)
      const held = random.chance(10) ? { job: `group-${group}`, maxSlots: maxSlots[group]! } : {}
      const slots = random.pick([0, 1, 1, 1, 2, 3, 4, 4, 4, 8, 8, 16])
      const unplaceable = someUnplaceable && random.chance(10)
      jobs.push({ id, at, slots, duration: random.whole(5, 300) * second, ...held, unplaceable })
    }
  return jobs
}

function weatherOf(kind: WeatherKind, random: Random, chaos: number): Weather[] {
  return Array.from({ length: random.whole(1, 2) }, () => {
    const from = startsAt + random.whole(0, chaos)
    const to = Math.min(startsAt + chaos, from + random.whole(30, 480) * second)
    return { kind, from, to, draw: random.next() }
  })
}

function incidentsOf(kind: IncidentKind, random: Random, chaos: number): Incident[] {
  return Array.from({ length: random.whole(1, 2) }, () => {
    const at = startsAt + random.whole(10 * second, chaos - 60 * second)
    const lasts = kind === 'journal_lost' ? random.whole(180, 300) : random.whole(2, 180)
    return { kind, at, lasts: lasts * second, draw: random.next() }
  })
}
