// One look at the whole master. The order of the reads decides what a change between two of them looks like.
import type { Clock } from '../../platform/ports.ts'
import type { Api } from './api.ts'
import type { JobLimits, LimitReader } from './job-limits.ts'
import type { SeenAgent, SeenJob, SeenPool, SeenTask } from './seen.ts'

export interface View {
  /** Start of the first read; milliseconds since the epoch, by our clock. */
  at: number
  pools: Map<string, SeenPool>
  agents: SeenAgent[]
  tasks: SeenTask[]
  /** Of the pools that were asked for. */
  jobs: Map<string, SeenJob[]>
  limits: JobLimits
}

/**
 * Agents first, tasks after them: work placed in between is then busy on its agent and not pending, and work that ended
 * in between keeps its agent busy for one more look. The other way round it would be pending beside a busy agent, and
 * a VM would be bought for it.
 */
export async function readView(
  api: Api,
  limits: LimitReader,
  pools: Iterable<string>,
  clock: Clock,
  signal: AbortSignal,
): Promise<View> {
  const at = clock.now()
  const [known, agents] = await Promise.all([api.pools(signal), api.agents(signal)])
  const byName = new Map(known.map((pool) => [pool.name, pool]))
  // Asking for the queue of a pool the master does not have is an error that would hide all other pools.
  const asked = [...pools].filter((pool) => byName.has(pool))
  const [tasks, queues] = await Promise.all([
    api.tasks(signal),
    Promise.all(
      asked.map(async (pool): Promise<[string, SeenJob[]]> => [pool, await api.jobs(pool, signal)]),
    ),
  ])
  const jobs = new Map(queues)
  return { at, pools: byName, agents, tasks, jobs, limits: await limits(tasks, jobs, signal) }
}
