// A world before it starts: everything that follows from the seed and the selected faults, as data.
import type { PoolSettings } from '../fleet/index.ts'
import { fixedPeriods, type KnownOffering, type Policy } from '../planner/index.ts'
import { createRandom, type Random } from './random.ts'
import { type OpenWindow, rolloutOf, windowOf } from './rollout-draws.ts'

export interface JobPlan {
  id: string
  at: number
  slots: number
  /** Milliseconds of the job's run time. */
  duration: number
  job?: string
  maxSlots?: number
  /** The scheduler never places it. */
  unplaceable?: boolean
}

export interface TimedFault {
  kind: TimedFaultKind
  from: number
  to: number
  /** Selects a variant of the kind: which offerings, how many, how often. */
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
  /** From then on there are no more faults, and everything must recover. */
  calmAt: number
  policy: Policy
  offerings: Omit<KnownOffering, 'refused'>[]
  jobs: JobPlan[]
  timedFaults: TimedFault[]
  incidents: Incident[]
  instanceFaults: InstanceFault[]
  oddities: Set<Oddity>
  /** When rollouts may begin to replace instances; undefined: always. */
  window?: OpenWindow | undefined
  /** The settings of a pool that is tried on a trace (trial.ts). If omitted, they are drawn at random. */
  given?: Given
}

export interface Given extends Pick<PoolSettings, 'launchError' | 'visibility'> {
  /** Milliseconds from the launch of a VM until its agent joins, drawn evenly. */
  boot: { least: number; most: number }
  /** Milliseconds within which the scheduler places jobs. */
  placesWithin: number
  /** Milliseconds within which the master notices that an agent is gone with its VM. */
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
    policy: {
      ...policyOf(random.fork('policy')),
      ...limitsOf(random.fork('limits'), has),
      ...rolloutOf(random.fork('rollout'), has),
    },
    offerings: offeringsOf(random.fork('offerings')),
    jobs: [
      ...jobsOf(random.fork('jobs'), chaos, has('unplaceable_work')),
      ...(has('gangs') ? gangsOf(random.fork('gangs'), chaos) : []),
    ],
    timedFaults: timedFaultKinds
      .filter(has)
      .flatMap((kind) => faultTimesOf(kind, random.fork('weather', kind), chaos)),
    incidents: incidentKinds
      .filter((kind) => has(kind) && (!has('several_provisioners') || !ofOneFolder.includes(kind)))
      .flatMap((kind) => incidentsOf(kind, random.fork('incident', kind), chaos))
      .sort((a, b) => a.at - b.at),
    instanceFaults: vmFaults.filter(has),
    oddities: new Set(faults as Oddity[]),
    window: has('rollout_schedule') ? windowOf(random.fork('schedule')) : undefined,
  }
}

/** Incidents of a state folder, or of a process that is alone on its machine. */
const ofOneFolder: readonly IncidentKind[] = [
  'journal_lost',
  'second_writer',
  'cloned_writer',
  'clock_set',
  'clock_moves',
  'pool_leaves',
]

function policyOf(random: Random): Policy {
  const maxInstances = random.whole(1, 10)
  return {
    minInstances: random.chance(60) ? 0 : random.whole(0, Math.min(3, maxInstances)),
    maxInstances,
    maxIdle: random.chance(15) ? 10 * second : random.whole(60, 240) * second,
    bootTimeout: random.whole(150, 300) * second,
    reconnectWait: 25 * second,
    placementGrace: 30 * second,
    maxAuxPerAgent: random.pick([0, 2, 100]),
    launchRate: random.chance(80) ? 500 : Math.max(10, 2 * maxInstances),
    ...fixedPeriods,
  }
}

