// What one look at the master cannot tell: since when agents are idle, and which work had its agents already.
import type { SeenTask } from './seen.ts'
import type { View } from './view.ts'

export interface Memory {
  /** Allocations that were seen with resources, and when the master last knew them. */
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

/** Milliseconds: a master that was restarted may take a while until it knows its work again. */
const placedFor = 5 * 60_000

/** The memory after a look. Nothing is kept of agents that the master does not know any more. */
export function remember(before: Memory, view: View): Memory {
  const busy = busyAgents(view)
  return {
    placed: placedAfter(before.placed, view),
    agents: new Map(
      view.agents.map((agent) => {
        const known = before.agents.get(agent.id)
        const firstSeen = known?.firstSeen ?? view.at
        if (busy.has(agent.id)) return [agent.id, { firstSeen }]
        // Of an agent that we meet idle only the earliest moment is known; whoever has seen more knows better.
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
 * Agents with work of any size. The list of agents shows what holds a slot, the list of tasks auxiliary work as well;
 * neither is believed against the other.
 */
export function busyAgents({ agents, tasks }: Pick<View, 'agents' | 'tasks'>): Set<string> {
  const busy = new Set(tasks.flatMap(({ on }) => on.map(({ agent }) => agent)))
  for (const agent of agents) if (agent.slots.some(({ held }) => held)) busy.add(agent.id)
  return busy
}

/**
 * Waits for agents. A task without resources is pending, but for the moment in which its last container has ended and
 * it has not, and while a master that was restarted restores it.
 */
export function isPending({ id, placed }: SeenTask, memory: Memory): boolean {
  return !placed && !memory.placed.has(id)
}
