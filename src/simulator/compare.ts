// Our policy and that of Determined's provisioner on the same trace, in worlds with the same seed, over the same time.
import type { PoolSettings } from '../fleet/index.ts'
import { startDeterminedProvisioner } from './determined-policy.ts'
import { promises } from './invariants.ts'
import type { Violation } from './observations.ts'
import { type StartProvisioner, startProvisioner } from './provisioner.ts'
import type { Trace, TraceJob } from './trace.ts'
import {
  type Assumptions,
  type MisfitCode,
  misfitOf,
  type Progress,
  runTrial,
  type Trial,
  trialScenario,
  type Use,
} from './trial.ts'

export interface CompareOptions {
  trace: Trace
  settings: PoolSettings
  assumptions: Assumptions
  /** Dollars an hour by instance type. */
  prices: Readonly<Record<string, number>>
  onProgress?: (policy: PolicyName, progress: Progress) => void
  /** Aborted: `compare` throws its reason. */
  signal?: AbortSignal
}

export type PolicyName = 'provisioner' | 'determined'

interface Contender {
  start: StartProvisioner
  /** How many of the offerings it uses: Determined's provisioner has one instance type in one zone. */
  offerings: number
}

const contenders: Record<PolicyName, Contender> = {
  provisioner: { start: startProvisioner, offerings: Number.POSITIVE_INFINITY },
  determined: { start: startDeterminedProvisioner, offerings: 1 },
}

/** Keys are part of the JSON output: docs/simulate.md. */
export interface Comparison {
  policies: Record<PolicyName, Outcome>
  /** Of this provisioner, by blocking reason: seconds. Determined's provisioner gives no reasons. */
  blockedSeconds: Record<string, number>
  /** By this provisioner; Determined's provisioner makes none. */
  brokenPromises: { promise: number; text: string; times: number; first: string }[]
}

export async function compare(options: CompareOptions): Promise<Comparison> {
  const { trace, settings, assumptions, prices, onProgress, signal } = options
  const run = (name: PolicyName) =>
    runTrial(trialScenario(trace, settings, assumptions), {
      start: contenders[name].start,
      offerings: offeringsOf(name, settings),
      signal,
      onProgress: (progress) => onProgress?.(name, progress),
    })
  const trials = { provisioner: await run('provisioner'), determined: await run('determined') }
  // VMs that remain at the end keep costing money, so both are counted until the later end.
  const until = Math.max(trials.provisioner.endedAt, trials.determined.endedAt)
  const outcome = (name: PolicyName) =>
    outcomeOf(trials[name], trace.jobs, offeringsOf(name, settings), prices, until)
  const held = [...trials.provisioner.held].sort().map(([code, ms]) => [code, rounded(ms / 1000)])
  return {
    policies: { provisioner: outcome('provisioner'), determined: outcome('determined') },
    blockedSeconds: Object.fromEntries(held),
    brokenPromises: brokenOf(trials.provisioner.violations),
  }
}

function offeringsOf(name: PolicyName, { offerings }: PoolSettings): PoolSettings['offerings'] {
  return offerings.slice(0, contenders[name].offerings)
}

function outcomeOf(
  trial: Trial,
  jobs: readonly TraceJob[],
  offerings: PoolSettings['offerings'],
  prices: CompareOptions['prices'],
  until: number,
): Outcome {
  const { world, meter, endedAt } = trial
  const vms = [...world.cloud.instances.values()].map(
    ({ instance, slots, createdAt, endedAt: to }): InstanceSpan => {
      const { id, instanceType, capacityType } = instance
      return {
        id,
        instanceType,
        prepaid: capacityType === 'reserved',
        slots,
        from: createdAt,
        to: to ?? until,
      }
    },
  )
  return {
    instances: { launched: vms.length, peak: peakOf(vms) },
    jobs: {
      submitted: jobs.length,
      finished: meter.finished,
      lost: meter.lost,
      ...leftOf(trial, jobs, offerings),
    },
    waitSeconds: waitsOf(meter.waits),
    ...useOf(vms, meter.uses(until)),
    cost: costOf(vms, prices),
    lastedSeconds: rounded((endedAt - world.scenario.startsAt) / 1000),
  }
}

const sample = 10

function leftOf(
  { world }: Trial,
  jobs: readonly TraceJob[],
  offerings: PoolSettings['offerings'],
): Pick<Outcome['jobs'], 'neverFits' | 'unfinished'> {
  const groups = new Map<string, Outcome['jobs']['neverFits'][number]>()
  const unfinished: Outcome['jobs']['unfinished'] = { count: 0, ids: [] }
  for (const job of jobs) {
    if (!world.master.work.has(job.id)) continue
    const code = misfitOf(job, offerings, world.scenario.policy)
    const key = `${code} ${job.slots}`
    const group = code ? (groups.get(key) ?? { code, slots: job.slots, count: 0, ids: [] }) : unfinished
    if (code) groups.set(key, group as Outcome['jobs']['neverFits'][number])
    group.count++
    if (group.ids.length < sample) group.ids.push(job.id)
  }
  return { neverFits: [...groups.values()], unfinished }
}

