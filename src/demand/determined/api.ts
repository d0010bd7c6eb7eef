// The calls to the master, page by page where it has pages.
import * as z from 'zod/mini'
import type { MayAct } from '../../platform/index.ts'
import { ProvisionError, problem } from '../../problems/index.ts'
import type { Order } from './connections.ts'
import { parsed, refusal, wordsOf } from './failures.ts'
import type { Session } from './session.ts'

export interface Api {
  agents(signal?: AbortSignal): Promise<SeenAgent[]>
  tasks(signal?: AbortSignal): Promise<SeenTask[]>
  pools(signal?: AbortSignal): Promise<SeenPool[]>
  jobs(pool: string, signal?: AbortSignal): Promise<SeenJob[]>
  /** undefined: no limit. */
  maxSlots(experiment: string, signal?: AbortSignal): Promise<number | undefined>
  /** Whether the user may drain and enable agents. Changes nothing at the master. */
  mayDrain(signal?: AbortSignal): Promise<boolean>
  /** The master's `launch_error`: whether it rejects experiments that all agents together are too small for. */
  launchError(signal?: AbortSignal): Promise<boolean>
  /** undefined when the agent does not exist. */
  agent(agentId: string, signal?: AbortSignal): Promise<SeenAgent | undefined>
  /** False when the master does not know the agent. Throws DETERMINED_AGENT_AWAY while it may still reconnect. */
  drain(agentId: string, signal?: AbortSignal, mayAct?: MayAct): Promise<boolean>
  enable(agentId: string, signal?: AbortSignal, mayAct?: MayAct): Promise<boolean>
}

/** Small enough that parsing one page does not block the event loop. */
const pageSize = 250
/** How often the read of a list that changes in the meantime is restarted. */
const mostTries = 5

/**
 * The master checks the permission before it looks for the agent (Determined: master/internal/api_agents.go), with any kind
 * of access control.
 */
const noAgent = 'provisioner-permission-check'

export function createApi(session: Session): Api {
  /** `read` returns one page and the total number of entries. */
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
      // The master refuses an offset beyond the end; while the total stays the same, none is requested.
      while (isShort() && total === first.total) {
        const next = await read(`offset=${items.length}&limit=${pageSize}`)
        if (next.items.length === 0) break
        items.push(...next.items)
        total = next.total
      }
      // The list changed between two pages: an entry may have been missed.
      if (total === first.total && items.length === total) return items
    }
    throw new ProvisionError(
      problem('DETERMINED_FAULT', `the list of ${what} changed while its pages were read`),
    )
  }

  async function order(
    agentId: string,
    verb: 'disable' | 'enable',
    signal?: AbortSignal,
    mayAct?: MayAct,
  ): Promise<boolean> {
    const asked: Order = {
      method: 'POST',
      path: `/api/v1/agents/${encodeURIComponent(agentId)}/${verb}`,
      body: verb === 'disable' ? { drain: true } : {},
      signal,
      mayAct,
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
    async agent(id, signal) {
      const asked: Order = { method: 'GET', path: `/api/v1/agents/${encodeURIComponent(id)}`, signal }
      const answer = await session.ask(asked)
      if (answer.status === 404) return undefined
      if (answer.status !== 200) throw refusal(asked, answer, session.endpoint())
      return seenAgent(parsed(oneAgentSchema, asked, answer).agent)
    },
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
    async mayDrain(signal) {
      const asked: Order = { method: 'POST', path: `/api/v1/agents/${noAgent}/enable`, body: {}, signal }
      const answer = await session.ask(asked)
      if (answer.status === 404 || answer.status === 200) return true
      // A proxy in front of the master may refuse as well; the master's answer has words.
      if (answer.status === 403 && wordsOf(answer) !== undefined) return false
      throw refusal(asked, answer, session.endpoint())
    },
    async launchError(signal) {
      const asked: Order = { method: 'GET', path: '/api/v1/master/config', signal }
      const answer = await session.ask(asked)
      // Not every user who may drain agents may read it; the default is then taken to hold.
      if (answer.status === 403 || answer.status === 404) return true
      if (answer.status !== 200) throw refusal(asked, answer, session.endpoint())
      return parsed(masterConfigSchema, asked, answer).config.launch_error ?? true
    },
    drain: (agentId, signal, mayAct) => order(agentId, 'disable', signal, mayAct),
    enable: (agentId, signal, mayAct) => order(agentId, 'enable', signal, mayAct),
  }
}

// The master's responses, reduced to the fields that demand needs. Shapes: Determined's proto/src/determined, as its
// JSON gateway writes them.

export interface SeenAgent {
  id: string
  pools: string[]
  /** Milliseconds since the epoch, by the master's clock; undefined when the master does not report it. */
  registeredAt?: number
  enabled: boolean
  draining: boolean
  slots: SeenSlot[]
}

export interface SeenSlot {
  device: number
  enabled: boolean
  /** Used by a container. */
  held: boolean
}

