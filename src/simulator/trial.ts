// One policy on one trace, from the first submission until the jobs are done and the pool has shrunk again.

import type { PoolSettings } from '../fleet/index.ts'
import type { Offering, Policy } from '../planner/index.ts'
import type { FleetCode } from '../problems/index.ts'
import type { Violation } from './observations.ts'
import type { StartProvisioner } from './provisioner.ts'
import { createRandom } from './random.ts'
import { scheduleIncidents } from './run-world.ts'
import { createScenario, type FaultKind, faultKinds, mainName, type Scenario, vmFaults } from './scenario.ts'
import type { Work, WorkWatcher } from './scheduler.ts'
import type { Trace, TraceJob } from './trace.ts'
import { createWorld, diskOf, startInWorld, type World } from './world.ts'

export interface TrialOptions {
  start: StartProvisioner
  /** The offerings that the policy uses. */
  offerings: Scenario['offerings']
  /** Called from time to time. */
  onProgress?: (progress: Progress) => void
  /** Aborted: `runTrial` throws its reason. */
  signal?: AbortSignal
}

export interface Progress {
  /** Virtual milliseconds since the start. */
  elapsed: number
  finished: number
  submitted: number
}

export interface Trial {
  world: World
  meter: Meter
  /** Virtual time at which it ended. */
  endedAt: number
  violations: readonly Violation[]
  /** Milliseconds during which each reason blocked the provisioner. */
  held: ReadonlyMap<string, number>
}

const sampleEvery = 30_000
const stepsBetweenLooks = 500
const restartsAfter = 6 * 60_000

export async function runTrial(scenario: Scenario, options: TrialOptions): Promise<Trial> {
  const { start, offerings, onProgress, signal } = options
  const meter = createMeter(
    () => world.clock.now(),
    (id) => world.cloud.instances.get(id)?.endedAt,
  )
  const world = createWorld(scenario, start, {
    isUp: meter.isUp,
    onStart: meter.onStart,
    onEnd(work, how) {
      meter.onEnd(work, how)
      // Finished jobs need not be checked again.
      if (how === 'done') world.master.work.delete(work.id)
    },
  })
  const { clock, invariants } = world
  // As if it had run before: with an empty disk it would first wait a minute for listings.
  await diskOf(world, mainName).append({ at: clock.now(), kind: 'begun' })
  startInWorld(world, mainName)
  if (scenario.faults.length > 0) scheduleIncidents(world)

  const held = new Map<string, number>()
  const isOver = createEnd(world, meter, offerings)
  const keepUp = createStateStore(world)
  let sampledAt = clock.now()
  await clock.run(() => {
    if (clock.steps % stepsBetweenLooks === 0) {
      if (signal?.aborted) return true
      onProgress?.({
        elapsed: clock.now() - scenario.startsAt,
        finished: meter.finished,
        submitted: scenario.jobs.length,
      })
    }
    if (clock.now() - sampledAt < sampleEvery) return false
    for (const code of holdsOf(world)) held.set(code, (held.get(code) ?? 0) + clock.now() - sampledAt)
    sampledAt = clock.now()
    keepUp()
    invariants.checkNow()
    return isOver()
  })
  for (const { life } of world.provisioners.values()) life.kill()
  signal?.throwIfAborted()
  return { world, meter, endedAt: clock.now(), violations: invariants.violations, held }
}

function holdsOf({ provisioners }: World): Set<string> {
  const main = provisioners.get(mainName)
  return new Set(main?.life.alive ? main.fleet.status().blocked.map(({ code }) => code) : [])
}

/** A service manager restarts a provisioner that has been down for longer than any incident lasts. */
function createStateStore(world: World): () => void {
  const { clock, provisioners } = world
  let upAt = clock.now()
  return () => {
    if (!provisioners.get(mainName)!.life.alive && clock.now() - upAt > restartsAfter)
      startInWorld(world, mainName)
    if (provisioners.get(mainName)!.life.alive) upAt = clock.now()
  }
}

// A world from a pool's settings and a trace, instead of a random one.

/** The start date for a trace without dates. */
const someDay = Date.parse('2026-11-23T00:00:00Z')

