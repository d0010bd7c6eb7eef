// max_slots of experiments, where the scheduler holds them to it. Only the fair-share scheduler does (origin: agentrm/fair_share.go).
import type { Clock } from '../../platform/ports.ts'
import type { Api } from './api.ts'
import type { SeenJob, SeenTask } from './seen.ts'

/** By experiment id; left out: no limit. */
export type JobLimits = ReadonlyMap<string, { maxSlots: number; runningSlots: number }>

export type LimitReader = (
  tasks: SeenTask[],
  jobs: ReadonlyMap<string, SeenJob[]>,
  signal: AbortSignal,
) => Promise<JobLimits>

/** A limit can be changed while the experiment runs. */
const freshFor = 60_000

/** Remembers answers for a minute: neither the list of tasks nor the queue tells the limit, so each costs a call. */
export function createLimitReader(api: Pick<Api, 'maxSlots'>, clock: Clock): LimitReader {
  const known = new Map<string, { at: number; maxSlots: number | undefined }>()

  async function limitOf(experiment: string, signal: AbortSignal): Promise<number | undefined> {
    const before = known.get(experiment)
    if (before && before.at + freshFor > clock.now()) return before.maxSlots
    const maxSlots = await api.maxSlots(experiment, signal)
    known.set(experiment, { at: clock.now(), maxSlots })
    return maxSlots
  }

  return async (tasks, jobs, signal) => {
    const running = new Map<string, number>()
    for (const { experiment, allocatedSlots } of [...jobs.values()].flat())
      if (experiment) running.set(experiment, (running.get(experiment) ?? 0) + allocatedSlots)
    const waiting = new Set(
      tasks.filter((task) => task.fairShare && !task.placed && jobs.has(task.pool)).flatMap(experimentOf),
    )
    for (const experiment of known.keys()) if (!waiting.has(experiment)) known.delete(experiment)
    const limits = new Map<string, { maxSlots: number; runningSlots: number }>()
    for (const experiment of waiting) {
      const maxSlots = await limitOf(experiment, signal)
      if (maxSlots === undefined) continue
      limits.set(experiment, { maxSlots, runningSlots: running.get(experiment) ?? 0 })
    }
    return limits
  }
}

/** A trial's task is called after its experiment: `12.<uuid>` (origin: master/internal/experiment.go). */
export function experimentOf({ task }: Pick<SeenTask, 'task'>): string[] {
  const [, experiment] = /^(\d+)\./.exec(task) ?? []
  return experiment === undefined ? [] : [experiment]
}
