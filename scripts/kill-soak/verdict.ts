// The result of a soak: the states of jobs at the master compared with what really ran.
import type { JobView } from '../../src/http/job-view.ts'

/** One container's command has started, or ended. */
export interface Trace {
  kind: 'began' | 'ended'
  task: string
  container: string
}

export interface Evidence {
  /** By task: the accepted jobs, and whether the command is supposed to fail. */
  accepted: ReadonlyMap<string, { fails: boolean }>
  /** The first final state that was observed, by task. */
  finals: ReadonlyMap<string, JobView>
  /** Jobs whose final state changed afterwards. */
  changed: readonly string[]
  traces: readonly Trace[]
  /** When each agent was killed, in milliseconds since the epoch. */
  kills: ReadonlyMap<string, readonly number[]>
  /** Exits of the master that were not caused by a kill. */
  masterEnds: readonly string[]
}

export interface Verdict {
  finished: number
  failed: number
  lost: number
  ranTwice: number
  missing: number
  /** One line for each violation. */
  violations: string[]
}

export function judge(evidence: Evidence): Verdict {
  const { accepted, finals, traces } = evidence
  const began = countBy(traces.filter(({ kind }) => kind === 'began'))
  const ended = countBy(traces.filter(({ kind }) => kind === 'ended'))
  const tasks = [...accepted.keys()]
  const states = tasks.map((task) => finals.get(task)?.state)
  const count = (state: string) => states.filter((each) => each === state).length
  const twice = [...new Set([...finals.values()].flatMap((work) => ranTwice(work, traces, began)))]
  const missing = tasks.filter((task) => !finals.has(task))

  const violations = [
    ...missing.map((task) => `${task} was accepted and never came to an end`),
    ...twice.map((task) => `${task} ran twice`),
    ...evidence.changed.map((task) => `${task} was in two final states`),
    ...evidence.masterEnds.map((status) => `the master ended by itself: ${status}`),
    ...[...finals.values()].flatMap((work) => wrongState(work, evidence, began, ended)),
  ]
  return {
    finished: count('finished'),
    failed: count('failed'),
    lost: count('lost'),
    ranTwice: twice.length,
    missing: missing.length,
    violations,
  }
}

/** A container of it more than once, or another container than those it ended with. */
function ranTwice(work: JobView, traces: readonly Trace[], began: Map<string, number>): string[] {
  const own = new Set(work.containers.map(({ id }) => id))
  const foreign = traces.some(({ task, container }) => task === work.task && !own.has(container))
  const again = [...own].some((id) => (began.get(id) ?? 0) > 1)
  return foreign || again ? [work.task] : []
}

function wrongState(
  work: JobView,
  { accepted, kills }: Evidence,
  began: Map<string, number>,
  ended: Map<string, number>,
): string[] {
  const { task, state, containers } = work
  const fails = accepted.get(task)?.fails
  const about = `${task} is ${state}${work.reason && ` (${work.reason})`}`
  if (state === 'finished') {
    const whole = containers.every(({ id }) => began.get(id) === 1 && ended.get(id) === 1)
    if (!whole || containers.length === 0) return [`${about}, but did not run once to its end`]
    return fails ? [`${about}, but its command fails`] : []
  }
  if (state === 'failed') return fails ? [] : [`${about}, but its command does not fail`]
  if (state !== 'lost') return [`${about}, but nobody ordered that`]
  const from = Date.parse(work.startedAt ?? '')
  const to = Date.parse(work.endedAt ?? '')
  const struck = containers.some(({ agent }) => kills.get(agent)?.some((at) => from <= at && at <= to))
  return struck ? [] : [`${about}, but no agent of it was killed`]
}

function countBy(traces: readonly Trace[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { container } of traces) counts.set(container, (counts.get(container) ?? 0) + 1)
  return counts
}