function brokenOf(violations: readonly Violation[]): Comparison['brokenPromises'] {
  const broken = new Map<number, Comparison['brokenPromises'][number]>()
  for (const { promise, message } of violations) {
    const known = broken.get(promise)
    if (known) known.times++
    else broken.set(promise, { promise, text: promises[promise]!, times: 1, first: message })
  }
  return [...broken.values()].sort((a, b) => a.promise - b.promise)
}

// The result of a policy on a trace, in the numbers people compare. Pure: from spans of VMs and waits to sums.

/** A VM as it was paid for. Milliseconds since the epoch. */
export interface InstanceSpan {
  id: string
  instanceType: string
  slots: number
  /** In reserved capacity, which costs the same whether it is used or not. */
  prepaid?: boolean
  from: number
  to: number
}

export interface Waits {
  p50: number
  p95: number
  max: number
}

/** Keys are part of the JSON output: docs/simulate.md. */
export interface Outcome {
  instances: { launched: number; peak: number }
  jobs: {
    submitted: number
    finished: number
    /** Starts that were lost with their VM. */
    lost: number
    /** Jobs that can never run in this pool, in groups of one size and reason. */
    neverFits: { code: MisfitCode; slots: number; count: number; ids: string[] }[]
    /** Jobs that could run and had not finished when the simulation ended. */
    unfinished: { count: number; ids: string[] }
  }
  /** Seconds from submission to the first start, of jobs that started; null when none did. */
  waitSeconds: Waits | null
  instanceHours: number
  /** Share of the instance-hours in which a VM had no job, its boot included; null without VMs. */
  idleShare: number | null
  /** Share of the paid slots that jobs used; null without slots. */
  slotUse: number | null
  /** Null when `prices` contains none of the launched types. */
  cost: { dollars: number; unpriced: { instanceType: string; instanceHours: number }[] } | null
  /** Seconds from the first submission until all jobs were done and idle VMs were gone. */
  lastedSeconds: number
}

const msPerHour = 3_600_000

export function costOf(
  vms: readonly InstanceSpan[],
  prices: Readonly<Record<string, number>>,
): Outcome['cost'] {
  const hours = new Map<string, number>()
  // Reserved capacity is paid for, whether it is used or not.
  for (const vm of vms.filter(({ prepaid }) => !prepaid))
    hours.set(vm.instanceType, (hours.get(vm.instanceType) ?? 0) + hoursOf(vm))
  let dollars = 0
  const unpriced: { instanceType: string; instanceHours: number }[] = []
  for (const [instanceType, instanceHours] of hours) {
    const price = prices[instanceType]
    if (price === undefined) unpriced.push({ instanceType, instanceHours: rounded(instanceHours) })
    else dollars += price * instanceHours
  }
  const nothingKnown = Object.keys(prices).length === 0 || (hours.size > 0 && unpriced.length === hours.size)
  return nothingKnown ? null : { dollars: rounded(dollars), unpriced }
}

/** Instance-hours and the shares of them that were used. */
export function useOf(
  vms: readonly InstanceSpan[],
  uses: ReadonlyMap<string, Use>,
): Pick<Outcome, 'instanceHours' | 'idleShare' | 'slotUse'> {
  let [time, busy, slotTime, slotTimeUsed] = [0, 0, 0, 0]
  for (const vm of vms) {
    const use = uses.get(vm.id)
    time += vm.to - vm.from
    slotTime += vm.slots * (vm.to - vm.from)
    busy += use?.busy ?? 0
    slotTimeUsed += use?.slotTime ?? 0
  }
  return {
    instanceHours: rounded(time / msPerHour),
    idleShare: time > 0 ? rounded(1 - busy / time) : null,
    slotUse: slotTime > 0 ? rounded(slotTimeUsed / slotTime) : null,
  }
}

/** Most VMs at one moment. One that ends when another starts is not counted with it. */
export function peakOf(vms: readonly InstanceSpan[]): number {
  const changes = vms.flatMap(({ from, to }) => [
    { at: from, by: 1 },
    { at: to, by: -1 },
  ])
  changes.sort((a, b) => a.at - b.at || a.by - b.by)
  let [count, peak] = [0, 0]
  for (const { by } of changes) {
    count += by
    peak = Math.max(peak, count)
  }
  return peak
}

/** Percentiles by nearest rank: the smallest wait that this percentage of the jobs does not exceed. */
export function waitsOf(waits: readonly number[]): Waits | null {
  if (waits.length === 0) return null
  const sorted = [...waits].sort((a, b) => a - b)
  const rank = (percent: number) => sorted[Math.ceil((percent / 100) * sorted.length) - 1]! / 1000
  return { p50: rounded(rank(50)), p95: rounded(rank(95)), max: rounded(rank(100)) }
}

function hoursOf({ from, to }: InstanceSpan): number {
  return (to - from) / msPerHour
}

/** Three decimal places: more would suggest a false precision. */
export function rounded(value: number): number {
  return Math.round(value * 1000) / 1000
}
