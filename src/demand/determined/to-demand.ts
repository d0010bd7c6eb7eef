// From what was seen at the master to the demand of a pool. Pure.
import type { AgentState, Demand, PendingAllocation } from '../../planner/demand.ts'
import { experimentOf } from './job-limits.ts'
import { busyAgents, isPending, type Memory } from './memory.ts'
import { isPlaceholder } from './placeholder-id.ts'
import type { SeenAgent, SeenTask } from './seen.ts'
import type { View } from './view.ts'

/**
 * An agent shows no slots from its connection until it has looked for its devices. For as long one without slots is not
 * said to have joined: it would count as a VM of no use, and another would be bought.
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
 * Always connected: an agent that may still come back looks like one that somebody drained, and whoever plans treats
 * it as both until `agent_reconnect_wait` is over.
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
  // All slots of a disabled agent say that they are disabled; which are free is known all the same.
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