export function trialScenario(trace: Trace, settings: PoolSettings, assumptions: Assumptions): Scenario {
  const { policy, offerings, launchError, visibility } = settings
  const { seed, faults, boot, placesWithin, missedWithin, polled } = assumptions
  const startsAt = trace.beginsAt ?? someDay
  const has = (kind: string) => faults.some((fault) => fault === kind)
  const oddities = (
    ['late_visibility', 'clock_skew', 'bad_image', 'slow_listing', 'ended_stay_listed'] as const
  ).filter(has)
  return {
    seed,
    faults,
    startsAt,
    policy,
    offerings,
    jobs: trace.jobs.map((job) => ({ ...job, at: startsAt + job.at })),
    instanceFaults: vmFaults.filter(has),
    oddities: new Set(polled ? [...oddities, 'no_push'] : oddities),
    given: { boot, placesWithin, missedWithin, launchError, visibility },
    ...badSpells(seed, faults, startsAt, trace.jobs.at(-1)?.at ?? 0),
  }
}

// A bad day: every hour of the trace has a period of 8 to 20 minutes in which the chosen faults occur.

const hour = 3_600_000

/** Faults and incidents from `startsAt` on, and when they are over. `span` is milliseconds. */
export function badSpells(
  seed: string,
  faults: readonly FaultKind[],
  startsAt: number,
  span: number,
): Pick<Scenario, 'timedFaults' | 'incidents' | 'calmAt'> {
  const spells: Pick<Scenario, 'timedFaults' | 'incidents' | 'calmAt'> = {
    timedFaults: [],
    incidents: [],
    calmAt: startsAt,
  }
  if (faults.length === 0) return spells
  const random = createRandom(seed)
  const hours = Math.max(1, Math.ceil(span / hour))
  for (let n = 0; n < hours; n++) {
    const drawn = createScenario(`${seed}/hour ${n}`, faults)
    const length = drawn.calmAt - drawn.startsAt
    const from = startsAt + n * hour + random.fork('spell', n).whole(0, hour - length)
    const shift = from - drawn.startsAt
    for (const timedFaults of drawn.timedFaults)
      spells.timedFaults.push({ ...timedFaults, from: timedFaults.from + shift, to: timedFaults.to + shift })
    for (const incident of drawn.incidents) spells.incidents.push({ ...incident, at: incident.at + shift })
  }
  spells.calmAt = startsAt + hours * hour
  return spells
}

// The end of a trial: the jobs are done and idle VMs are gone, or nothing changes any more.

/** Milliseconds: if jobs that can run wait, nothing runs, and nothing is placed for this long, nothing ever will be. */
const stallTime = 6 * hour
const longestTail = 2 * hour
const longestBacklog = 30 * 24 * hour

/** Checked periodically: whether the trial is over. */
export function createEnd(world: World, meter: Meter, offerings: Scenario['offerings']): () => boolean {
  const { clock, scenario, master, cloud } = world
  const { policy, jobs, calmAt } = scenario
  const lastAt = Math.max(calmAt, jobs.at(-1)?.at ?? 0)
  const tail = Math.max(policy.maxIdle, policy.bootTimeout, policy.maxDisconnected) + longestTail
  const misfits = new Set(jobs.filter((job) => misfitOf(job, offerings, policy)).map(({ id }) => id))
  let workedAt = clock.now()
  let starts = 0
  return () => {
    const now = clock.now()
    if (now < lastAt) return false
    if (now > lastAt + longestBacklog) return true
    const { waits, runs } = leftOf(master.work.values(), misfits)
    if (runs || meter.starts !== starts) workedAt = now
    workedAt = Math.max(workedAt, lastAt)
    starts = meter.starts
    if (runs) return false
    if (waits) return now - workedAt > stallTime
    let live = 0
    for (const vm of cloud.instances.values()) if (vm.endedAt === undefined) live++
    return live <= policy.minInstances || now - workedAt > tail
  }
}

/** Whether jobs that can run at all wait or run; the running ones need no list. */
function leftOf(works: Iterable<Work>, misfits: ReadonlySet<string>): { waits: boolean; runs: boolean } {
  let waits = false
  for (const { id, state } of works) {
    if (misfits.has(id)) continue
    if (state === 'running') return { waits, runs: true }
    waits ||= state === 'pending'
  }
  return { waits, runs: false }
}

// Jobs that a pool can never run, however long they wait.

export type MisfitCode = Extract<
  FleetCode,
  'NEVER_FITS' | 'EXCEEDS_MAX' | 'AUX_NOT_ALLOWED' | 'JOB_AT_MAX_SLOTS'
>

/** Why the job never fits; undefined when it does. A job larger than a VM uses several whole VMs of one size. */
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

// The assumptions of a simulation that no file contains.

