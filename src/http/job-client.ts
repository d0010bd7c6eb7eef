// The master's job endpoints as functions: each returns the result or throws a ProvisionError.
import type * as z from 'zod/mini'
import { type Clock, nearest } from '../platform/index.ts'
import { type Problem, type ProblemCode, ProvisionError, problem } from '../problems/index.ts'
import type { Answer, Client } from './client.ts'
import {
  allJobsSchema,
  failureSchema,
  isOver,
  type JobLogs,
  type JobOrder,
  type JobView,
  jobLogsSchema,
  type LogLine,
  oneJobSchema,
  resourcePoolsSchema,
} from './job-view.ts'
import { checkView } from './view.ts'

const endpoint = '/provision/v1/jobs'
const endpointOf = (id: string) => `${endpoint}/${encodeURIComponent(id)}`

/** Submits a job. Safe to repeat: the id makes it the same job. */
export async function sendJob(client: Client, order: JobOrder): Promise<JobView> {
  const answer = await client.ask('POST', endpoint, order)
  const found = read(answer, oneJobSchema)
  if (found) return found.job
  const pools = answer.status === 400 && order.resourcePool !== undefined ? await poolsOf(client) : undefined
  if (pools && !pools.includes(order.resourcePool!)) throw new ProvisionError(poolUnknown(order, pools))
  if (answer.status === 409) throw new ProvisionError(problem('WORK_ID_TAKEN', wordsOf(answer)))
  throw refusal(client, answer)
}

export async function listJobs(client: Client): Promise<JobView[]> {
  return (await wanted(client, 'GET', endpoint, allJobsSchema)).jobs
}

/** `id` of the job, or of its allocation. */
export async function showJob(client: Client, id: string): Promise<JobView> {
  return (await wanted(client, 'GET', endpointOf(id), oneJobSchema)).job
}

/** Kills a job; commands are `ending` until their agents report the end. */
export async function killJob(client: Client, id: string): Promise<JobView> {
  return (await wanted(client, 'POST', `${endpointOf(id)}/kill`, oneJobSchema)).job
}

/** The kept lines, without the first `after` lines the job printed. */
export function logsOf(client: Client, id: string, after = 0): Promise<JobLogs> {
  return wanted(client, 'GET', `${endpointOf(id)}/logs?after=${after}`, jobLogsSchema)
}

async function wanted<View>(
  client: Client,
  method: 'GET' | 'POST',
  path: string,
  schema: z.ZodMiniType<View, View>,
): Promise<View> {
  const answer = await client.ask(method, path)
  const value = read(answer, schema)
  if (value !== undefined) return value
  throw refusal(client, answer)
}

function read<View>({ status, value }: Answer, schema: z.ZodMiniType<View, View>): View | undefined {
  if (status < 200 || status > 299) return undefined
  checkView(schema, value, (issue) => {
    const message = `unexpected response from the master: ${issue?.path.join('.')} ${issue?.message}`
    return new ProvisionError(problem('MASTER_FAULT', message))
  })
  return value
}

function refusal({ url }: Client, answer: Answer): ProvisionError {
  const words = wordsOf(answer)
  const remedy = remedyOf(answer, 'WORK_CANNOT_RUN')
  if (remedy !== undefined) return new ProvisionError(problem('WORK_CANNOT_RUN', words, { remedy }))
  if (answer.status === 404) return new ProvisionError(problem('WORK_UNKNOWN', words))
  if (answer.status === 400 || answer.status === 413)
    return new ProvisionError(problem('REQUEST_REFUSED', words))
  return new ProvisionError(
    problem('MASTER_FAULT', `${url} answered with status ${answer.status}: ${words}`, {
      details: { status: answer.status },
    }),
  )
}

function wordsOf({ value }: Answer): string {
  const failure = failureSchema.safeParse(value)
  return failure.success ? failure.data.error.error : 'no reason given'
}

/** The remedy of the master's problem, if it has this code. */
function remedyOf({ value }: Answer, code: ProblemCode): string | undefined {
  const failure = failureSchema.safeParse(value)
  const found = failure.success ? failure.data.error.problem : undefined
  return found?.code === code ? found.remedy : undefined
}

async function poolsOf(client: Client): Promise<string[]> {
  const { resourcePools } = await wanted(client, 'GET', '/api/v1/resource-pools', resourcePoolsSchema)
  return resourcePools.map(({ name }) => name)
}

