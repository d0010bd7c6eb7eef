// The report of a simulation: both policies side by side, a summary sentence, and the assumptions.

import { formatDuration } from '../platform/index.ts'
import type { SimulationReport } from '../simulator/index.ts'
import { table } from './table.ts'

type Outcome = SimulationReport['policies']['provisioner']

export async function simulationText(report: SimulationReport): Promise<string[]> {
  const { pool, config, trace, policies } = report
  const { provisioner, determined } = policies
  const span = time(trace.spanSeconds)
  const rows = rowsOf(provisioner, determined)
  return [
    `Pool ${pool} of ${config}, ${count(trace.jobs, 'job')} of ${trace.file} submitted within ${span}`,
    '',
    ...(await table(['', 'this provisioner', "Determined's provisioner"], rows)),
    '',
    summary(provisioner, determined),
    ...notesOf(report),
    '',
    ...assumptionsOf(report),
  ]
}

function rowsOf(provisioner: Outcome, determined: Outcome): string[][] {
  const row = (name: string, cell: (outcome: Outcome) => string) => [
    name,
    cell(provisioner),
    cell(determined),
  ]
  return [
    row('jobs finished', ({ jobs }) => `${jobs.finished} of ${jobs.submitted}`),
    row('runs lost with an instance', ({ jobs }) => String(jobs.lost)),
    row('wait, p50', ({ waitSeconds }) => time(waitSeconds?.p50)),
    row('wait, p95', ({ waitSeconds }) => time(waitSeconds?.p95)),
    row('wait, max', ({ waitSeconds }) => time(waitSeconds?.max)),
    row('instances launched', ({ instances }) => String(instances.launched)),
    row('peak instances', ({ instances }) => String(instances.peak)),
    row('instance-hours', ({ instanceHours }) => instanceHours.toFixed(1)),
    row('idle share of instance-hours', ({ idleShare }) => percent(idleShare)),
    row('slots in use', ({ slotUse }) => percent(slotUse)),
    row('cost', ({ cost }) =>
      cost ? `$${cost.dollars.toFixed(2)}${cost.unpriced.length ? ' *' : ''}` : '-',
    ),
  ]
}

/** The table in one sentence. */
function summary(provisioner: Outcome, determined: Outcome): string {
  const parts = [
    difference(
      provisioner.instanceHours,
      determined.instanceHours,
      (n) => `${n.toFixed(1)} instance-hours`,
      'fewer',
    ),
  ]
  if (isWhole(provisioner.cost) && isWhole(determined.cost))
    parts.push(difference(provisioner.cost.dollars, determined.cost.dollars, (n) => `$${n.toFixed(2)}`))
  if (provisioner.waitSeconds && determined.waitSeconds)
    parts.push(
      `95 % of the jobs wait at most ${time(provisioner.waitSeconds.p95)} (${time(determined.waitSeconds.p95)} with Determined's)`,
    )
  return `Compared with Determined's provisioner: ${parts.join(', ')}.`
}

function isWhole(cost: Outcome['cost']): cost is NonNullable<Outcome['cost']> {
  return cost !== null && cost.unpriced.length === 0
}

function difference(mine: number, theirs: number, words: (amount: number) => string, less = 'less'): string {
  const amount = Math.abs(mine - theirs)
  if (words(amount) === words(0)) return `${words(theirs)} with both`
  const share = theirs > 0 ? ` (${Math.round((100 * amount) / theirs) || '< 1'} %)` : ''
  return `${words(amount)} ${mine < theirs ? less : 'more'}${share}`
}

function notesOf({
  policies,
  blockedSeconds,
  brokenPromises,
  assumptions,
  policy,
}: SimulationReport): string[] {
  const { provisioner, determined } = policies
  const notes: string[] = []
  for (const { code, slots, count: times, ids } of provisioner.jobs.neverFits)
    notes.push(`Never fits (${code}): ${count(times, 'job')} of ${slots} slots: ${listed(ids, times)}`)
  const refused = (outcome: Outcome) => outcome.jobs.neverFits.reduce((sum, group) => sum + group.count, 0)
  if (refused(determined) > refused(provisioner))
    notes.push(
      `Determined's provisioner uses the first instance type only: ${count(refused(determined), 'job')} never fit there.`,
    )
  for (const [name, { jobs }] of Object.entries({
    'this provisioner': provisioner,
    "Determined's provisioner": determined,
  }))
    if (jobs.unfinished.count > 0)
      notes.push(
        `Not finished with ${name}: ${count(jobs.unfinished.count, 'job')}: ${listed(jobs.unfinished.ids, jobs.unfinished.count)}`,
      )
  const holds = Object.entries(blockedSeconds).filter(([code]) => !listedAlready.includes(code))
  if (holds.length > 0)
    notes.push(
      `Blocked by: ${holds.map(([code, seconds]) => `${code} for ${time(seconds)}`).join(', ')} (docs/errors.md).`,
    )
  const unpriced = new Set(
    [provisioner, determined].flatMap(({ cost }) => cost?.unpriced.map((one) => one.instanceType) ?? []),
  )
  if (unpriced.size > 0) notes.push(`* without ${[...unpriced].join(', ')}: not in \`prices\`.`)
  if (!provisioner.cost) notes.push('No cost: `prices` in the configuration has none of the instance types.')
  else if (policy.offerings.some(({ capacityType }) => capacityType === 'spot'))
    notes.push('Spot instances cost the price of their type in `prices`.')
  if (policy.offerings.some(({ capacityType }) => capacityType === 'reserved'))
    notes.push('Reserved capacity is simulated as unlimited, and costs nothing.')
  if (assumptions.faults.length > 0) {
    const words = brokenPromises.map(({ promise, text, times }) => `${promise} (${text}) ${times} times`)
    notes.push(`Promises broken by this provisioner: ${words.length ? words.join(', ') : 'none'}.`)
  }
  return notes.length > 0 ? ['', ...notes] : []
}

/** Reasons that concern single jobs; the notes list them already. */
const listedAlready = ['NEVER_FITS', 'EXCEEDS_MAX', 'AUX_NOT_ALLOWED']

function assumptionsOf({ policy, assumptions }: SimulationReport): string[] {
  const { bootSeconds, placementSeconds, demand, faults, seed } = assumptions
  const { least, most } = bootSeconds
  const boot = least === most ? time(least) : `${time(least)} to ${time(most)}`
  const types = [
    ...new Set(policy.offerings.map((offering) => `${offering.instanceType} (${offering.slots})`)),
  ]
  return [
    `Pool: ${policy.minInstances} to ${policy.maxInstances} instances of ${types.join(', ')} (slots), idle for at most ${time(policy.maxIdleSeconds)}, ` +
      `${policy.launchRatePerHour} launches per hour.`,
    `Assumed: agents join ${boot} after the launch (--boot), jobs are placed within ${time(placementSeconds)} (--placement), demand is ${demand},`,
    `  the pool starts empty, ${faults.length ? `every hour has a period of ${faults.join(', ')}` : 'no faults (--faults)'}; seed ${seed}.`,
  ]
}

/** Formatted seconds; `-` if nothing started, so that there was no wait. */
function time(seconds: number | undefined): string {
  if (seconds === undefined) return '-'
  return formatDuration((seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)) * 1000)
}

function percent(share: number | null): string {
  return share === null ? '-' : `${(100 * share).toFixed(1)} %`
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`
}

function listed(ids: string[], times: number): string {
  return ids.join(', ') + (times > ids.length ? ', …' : '')
}
