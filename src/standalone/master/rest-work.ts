// Endpoints for jobs that Determined does not have: submit, show, kill.
import type { AllJobs, JobLogs, JobView, OneJob, WaitingView, Written } from '../../http/index.ts'
import type { Problem } from '../../problems/index.ts'
import type { Allocation, Submission } from './allocation.ts'
import type { CommandAgents } from './command-agents.ts'
import type { LogStore } from './log-store.ts'
import { failure, ok, type Reply, type Route, timestamp } from './rest-router.ts'
import type { WorkStore } from './store.ts'
import { readSubmission, type SubmissionDefaults } from './submission.ts'
import type { WorkQueue } from './work-queue.ts'

export interface WorkRoutesOptions {
  intake: JobIntake
  queue: WorkQueue
  store: WorkStore
  logs: LogStore
  commands: CommandAgents
  defaults: SubmissionDefaults
  advice?: JobAdvice
}

/** What the owner of the pools knows about jobs. Without it a job is accepted, and waits without a reason. */
export interface JobAdvice {
  /**
   * Looks at the pools once, and gives what tells why each pending job waits; undefined when it is not known. For one
   * response: a list of ten thousand jobs must not copy the state of all pools ten thousand times.
   */
  whyWaits(): WhyWaits
  /** Why such a job could never run in the pool as it is. */
  cannotRun(job: Pick<Allocation, 'pool' | 'slots'>): Problem | undefined
}

export type WhyWaits = (
  job: Pick<Allocation, 'id' | 'pool' | 'submittedAt'>,
) => Written<WaitingView> | undefined

/** Accepts a job, or tells why not. */
export type JobIntake = (submission: Submission, force: boolean) => Promise<Intake>
type Intake = { allocation: Allocation; isNew: boolean } | { refusal: Reply }

export interface JobIntakeOptions {
  queue: WorkQueue
  store: WorkStore
  commands: CommandAgents
  /** Why nothing can be submitted now. */
  fault: () => string | undefined
  advice?: JobAdvice
}

const stopping = failure(503, 'this master is stopping')

export function createJobIntake({ queue, store, commands, fault, advice }: JobIntakeOptions): JobIntake {
  return async (submission, force) => {
    const known = store.ofTask(submission.task)
    // A client that missed the response submitted it again: it is the same job.
    if (known && isSame(known, submission)) {
      const kept = await queue.submitted(known.id)
      return kept ? { allocation: kept, isNew: false } : { refusal: stopping }
    }
    if (known) return { refusal: failure(409, `job '${submission.task}' already exists and differs`) }
    const down = fault()
    if (down) return { refusal: failure(503, down) }
    const hopeless = force ? undefined : (commands.cannotRun(submission) ?? advice?.cannotRun(submission))
    if (hopeless) return { refusal: failure(400, hopeless.message, hopeless) }
    const allocation = await queue.submit(submission)
    return allocation ? { allocation, isNew: true } : { refusal: stopping }
  }
}

/** The same below /provision/v1/work, their former path. */
export function workRoutes({
  intake,
  queue,
  store,
  logs,
  commands,
  defaults,
  advice,
}: WorkRoutesOptions): Route[] {
  const find = (id: string): Allocation | undefined => store.get(id) ?? store.ofTask(id)
  const shown = (allocation: Allocation) => ok({ job: workView(allocation, whyWaits()) } satisfies OneJob)
  function whyWaits(): WhyShown {
    const advised = advice?.whyWaits()
    return (job) => commands.waiting(job) ?? advised?.(job)
  }
  const missing = (id: string) => failure(404, `job '${id}' not found`)

  async function submit(body: Record<string, unknown>): Promise<Reply> {
    const read = readSubmission(body, defaults)
    if (!read.ok) return failure(400, read.message)
    const taken = await intake(read.submission, read.force)
    if ('refusal' in taken) return taken.refusal
    return taken.isNew ? { ...shown(taken.allocation), status: 201 } : shown(taken.allocation)
  }

  const routes: Route[] = [
    { method: 'POST', path: '/provision/v1/jobs', answer: ({ body }) => submit(body) },
    {
      method: 'GET',
      path: '/provision/v1/jobs',
      answer: () => {
        const why = whyWaits()
        return ok({ jobs: store.all().map((one) => workView(one, why)) } satisfies AllJobs)
      },
    },
    {
      method: 'GET',
      path: '/provision/v1/jobs/:id',
      answer: ({ params: { id = '' } }) => {
        const found = find(id)
        return found ? shown(found) : missing(id)
      },
    },
    {
      method: 'GET',
      path: '/provision/v1/jobs/:id/logs',
      answer: async ({ params: { id = '' }, query }) => {
        const found = find(id)
        if (!found) return missing(id)
        const after = Number(query.get('after') ?? 0)
        if (!Number.isInteger(after) || after < 0) return failure(400, 'after must be a number of lines')
        await logs.load(found.id)
        return ok({ logs: logs.read(found.id, after), count: logs.count(found.id) } satisfies JobLogs)
      },
    },
    {
      method: 'POST',
      path: '/provision/v1/jobs/:id/kill',
      answer: async ({ params: { id = '' } }) => {
        const found = find(id)
        if (!found) return missing(id)
        const killed = await queue.kill(found.id, 'killed by a request')
        return killed ? shown(killed) : stopping
      },
    },
  ]
  return routes.flatMap((route) => [route, { ...route, path: route.path.replace('v1/jobs', 'v1/work') }])
}

function isSame(known: Allocation, { pool, slots, priority, name, work }: Partial<Allocation>): boolean {
  const { pool: p, slots: s, priority: r, name: n, work: w } = known
  return JSON.stringify([p, s, r, n, w]) === JSON.stringify([pool, slots, priority, name, work])
}

type WhyShown = (job: Allocation) => ReturnType<WhyWaits>

/** Values of variables are not shown, because they may be secrets. */
export function workView(allocation: Allocation, whyWaits?: WhyShown): Written<JobView> {
  const { id, task, name, pool, slots, priority, state, reason, work } = allocation
  return {
    id,
    task,
    name,
    resourcePool: pool,
    slots,
    priority,
    state,
    reason: reason ?? '',
    duration: work.kind === 'duration' ? `${work.seconds}s` : undefined,
    command: work.kind === 'command' ? work.argv : undefined,
    image: work.kind === 'command' ? work.container?.image : undefined,
    env: work.kind === 'command' ? Object.keys(work.env) : undefined,
    submittedAt: timestamp(allocation.submittedAt),
    startedAt: timestamp(allocation.startedAt),
    endedAt: timestamp(allocation.endedAt),
    containers: allocation.containers.map(
      (container): Written<JobView['containers'][number]> => ({
        id: container.id,
        agent: container.agentId,
        slots: container.devices.map((device) => device.id),
        state: container.state,
        exitCode:
          container.failure?.ExitCode ?? (container.state === 'TERMINATED' && !container.failure ? 0 : null),
        failure: container.failure?.ErrMsg ?? '',
      }),
    ),
    waiting: state === 'pending' ? whyWaits?.(allocation) : undefined,
  }
}
