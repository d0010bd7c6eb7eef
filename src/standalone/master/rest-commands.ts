// Jobs as the commands and tasks of Determined's clients: launch, list, show, kill, and read the log (Determined:
// master/internal/api_command.go, api_tasks.go). Each job is a command, and a task with one allocation.

import { isOver, type Reply, type StreamReply } from '../../http/index.ts'
import { type Allocation, live } from './allocation.ts'
import { readCommandLaunch } from './command-config.ts'
import type { LogStore } from './log-store.ts'
import { containerView } from './rest-agents.ts'
import { allocationView, stateOf } from './rest-jobs.ts'
import { failure, ok, page, type Route, timestamp } from './rest-router.ts'
import type { JobIntake } from './rest-work.ts'
import type { WorkStore } from './store.ts'
import { readSubmission, type SubmissionDefaults } from './submission.ts'
import { readTaskLogsQuery, taskLog, type Waiters, wantedLines } from './task-logs.ts'
import type { WorkQueue } from './work-queue.ts'

export interface CommandRoutesOptions {
  intake: JobIntake
  queue: WorkQueue
  store: WorkStore
  logs: LogStore
  defaults: SubmissionDefaults
  waiters: Waiters
  /** Aborted when the master stops. */
  closed: AbortSignal
}

/** Bytes of the files of all jobs that are not over, base64: they are in memory and in the journal. */
const mostFileBytes = 64 * 1024 * 1024

export function commandRoutes(options: CommandRoutesOptions): Route[] {
  const { intake, queue, store, defaults } = options
  const find = (id: string): Allocation | undefined => store.ofTask(id) ?? store.get(id)
  const missing = (id: string) => failure(404, `task '${id}' not found`)

  async function launch(body: Record<string, unknown>): Promise<Reply> {
    const read = readCommandLaunch(body)
    if (typeof read === 'string') return failure(400, read)
    const { files, container } = read
    // Only of keys that are set: an unknown key is an error there, even without a value.
    const given = Object.fromEntries(Object.entries(read.given).filter(([, value]) => value !== undefined))
    const image = container && { image: container.image }
    const checked = readSubmission({ ...given, ...image }, defaults)
    if (!checked.ok) return failure(400, checked.message)
    const { submission } = checked
    if (submission.work.kind === 'command' && container) submission.work.container = container
    if (submission.work.kind === 'command' && files.length > 0) submission.work.files = files
    const held = store.active().reduce((sum, { work }) => sum + bytesOf(work), 0)
    if (held + bytesOf(submission.work) > mostFileBytes)
      return failure(503, 'the files of the jobs that wait and run are too large together: try again later')
    const taken = await intake(submission, false)
    if ('refusal' in taken) return withRemedy(taken.refusal)
    const { allocation } = taken
    return ok({ command: commandView(allocation), config: configView(allocation), warnings: [] })
  }

  function logsReply(allocation: Allocation, query: URLSearchParams): Reply | StreamReply {
    const wanted = readTaskLogsQuery(query)
    if (typeof wanted === 'string') return failure(400, wanted)
    const sources = { ...options, find: store.get }
    return {
      lines: (left) => wantedLines(taskLog(sources, allocation.id, wanted.follow, left), wanted),
    }
  }

  /** A route about one job. */
  function about(
    method: Route['method'],
    path: string,
    answer: (allocation: Allocation, query: URLSearchParams) => ReturnType<Route['answer']>,
  ): Route {
    return {
      method,
      path,
      answer({ params: { id = '' }, query }) {
        const found = find(id)
        return found ? answer(found, query) : missing(id)
      },
    }
  }

  return [
    { method: 'POST', path: '/api/v1/commands', answer: ({ body }) => launch(body) },
    {
      method: 'GET',
      path: '/api/v1/commands',
      answer: ({ query }) => {
        const all = store.all()
        if (query.get('orderBy') === 'ORDER_BY_DESC') all.reverse()
        const cut = page(all, query)
        if (!cut.ok) return failure(400, cut.message)
        return ok({ commands: cut.items.map(commandView), pagination: cut.pagination })
      },
    },
    about('GET', '/api/v1/commands/:id', (found) =>
      ok({ command: commandView(found), config: configView(found) }),
    ),
    about('POST', '/api/v1/commands/:id/kill', async ({ id }) => {
      const killed = await queue.kill(id, 'killed by a request')
      return killed ? ok({ command: commandView(killed) }) : failure(503, 'this master is stopping')
    }),
    about('GET', '/api/v1/tasks/:id', (found) => ok({ task: taskView(found) })),
    about('GET', '/api/v1/tasks/:id/logs', logsReply),
    ...workspaceRoutes,
  ]
}

