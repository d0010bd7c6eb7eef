// The master's doors for work, as functions: each answer is what was asked for, or a problem.
import type * as z from 'zod/mini'
import { nearest } from '../platform/nearest.ts'
import { type Problem, ProvisionError, problem } from '../problems/problem.ts'
import type { Answer, Client } from './client.ts'
import {
  allWork,
  failureWords,
  oneWork,
  poolNames,
  type WorkLogs,
  type WorkView,
  workLogs,
} from './work-view.ts'

/** As `POST /provision/v1/work` takes it; what is left out is up to the master. */
export interface WorkOrder {
  id: string
  name?: string
  resourcePool?: string
  slots?: number
  priority?: number
  /** In Go's syntax, such as `10m`; this or `command`. */
  duration?: string
  command?: string[]
  env?: Record<string, string>
  workingDirectory?: string
}

const door = '/provision/v1/work'
const doorOf = (id: string) => `${door}/${encodeURIComponent(id)}`

/** Hands work in. The same order may be sent again: the id makes it one piece of work. */
export async function sendWork(client: Client, order: WorkOrder): Promise<WorkView> {
  const answer = await client.ask('POST', door, order)
  const found = read(answer, oneWork)
  if (found) return found.work
  const pools = answer.status === 400 && order.resourcePool !== undefined ? await poolsOf(client) : undefined
  if (pools && !pools.includes(order.resourcePool!)) throw new ProvisionError(poolUnknown(order, pools))
  if (answer.status === 409) throw new ProvisionError(problem('WORK_ID_TAKEN', wordsOf(answer)))
  throw refusal(client, answer)
}

export async function listWork(client: Client): Promise<WorkView[]> {
  return (await wanted(client, 'GET', door, allWork)).work
}

/** `id` of the work, or of its allocation. */
export async function showWork(client: Client, id: string): Promise<WorkView> {
  return (await wanted(client, 'GET', doorOf(id), oneWork)).work
}

/** Orders its end; commands are `ending` until their agents say that they have. */
export async function killWork(client: Client, id: string): Promise<WorkView> {
  return (await wanted(client, 'POST', `${doorOf(id)}/kill`, oneWork)).work
}

/** What is kept of its lines, without the first `after` it ever printed. */
export function logsOf(client: Client, id: string, after = 0): Promise<WorkLogs> {
  return wanted(client, 'GET', `${doorOf(id)}/logs?after=${after}`, workLogs)
}

async function wanted<T>(
  client: Client,
  method: 'GET' | 'POST',
  path: string,
  schema: z.ZodMiniType<T>,
): Promise<T> {
  const answer = await client.ask(method, path)
  const value = read(answer, schema)
  if (value !== undefined) return value
  throw refusal(client, answer)
}

function read<T>({ status, value }: Answer, schema: z.ZodMiniType<T>): T | undefined {
  if (status < 200 || status > 299) return undefined
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const message = `the answer of the master is not as expected: ${issue?.path.join('.')} ${issue?.message}`
  throw new ProvisionError(problem('MASTER_FAULT', message))
}

function refusal({ url }: Client, answer: Answer): ProvisionError {
  const words = wordsOf(answer)
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
  const failure = failureWords.safeParse(value)
  return failure.success ? failure.data.error.error : 'no reason given'
}

async function poolsOf(client: Client): Promise<string[]> {
  const { resourcePools } = await wanted(client, 'GET', '/api/v1/resource-pools', poolNames)
  return resourcePools.map(({ name }) => name)
}

function poolUnknown({ resourcePool = '' }: WorkOrder, pools: string[]): Problem {
  const meant = nearest(resourcePool, pools)
  const message = `there is no resource pool ${resourcePool}; there are: ${pools.join(', ')}`
  return problem('WORK_POOL_UNKNOWN', message, meant ? { remedy: `Did you mean --pool ${meant}?` } : {})
}