export interface Assumptions {
  /** The same seed gives the same result, whatever else is requested. */
  seed: string
  /** Milliseconds from the launch of a VM until its agent joins, drawn evenly. */
  boot: { least: number; most: number }
  /** Milliseconds within which the scheduler places jobs. */
  placesWithin: number
  /** Milliseconds within which the master notices that an agent is gone with its VM. */
  missedWithin: number
  /** The faults that occur repeatedly; none by default. */
  faults: readonly FaultKind[]
  /** The provisioner polls the master every few seconds instead of getting change notifications. */
  polled: boolean
}

/**
 * Faults that change the question, are orders that Determined's provisioner does not have, or need more than a trace.
 */
const notForTrials: readonly FaultKind[] = [
  'max_changed',
  'paused',
  'removal_ordered',
  'unplaceable_work',
  'foreign_vms',
  'strangers',
  'no_push',
  'gangs',
  'short_lived',
  'shared_listing',
  'neighbours',
  'late_terminations',
  'late_drains',
  'several_provisioners',
  'generation_changed',
  'rollout_paused',
  'short_lifetime',
  'rollout_schedule',
  'drain_timeout',
  'store_down',
  'store_paused',
  'store_slow',
  'stopped_in_call',
  'host_killed',
  'host_leaves',
  'host_suspended',
  'commits_lost',
]

/** The faults that can be requested by name. */
export const trialFaults = faultKinds.filter((kind) => !notForTrials.includes(kind))

/** With it no VM ever joins, so that nothing else can be observed. */
const leavesNothing: FaultKind = 'bad_image'

/** The meaning of `all`. */
export const allTrialFaults = trialFaults.filter((kind) => kind !== leavesNothing)

// Measures jobs: how long they waited, and how long each VM was busy. VMs count only while they exist.

export interface Use {
  /** Milliseconds with at least one job on it. */
  busy: number
  /** Slots in use times milliseconds. */
  slotTime: number
}

export interface Meter extends WorkWatcher {
  /** Milliseconds from submission to the first start, of all jobs that have started. */
  readonly waits: readonly number[]
  readonly finished: number
  /** Number of starts that were lost with a VM. */
  readonly lost: number
  readonly starts: number
  /** By VM, up to `until`. */
  uses(until: number): Map<string, Use>
}

interface Load {
  /** Jobs on it now, with the slots they use and their start. */
  work: Map<string, { slots: number; from: number }>
  busySince: number
  use: Use
}

/** @param endOf when the VM with that name ended; undefined while it exists */
export function createMeter(now: () => number, endOf: (vm: string) => number | undefined): Meter {
  const loads = new Map<string, Load>()
  const waits: number[] = []
  let finished = 0
  let lost = 0
  let starts = 0

  function loadOf(vm: string): Load {
    let load = loads.get(vm)
    if (!load) {
      load = { work: new Map(), busySince: 0, use: { busy: 0, slotTime: 0 } }
      loads.set(vm, load)
    }
    return load
  }

  /** The time from `from` until now, or until the VM ended. */
  const lasted = (vm: string, from: number, until: number) =>
    Math.max(0, Math.min(until, endOf(vm) ?? until) - from)

  return {
    waits,
    get finished() {
      return finished
    },
    get lost() {
      return lost
    },
    get starts() {
      return starts
    },
    isUp: (vm) => endOf(vm) === undefined,
    onStart({ id, slots, agents, since, starts: times }: Work) {
      starts++
      if (times === 1) waits.push(now() - since)
      for (const vm of agents) {
        const load = loadOf(vm)
        if (load.work.size === 0) load.busySince = now()
        load.work.set(id, { slots: slots / agents.length, from: now() })
      }
    },
    onEnd({ id, agents }, how) {
      if (how === 'done') finished++
      else lost++
      for (const vm of agents) {
        const load = loadOf(vm)
        const { slots, from } = load.work.get(id)!
        load.work.delete(id)
        load.use.slotTime += slots * lasted(vm, from, now())
        if (load.work.size === 0) load.use.busy += lasted(vm, load.busySince, now())
      }
    },
    uses: (until) =>
      new Map(
        [...loads].map(([vm, { work, busySince, use }]) => {
          const total = { ...use }
          for (const { slots, from } of work.values()) total.slotTime += slots * lasted(vm, from, until)
          if (work.size > 0) total.busy += lasted(vm, busySince, until)
          return [vm, total]
        }),
      ),
  }
}