/** What the worlds of some faults need, so that those faults matter. */
function limitsOf(random: Random, has: (kind: FaultKind) => boolean): Partial<Policy> {
  const limits: Partial<Policy> = {}
  if (has('gangs')) limits.maxInstances = random.whole(4, 12)
  if (has('short_lived')) limits.launchRate = random.whole(10, 30)
  if (has('gangs')) limits.separateGangs = random.chance(50)
  return limits
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

/** Jobs that need several instances together, some of them with a limit for the whole job. */
function gangsOf(random: Random, chaos: number): JobPlan[] {
  const jobs: JobPlan[] = []
  const last = startsAt + chaos
  for (let at = startsAt + random.whole(0, 60) * second; at < last; at += random.whole(20, 240) * second) {
    const slots = random.pick([8, 8, 12, 16, 16, 24, 32])
    // The allocations of one job have one limit.
    const maxSlots = random.pick([16, 32])
    const held = random.chance(15) ? { job: `gang-${maxSlots}`, maxSlots } : {}
    jobs.push({ id: `gang-${jobs.length}`, at, slots, duration: random.whole(20, 300) * second, ...held })
  }
  return jobs
}

function faultTimesOf(kind: TimedFaultKind, random: Random, chaos: number): TimedFault[] {
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

// The faults that a world can have.

/** Faults of cloud calls while they are active. */
export const timedFaultKinds = [
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
  /** A complete listing omits single instances, some of them for as long as the fault lasts. */
  'omitted_instances',
  /** Complete listings that are empty. */
  'empty_listings',
  /** Responses that are not the cloud's own, such as a portal's page: the call may have had its effect. */
  'foreign_answers',
  'master_down',
  'drain_fails',
  /** The view of the master that arrives is seconds to minutes old, and sometimes older than the one before. */
  'old_views',
  /** Reads of the master take up to 50 s, as those of ten thousand agents do: a later one may be answered first. */
  'slow_reads',
  /** A termination takes effect up to two minutes later, whoever sent it has died or not. */
  'late_terminations',
  /** The master carries out a drain or an undrain up to five minutes later, and does not answer. */
  'late_drains',
  /** Of several provisioners, one or all cannot reach the store, get no answer until the fault ends, or wait for seconds. */
  'store_down',
  'store_paused',
  'store_slow',
] as const
export type TimedFaultKind = (typeof timedFaultKinds)[number]

/** Faults of a VM. */
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
export type InstanceFault = (typeof vmFaults)[number]

/** Incidents of the provisioner, its configuration and its environment. */
export const incidentKinds = [
  'crash',
  'crash_in_call',
  /** Killed again and again, each time before a checkpoint is written. */
  'crash_loop',
  'restart',
  'journal_lost',
  'second_writer',
  /** A copy of the state folder is started beside the original. */
  'cloned_writer',
  /**
   * The clock of the machine is set between two processes, by up to three hours, in the same boot or before another.
   */
  'clock_set',
  /** The pool is removed from the configuration for a while: its instances are orphans. */
  'pool_leaves',
  'certificate_renewed',
  'gate_closed',
  'max_changed',
  'paused',
  'drained_by_person',
  /** Without a drain: jobs on the agent continue, and only that person may enable it again. */
  'disabled_by_person',
  'removal_ordered',
  /** Agents that run on no known VM connect to the master and offer slots. */
  'strangers',
  /** The clock of the machine is set while the provisioner runs, which has a clock of its own until it is restarted. */
  'clock_moves',
  /** The machine is suspended: time passes, and nothing in the process runs. */
  'suspended',
  /** Of several provisioners, the leader is suspended between its last check of its lease and a call, which it sends then. */
  'stopped_in_call',
  /** Of several provisioners, one is killed, one stops in order and gives up its leases, and one is suspended. */
  'host_killed',
  'host_leaves',
  'host_suspended',
  /** Of several provisioners, the store fails over to a standby that lacks the last commits. */
  'commits_lost',
  /** What instances are made from changes; sometimes to what does not join, has too few slots, or does not last. */
  'generation_changed',
  'rollout_paused',
] as const
export type IncidentKind = (typeof incidentKinds)[number]

/** Peculiarities of the whole world. */
export const oddities = [
  'late_visibility',
  'clock_skew',
  'unplaceable_work',
  'foreign_vms',
  'no_push',
  /** No VM launched before the calm ever joins. */
  'bad_image',
  /** Listings take up to a minute, as those of ten thousand instances do. They show what was true at their start. */
  'slow_listing',
  /** Listings show terminated instances for an hour, as EC2's do. */
  'ended_stay_listed',
  /** Many jobs need several instances together. */
  'gangs',
  /** Every VM launched before the calm stops by itself within two minutes of joining. */
  'short_lived',
  /** The pool gets its part of a listing of the whole cluster, and looks up by id what starts. */
  'shared_listing',
  /** Other pools of the cluster use up the account's quota and rate limits. */
  'neighbours',
  /** Two or three provisioners on hosts with different clocks share a store, and lead pools for a term. */
  'several_provisioners',
  /** Instances are replaced after some minutes. */
  'short_lifetime',
  'rollout_schedule',
  /** Busy instances that a rollout replaces are terminated after a while. */
  'drain_timeout',
] as const
export type Oddity = (typeof oddities)[number]

export type FaultKind = TimedFaultKind | InstanceFault | IncidentKind | Oddity

/** Drawn last, so that worlds of earlier seeds keep the faults that they had. */
const newest: readonly FaultKind[] = [
  'old_views',
  'slow_reads',
  'clock_moves',
  'suspended',
  'ended_stay_listed',
  'gangs',
  'short_lived',
  'shared_listing',
  'neighbours',
  'late_terminations',
  'late_drains',
  'several_provisioners',
  'store_down',
  'store_paused',
  'store_slow',
  'stopped_in_call',
  'host_killed',
  'host_leaves',
  'host_suspended',
  'commits_lost',
  'generation_changed',
  'rollout_paused',
  'short_lifetime',
  'rollout_schedule',
  'drain_timeout',
]
const allKinds: readonly FaultKind[] = [...timedFaultKinds, ...vmFaults, ...incidentKinds, ...oddities]
export const faultKinds: readonly FaultKind[] = [
  ...allKinds.filter((kind) => !newest.includes(kind)),
  ...newest,
]

/** A selection of the faults, determined by the seed: a world with all of them at once shows little. */
export function someFaults(seed: string): FaultKind[] {
  const random = createRandom(seed).fork('menu')
  const percent = random.pick([8, 15, 30, 60])
  return faultKinds.filter(() => random.chance(percent))
}

// The names in a world: its cluster, the main provisioner, and the intruding one.

export const clusterId = 'cluster'
export const poolName = 'default'
export const mainName = 'main'
export const secondName = 'other'

/** The writer name in the tags of instances: it differs for each process (`life`, counted from 1) of a provisioner. */
export function writerOf(name: string, life: number): string {
  return `${name}/${life}`
}

/** The name of the provisioner behind a writer. */
export function nameOfWriter(writer: string): string {
  return writer.slice(0, writer.lastIndexOf('/'))
}
