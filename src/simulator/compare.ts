// Our policy and the origin's on the same trace, in worlds of the same seed, measured over the same time.
import type { PoolSettings } from '../fleet/settings.ts'
import type { Assumptions } from './assumptions.ts'
import { misfitOf } from './fit.ts'
import { promises, type Violation } from './invariants.ts'
import { startOriginProvisioner } from './origin.ts'
import { costOf, type Outcome, peakOf, rounded, useOf, type VmSpan, waitsOf } from './outcome.ts'
import { type StartProvisioner, startProvisioner } from './provisioner.ts'
import type { Trace, TraceJob } from './trace-trace.ts'
import { type Progress, runTrial, type Trial } from './trial.ts'
import { trialScenario } from './trial-scenario.ts'

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

export type PolicyName = 'ours' | 'origin'

interface Contender {
  start: StartProvisioner
  /** How many of the offerings it knows: the origin has one instance type in one zone. */
  offerings: number
}

const contenders: Record<PolicyName, Contender> = {
  ours: { start: startProvisioner, offerings: Number.POSITIVE_INFINITY },
  origin: { start: startOriginProvisioner, offerings: 1 },
}

/** Keys are part of the JSON output: docs/simulate.md. */
export interface Comparison {
  policies: Record<PolicyName, Outcome>
  /** Of ours, by reason for not doing more: seconds. The origin's gives no reasons. */
  heldSeconds: Record<string, number>
  /** By ours; the origin makes none. */
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
  const trials = { ours: await run('ours'), origin: await run('origin') }
  // VMs that stay at the end go on costing, so both are paid for until the later end.
  const until = Math.max(trials.ours.endedAt, trials.origin.endedAt)
  const outcome = (name: PolicyName) =>
    outcomeOf(trials[name], trace.jobs, offeringsOf(name, settings), prices, until)
  const held = [...trials.ours.held].sort().map(([code, ms]) => [code, rounded(ms / 1000)])
  return {
    policies: { ours: outcome('ours'), origin: outcome('origin') },
    heldSeconds: Object.fromEntries(held),
    brokenPromises: brokenOf(trials.ours.violations),
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
  const vms = [...world.cloud.vms.values()].map(({ instance, slots, createdAt, endedAt: to }): VmSpan => {
    const { id, instanceType } = instance
    return { id, instanceType, slots, from: createdAt, to: to ?? until }
  })
  return {
    vms: { launched: vms.length, peak: peakOf(vms) },
    work: {
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
): Pick<Outcome['work'], 'neverFits' | 'unfinished'> {
  const groups = new Map<string, Outcome['work']['neverFits'][number]>()
  const unfinished: Outcome['work']['unfinished'] = { count: 0, ids: [] }
  for (const job of jobs) {
    if (!world.master.work.has(job.id)) continue
    const code = misfitOf(job, offerings, world.scenario.policy)
    const key = `${code} ${job.slots}`
    const group = code ? (groups.get(key) ?? { code, slots: job.slots, count: 0, ids: [] }) : unfinished
    if (code) groups.set(key, group as Outcome['work']['neverFits'][number])
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
