// The calls to the master, page by page where it has pages.
import * as z from 'zod/mini'
import { ProvisionError, problem } from '../../problems/problem.ts'
import type { Order } from './connections.ts'
import { parsed, refusal, wordsOf } from './failures.ts'
import {
  agentsSchema,
  experimentSchema,
  jobsSchema,
  maxSlotsOf,
  poolsSchema,
  type SeenAgent,
  type SeenJob,
  type SeenPool,
  type SeenTask,
  seenAgent,
  seenJob,
  seenPool,
  seenTask,
  tasksSchema,
} from './seen.ts'
import type { Session } from './session.ts'

export interface Api {
  agents(signal?: AbortSignal): Promise<SeenAgent[]>
  tasks(signal?: AbortSignal): Promise<SeenTask[]>
  pools(signal?: AbortSignal): Promise<SeenPool[]>
  jobs(pool: string, signal?: AbortSignal): Promise<SeenJob[]>
  /** undefined: no limit. */
  maxSlots(experiment: string, signal?: AbortSignal): Promise<number | undefined>
  /** undefined when the master does not tell. */
  isAdmin(signal?: AbortSignal): Promise<boolean | undefined>
  /** False when the master does not know the agent. Throws DETERMINED_AGENT_AWAY while it may still come back. */
  drain(agentId: string, signal?: AbortSignal): Promise<boolean>
  enable(agentId: string, signal?: AbortSignal): Promise<boolean>
}

/** Small enough that reading one does not hold up the event loop. */
const pageSize = 250
/** How often a list that changes while it is read is begun anew. */
const mostTries = 5

const me = z.object({ user: z.object({ admin: z.optional(z.boolean()) }) })

export function createApi(session: Session): Api {
  /** `read` answers one page and how many there are in all. */
  async function whole<T>(
    what: string,
    read: (query: string) => Promise<{ items: T[]; total: number }>,
  ): Promise<T[]> {
    for (let tries = 0; tries < mostTries; tries++) {
      const items: T[] = []
      const first = await read(`offset=0&limit=${pageSize}`)
      items.push(...first.items)
      let { total } = first
      const isShort = () => items.length < total
      // An offset beyond the end is refused: it is never asked for while the total stays.
      while (isShort() && total === first.total) {
        const next = await read(`offset=${items.length}&limit=${pageSize}`)
        if (next.items.length === 0) break
        items.push(...next.items)
        total = next.total
      }
      // Somebody came or left between two pages: one of the rest may have been missed.
      if (total === first.total && items.length === total) return items
    }
    throw new ProvisionError(
      problem('DETERMINED_FAULT', `the list of ${what} did not stay the same while its pages were read`),
    )
  }

  async function order(agentId: string, verb: 'disable' | 'enable', signal?: AbortSignal): Promise<boolean> {
    const asked: Order = {
      method: 'POST',
      path: `/api/v1/agents/${encodeURIComponent(agentId)}/${verb}`,
      body: verb === 'disable' ? { drain: true } : {},
      signal,
    }
    const answer = await session.ask(asked)
    if (answer.status === 200) return true
    if (answer.status === 404) return false
    const words = wordsOf(answer) ?? ''
    if (/disconnected|not started/.test(words))
      throw new ProvisionError(problem('DETERMINED_AGENT_AWAY', `agent ${agentId}: ${words}`))
    throw refusal(asked, answer, session.endpoint())
  }

  return {
    agents: (signal) =>
      whole('agents', async (query) => {
        const path = `/api/v1/agents?${query}&excludeContainers=true&sortBy=SORT_BY_ID`
        const { agents, pagination } = await session.get(path, agentsSchema, signal)
        return { items: (agents ?? []).map(seenAgent), total: pagination.total }
      }),
    pools: (signal) =>
      whole('resource pools', async (query) => {
        const answer = await session.get(`/api/v1/resource-pools?${query}`, poolsSchema, signal)
        return { items: (answer.resourcePools ?? []).map(seenPool), total: answer.pagination.total }
      }),
    jobs: (pool, signal) =>
      whole('jobs', async (query) => {
        const path = `/api/v1/job-queues-v2?resourcePool=${encodeURIComponent(pool)}&${query}`
        const { jobs, pagination } = await session.get(path, jobsSchema, signal)
        return { items: (jobs ?? []).map(seenJob), total: pagination.total }
      }),
    async tasks(signal) {
      const { allocationIdToSummary } = await session.get('/api/v1/tasks', tasksSchema, signal)
      return Object.values(allocationIdToSummary ?? {}).map(seenTask)
    },
    async maxSlots(experiment, signal) {
      const path = `/api/v1/experiments/${encodeURIComponent(experiment)}`
      return maxSlotsOf(await session.get(path, experimentSchema, signal))
    },
    async isAdmin(signal) {
      const asked: Order = { method: 'GET', path: '/api/v1/auth/user', signal }
      const answer = await session.ask(asked)
      return answer.status === 200 ? parsed(me, asked, answer).user.admin : undefined
    },
    drain: (agentId, signal) => order(agentId, 'disable', signal),
    enable: (agentId, signal) => order(agentId, 'enable', signal),
  }
}
