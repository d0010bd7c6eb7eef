// One poll of the whole master. The order of the reads decides how a change between two of them appears.

import type { AgentState, Demand, PendingAllocation } from '../../planner/index.ts'
import type { Clock } from '../../platform/index.ts'
import type { Api, SeenAgent, SeenJob, SeenPool, SeenTask } from './api.ts'
import type { Permission } from './refusals.ts'

export interface View {
  /** Start of the first read; milliseconds since the epoch, by our clock. */
  at: number
  pools: Map<string, SeenPool>
  agents: SeenAgent[]
  tasks: SeenTask[]
  /** Of the requested pools. */
  jobs: Map<string, SeenJob[]>
  limits: JobLimits
  /** Whether the user may drain agents. */
  mayDrain: boolean
}

/**
 * Agents first, tasks after them: a job placed in between is then busy on its agent and not pending, and a job that ended
 * in between keeps its agent busy until the next poll. In the other order it would be pending beside a busy agent, and a
 * VM would be launched for it.
 */
export async function readView(
  { api, limits, permission }: { api: Api; limits: LimitReader; permission: Permission },
  pools: Iterable<string>,
  clock: Clock,
  signal: AbortSignal,
): Promise<View> {
  // First: a job that started while it was asked would otherwise seem to wait.
  const mayDrain = await permission.mayDrain(signal)
  const at = clock.now()
  const [known, agents] = await Promise.all([api.pools(signal), api.agents(signal)])
  const byName = new Map(known.map((pool) => [pool.name, pool]))
  // Requesting the queue of a pool that the master does not have is an error, which would hide all other pools.
  const asked = [...pools].filter((pool) => byName.has(pool))
  const [tasks, queues] = await Promise.all([
    api.tasks(signal),
    Promise.all(
      asked.map(async (pool): Promise<[string, SeenJob[]]> => [pool, await api.jobs(pool, signal)]),
    ),
  ])
  const jobs = new Map(queues)
  return { at, pools: byName, agents, tasks, jobs, limits: await limits(tasks, jobs, signal), mayDrain }
}

// Converts the polled state of the master to the demand of a pool. Pure.

/**
 * Milliseconds. An agent shows no slots between its connection and the detection of its devices. During this time an agent
 * without slots does not count as joined: otherwise its VM would count as failed, and another would be launched.
 */
const slotlessWait = 30_000

/** `memory` is the one after the view. */
export function demandOf(pool: string, view: View, memory: Memory): Demand {
  const held = heldBy(view.tasks)
  const busy = busyAgents(view)
  const auxPerAgent = view.pools.get(pool)?.auxPerAgent
  return {
    pool,
    at: view.at,
    pending: view.tasks
      .filter((task) => task.pool === pool && isPending(task, memory))
      .map((task) => pendingOf(task, view)),
    agents: view.agents
      .filter((agent) => agent.pools.includes(pool) && !isPlaceholder(agent.id))
      .filter((agent) => hasStarted(agent, busy, view, memory))
      .map((agent) => stateOf(agent, held.get(agent.id) ?? nothing, busy.has(agent.id), memory, auxPerAgent)),
  }
}

interface Held {
  devices: Set<number>
  aux: number
}

const nothing: Held = { devices: new Set(), aux: 0 }

function heldBy(tasks: SeenTask[]): Map<string, Held> {
  const all = new Map<string, Held>()
  for (const task of tasks)
    for (const { agent, devices } of task.on) {
      const held = all.get(agent) ?? { devices: new Set(), aux: 0 }
      for (const device of devices) held.devices.add(device)
      if (task.slots === 0) held.aux++
      all.set(agent, held)
    }
  return all
}

function pendingOf(task: SeenTask, { at, limits }: View): PendingAllocation {
  const { id, slots, since = at } = task
  const [experiment] = task.fairShare ? experimentOf(task) : []
  const limit = experiment === undefined ? undefined : limits.get(experiment)
  if (!limit) return { id, slots, since }
  return { id, slots, since, job: experiment, maxSlots: limit.maxSlots, jobRunningSlots: limit.runningSlots }
}

function hasStarted({ id, slots }: SeenAgent, busy: Set<string>, view: View, memory: Memory): boolean {
  const { firstSeen } = memory.agents.get(id) ?? { firstSeen: view.at }
  return slots.length > 0 || busy.has(id) || view.at - firstSeen >= slotlessWait
}

/**
 * Always connected: an agent that may still reconnect looks like one that somebody drained, and the planner treats it as
 * both until `agent_reconnect_wait` is over.
 */