/** An allocation: what the master calls a task in this list. */
export interface SeenTask {
  id: string
  task: string
  pool: string
  slots: number
  since?: number
  /** The scheduler enforces the max_slots of experiments. */
  fairShare: boolean
  /** Agents it has resources on; if empty, it is pending. */
  on: { agent: string; devices: number[] }[]
  placed: boolean
}

export interface SeenPool {
  name: string
  /** `RESOURCE_POOL_TYPE_STATIC` when the master does not launch the agents itself. */
  type: string
  auxPerAgent?: number
}

export interface SeenJob {
  /** Experiment id; undefined for other jobs. */
  experiment?: string
  allocatedSlots: number
  /** Our user may not see it, nor its allocations. */
  hidden: boolean
}

const text = z.string()
const maybe = <S extends z.ZodMiniType>(schema: S) => z.optional(z.nullable(schema))

const paginated = { pagination: z.object({ total: z.number() }) }

const slotSchema = z.object({
  enabled: z.boolean(),
  device: maybe(z.object({ id: maybe(z.number()) })),
  container: maybe(z.unknown()),
})

const agentSchema = z.object({
  id: text,
  registeredTime: maybe(text),
  slots: maybe(z.record(text, slotSchema)),
  enabled: z.boolean(),
  draining: z.boolean(),
  resourcePools: maybe(z.array(text)),
})

const oneAgentSchema = z.object({ agent: agentSchema })

export const agentsSchema = z.object({ agents: maybe(z.array(agentSchema)), ...paginated })

export function seenAgent(agent: z.infer<typeof agentSchema>): SeenAgent {
  const { id, registeredTime, slots, enabled, draining, resourcePools } = agent
  return {
    id,
    pools: resourcePools ?? [],
    registeredAt: timeOf(registeredTime),
    enabled,
    draining,
    slots: Object.values(slots ?? {}).map((slot, index) => ({
      device: slot.device?.id ?? index,
      enabled: slot.enabled,
      held: slot.container !== null && slot.container !== undefined,
    })),
  }
}

const devices = z.object({ devices: maybe(z.array(z.object({ id: maybe(z.number()) }))) })

const summarySchema = z.object({
  taskId: text,
  allocationId: text,
  registeredTime: maybe(text),
  resourcePool: text,
  slotsNeeded: z.number(),
  resources: maybe(z.array(z.object({ agentDevices: maybe(z.record(text, devices)) }))),
  schedulerType: maybe(text),
})

export const tasksSchema = z.object({ allocationIdToSummary: maybe(z.record(text, summarySchema)) })

export function seenTask(summary: z.infer<typeof summarySchema>): SeenTask {
  const resources = summary.resources ?? []
  return {
    id: summary.allocationId,
    task: summary.taskId,
    pool: summary.resourcePool,
    slots: summary.slotsNeeded,
    since: timeOf(summary.registeredTime),
    fairShare: summary.schedulerType === 'fair_share',
    placed: resources.length > 0,
    on: resources.flatMap(({ agentDevices }) =>
      Object.entries(agentDevices ?? {}).map(([agent, held]) => ({
        agent,
        devices: (held.devices ?? []).map(({ id }, index) => id ?? index),
      })),
    ),
  }
}

export const poolsSchema = z.object({
  resourcePools: maybe(
    z.array(z.object({ name: text, type: text, auxContainerCapacityPerAgent: maybe(z.number()) })),
  ),
  ...paginated,
})

export function seenPool(pool: {
  name: string
  type: string
  auxContainerCapacityPerAgent?: number | null
}): SeenPool {
  const { name, type, auxContainerCapacityPerAgent } = pool
  return {
    name,
    type,
    ...(auxContainerCapacityPerAgent != null && { auxPerAgent: auxContainerCapacityPerAgent }),
  }
}

const fullJob = z.object({ type: maybe(text), entityId: maybe(text), allocatedSlots: maybe(z.number()) })

const jobSchema = z.object({ full: maybe(fullJob), limited: maybe(z.unknown()) })

export const jobsSchema = z.object({ jobs: maybe(z.array(jobSchema)), ...paginated })

export function seenJob({ full }: z.infer<typeof jobSchema>): SeenJob {
  if (!full) return { hidden: true, allocatedSlots: 0 }
  const isExperiment = full.type === 'TYPE_EXPERIMENT' && full.entityId
  return {
    hidden: false,
    allocatedSlots: full.allocatedSlots ?? 0,
    ...(isExperiment && { experiment: full.entityId! }),
  }
}

const masterConfigSchema = z.object({ config: z.object({ launch_error: maybe(z.boolean()) }) })

const limits = maybe(z.object({ resources: maybe(z.object({ max_slots: maybe(z.number()) })) }))

export const experimentSchema = z.object({
  config: limits,
  experiment: maybe(z.object({ config: limits })),
})

/** undefined: no limit. Older masters return the configuration beside the experiment, newer ones inside it. */
export function maxSlotsOf({ config, experiment }: z.infer<typeof experimentSchema>): number | undefined {
  return (experiment?.config ?? config)?.resources?.max_slots ?? undefined
}

function timeOf(stamp: string | null | undefined): number | undefined {
  const time = Date.parse(stamp ?? '')
  return Number.isNaN(time) ? undefined : time
}