function bytesOf(work: Allocation['work']): number {
  if (work.kind !== 'command') return 0
  return (work.files ?? []).reduce((sum, { path, content }) => sum + path.length + content.length, 0)
}

/** Determined's clients print the sentence only. */
function withRemedy(refusal: Reply): Reply {
  const { error } = refusal.value as { error: { error: string; problem?: { remedy?: string } } }
  const remedy = error.problem?.remedy
  if (remedy === undefined) return refusal
  return { ...refusal, value: { error: { ...error, error: `${error.error}. ${remedy}` } } }
}

/** Determined: commandv1.Command. */
function commandView(allocation: Allocation): Record<string, unknown> {
  const { task, name, pool, submittedAt, state, reason } = allocation
  const [first] = live(allocation)
  return {
    id: task,
    jobId: task,
    description: name,
    state: stateOf(allocation),
    startTime: timestamp(submittedAt),
    container: first ? containerView(first) : null,
    ...{ displayName: '', username: '', userId: 1, workspaceId: workspace.id },
    resourcePool: pool,
    exitStatus: isOver(allocation) ? (state === 'finished' ? 'success' : (reason ?? state)) : '',
  }
}

/** What a client may have given. Values of variables are not shown, because they may be secrets. */
function configView({ name, pool, slots, priority, work }: Allocation): Record<string, unknown> {
  const resources = { resource_pool: pool, slots, priority }
  if (work.kind === 'duration') return { description: name, resources, entrypoint: [] }
  const { argv, env, workingDirectory, container } = work
  return {
    description: name,
    resources: { ...resources, ...(container?.shmSize && { shm_size: container.shmSize }) },
    entrypoint: argv,
    environment: {
      environment_variables: Object.keys(env).map((each) => `${each}=********`),
      ...(container && { image: container.image }),
    },
    ...(workingDirectory && { work_dir: workingDirectory }),
  }
}

/** Determined: taskv1.Task. */
function taskView(allocation: Allocation): Record<string, unknown> {
  return {
    taskId: allocation.task,
    taskType: 'TASK_TYPE_COMMAND',
    allocations: [allocationView(allocation)],
    startTime: timestamp(allocation.submittedAt),
    endTime: timestamp(allocation.endedAt),
  }
}

// Determined's clients show each job's workspace. There is one, with the name and number of Determined's first.

const workspace = {
  ...{ id: 1, name: 'Uncategorized', archived: false, immutable: true, pinned: false },
  ...{ username: '', userId: 1, numProjects: 0, numExperiments: 0, errorMessage: '' },
  state: 'WORKSPACE_STATE_UNSPECIFIED',
}

const workspaceRoutes: Route[] = [
  {
    method: 'GET',
    path: '/api/v1/workspaces',
    answer: ({ query }) => {
      const named = query.get('nameCaseSensitive') ?? query.get('name') ?? workspace.name
      const cut = page(named === workspace.name ? [workspace] : [], query)
      if (!cut.ok) return failure(400, cut.message)
      return ok({ workspaces: cut.items, pagination: cut.pagination })
    },
  },
  {
    method: 'GET',
    path: '/api/v1/workspaces/:id',
    answer: ({ params: { id } }) =>
      id === String(workspace.id)
        ? ok({ workspace, projects: [] })
        : failure(404, `workspace '${id}' not found`),
  },
]