function poolUnknown({ resourcePool = '' }: JobOrder, pools: string[]): Problem {
  const meant = nearest(resourcePool, pools)
  const message = `unknown resource pool ${resourcePool}; pools of this master: ${pools.join(', ')}`
  return problem('WORK_POOL_UNKNOWN', message, meant ? { remedy: `Did you mean --pool ${meant}?` } : {})
}

/** Callbacks while a job is watched until it is over. */
export interface Follower {
  onLine(line: LogLine, job: JobView): void
  /** First, and whenever its state changes, or the reason why it waits. */
  onState(job: JobView): void
  /** Now and then, while it waits for the same reason. */
  onStillWaiting?(job: JobView): void
  /** No response; the request is retried. */
  onSilence(error: Error): void
}

/** Milliseconds between two polls: short at first, because most mistakes show at once. */
const firstPause = 200
const longestPause = 2000
/** Milliseconds between two reports of a job that waits for the same reason. */
const reminder = 60_000
/** Failed polls after which the watch ends: about two minutes. */
const mostSilent = 60

/** Resolves with the job once it is over. Throws what `showJob` throws, and the last error when the master stays unreachable. */
export async function followJob(
  client: Client,
  id: string,
  follower: Follower,
  clock: Clock,
): Promise<JobView> {
  let seen = 0
  let state = ''
  let toldAt = 0
  let silent = 0
  for (let pause = firstPause; ; pause = Math.min(pause * 1.3, longestPause)) {
    try {
      // The job first: once it is over, all its output is there.
      const job = await showJob(client, id)
      // That it runs is said before its first line, and that it is over after the last.
      if (!isOver(job)) report(job)
      seen = await passOn(job, seen)
      if (isOver(job)) report(job)
      silent = 0
      if (isOver(job)) return job
    } catch (error) {
      if (!isAway(error) || ++silent >= mostSilent) throw error
      if (silent === 1) follower.onSilence(error)
    }
    await clock.sleep(pause)
  }

  function report(job: JobView): void {
    const now = clock.now()
    const next = stateKey(job)
    const isNew = next !== state
    if (!isNew && !(job.waiting && now - toldAt >= reminder)) return
    state = next
    toldAt = now
    if (isNew) follower.onState(job)
    else follower.onStillWaiting?.(job)
  }

  async function passOn(job: JobView, after: number): Promise<number> {
    if (!job.command) return after
    const { logs, count } = await logsOf(client, id, after)
    // A restarted master has only the lines since its start.
    if (count < after) return passOn(job, 0)
    for (const line of logs) follower.onLine(line, job)
    return count
  }
}

/** What is reported when it changes. The numbers of a reason, and the times of it, change at every poll. */
function stateKey({ state, waiting }: JobView): string {
  return [state, waiting?.code, waiting?.problem?.code, ...(waiting?.instances ?? [])].join(' ')
}

/** Milliseconds before each retry: about as long as a master takes to restart. */
const waits = [500, 1000, 2000, 4000]

/**
 * Sends the job until there is a response. Errors before anything was sent are thrown unchanged; without any response,
 * throws WORK_NOT_CONFIRMED: the master may have the job.
 */
export async function submitJob(client: Client, order: JobOrder, clock: Clock): Promise<JobView> {
  await client.meet()
  return attempt(waits)

  async function attempt([wait, ...further]: readonly number[]): Promise<JobView> {
    try {
      return await sendJob(client, order)
    } catch (error) {
      if (!isNoAnswer(error)) throw error
      if (wait === undefined) throw notConfirmed(error, order)
    }
    await clock.sleep(wait)
    return attempt(further)
  }
}

const noAnswer: readonly (ProblemCode | undefined)[] = ['CLIENT_UNREACHABLE', 'CLIENT_TLS_REFUSED']

export function isNoAnswer(error: unknown): error is ProvisionError {
  return error instanceof ProvisionError && noAnswer.includes(error.code)
}

/** Also a master behind the control socket that restarts. */
function isAway(error: unknown): error is ProvisionError {
  return isNoAnswer(error) || (error instanceof ProvisionError && error.code === 'NOT_RUNNING')
}

function notConfirmed(error: ProvisionError, { id }: JobOrder): ProvisionError {
  const [last] = error.problems
  return new ProvisionError(
    problem('WORK_NOT_CONFIRMED', `no response about job ${id}: ${last?.message ?? error.message}`, {
      remedy: `Check with \`provision jobs ${id}\`, or submit it again with --id ${id}: it is never run twice.`,
      details: { id },
      cause: error,
    }),
  )
}