function stateOf(
  agent: SeenAgent,
  held: Held,
  busy: boolean,
  memory: Memory,
  auxPerAgent: number | undefined,
): AgentState {
  const { id, enabled, draining, slots } = agent
  const idleSince = memory.agents.get(id)?.idleSince
  // All slots of a disabled agent are shown as disabled; whether they are free is still known.
  const free = slots.filter(
    (slot) => !slot.held && !held.devices.has(slot.device) && (slot.enabled || !enabled),
  )
  return {
    id,
    slots: slots.length,
    freeSlots: free.length,
    ...(auxPerAgent !== undefined && { freeAux: Math.max(0, auxPerAgent - held.aux) }),
    busy,
    ...(!busy && idleSince !== undefined && { idleSince }),
    connected: true,
    enabled,
    draining,
  }
}

// State across polls: since when agents are idle, and which allocations already had agents.

export interface Memory {
  /** Allocations that had resources, and when the master last reported them. */
  placed: ReadonlyMap<string, number>
  agents: ReadonlyMap<string, RememberedAgent>
}

interface RememberedAgent {
  /** Milliseconds since the epoch, by our clock. */
  firstSeen: number
  /** undefined while busy. */
  idleSince?: number
}

export const emptyMemory: Memory = { placed: new Map(), agents: new Map() }

/** Milliseconds: a restarted master may need some time to restore its allocations. */
const placedFor = 5 * 60_000

/** The memory after a poll. Agents that the master no longer knows are dropped. */
export function remember(before: Memory, view: View): Memory {
  const busy = busyAgents(view)
  return {
    placed: placedAfter(before.placed, view),
    agents: new Map(
      view.agents.map((agent) => {
        const known = before.agents.get(agent.id)
        const firstSeen = known?.firstSeen ?? view.at
        if (busy.has(agent.id)) return [agent.id, { firstSeen }]
        // For an agent that is idle at its first observation, only the earliest moment is known; later observations are
        // more exact.
        const idleSince = known
          ? (known.idleSince ?? view.at)
          : Math.min(agent.registeredAt ?? view.at, view.at)
        return [agent.id, { firstSeen, idleSince }]
      }),
    ),
  }
}

function placedAfter(before: Memory['placed'], { tasks, at }: View): Map<string, number> {
  const placed = new Map([...before].filter(([, seenAt]) => at - seenAt < placedFor))
  for (const task of tasks) if (task.placed || placed.has(task.id)) placed.set(task.id, at)
  return placed
}

/**
 * Agents with jobs of any size. The list of agents shows which slots are used, the list of tasks includes auxiliary jobs;
 * an agent counts as busy if either shows a job.
 */
export function busyAgents({ agents, tasks }: Pick<View, 'agents' | 'tasks'>): Set<string> {
  const busy = new Set(tasks.flatMap(({ on }) => on.map(({ agent }) => agent)))
  for (const agent of agents) if (agent.slots.some(({ held }) => held)) busy.add(agent.id)
  return busy
}

/**
 * Whether it waits for agents. A task without resources is pending, except for the moment after its last container has
 * ended, and while a restarted master restores it.
 */
export function isPending({ id, placed }: SeenTask, memory: Memory): boolean {
  return !placed && !memory.placed.has(id)
}

// max_slots of experiments, if the scheduler enforces it. Only the fair-share scheduler does (Determined:
// agentrm/fair_share.go).

/** By experiment id; an experiment without an entry has no limit. */
export type JobLimits = ReadonlyMap<string, { maxSlots: number; runningSlots: number }>

export type LimitReader = (
  tasks: SeenTask[],
  jobs: ReadonlyMap<string, SeenJob[]>,
  signal: AbortSignal,
) => Promise<JobLimits>

/** Milliseconds; a limit can be changed while the experiment runs. */
const freshFor = 60_000

/** Caches limits for a minute: neither the list of tasks nor the queue contains them, so each costs a call. */
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

/** The task of a trial is named after its experiment: `12.<uuid>` (Determined: master/internal/experiment.go). */
export function experimentOf({ task }: Pick<SeenTask, 'task'>): string[] {
  const [, experiment] = /^(\d+)\./.exec(task) ?? []
  return experiment === undefined ? [] : [experiment]
}

// The ids of placeholder agents, each of which represents an instance that does not run. They have no capacity, so demand
// never includes them.

const prefix = 'provisioner-placeholder-'

/** @param number from 1 */
export function placeholderId(pool: string, number: number): string {
  return `${prefix}${pool}-${number}`
}

export function isPlaceholder(agentId: string): boolean {
  return agentId.startsWith(prefix)
}
