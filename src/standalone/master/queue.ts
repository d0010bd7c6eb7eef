// The scheduling order. Higher priorities come first and are not overtaken; within one priority, every job that fits starts.

import { runsCommands } from '../protocol/accept.ts'
import type { Container, Device } from '../protocol/container.ts'
import { type Agent, takesWork } from './agent.ts'
import {
  type Allocation,
  agentsFor,
  type Fit,
  type Host,
  type Need,
  occupy,
  type Placed,
  place,
} from './allocation.ts'

export interface Assignment {
  allocation: Allocation
  fits: Fit[]
}

export interface PoolHost extends Host {
  /** All devices and the auxiliary limit, as if the agent were idle. */
  all: Device[]
  allAux: number
}

/** Priority, then age, then id. */
export function inOrder(pending: Allocation[]): Allocation[] {
  return [...pending].sort(
    (a, b) => a.priority - b.priority || a.submittedAt - b.submittedAt || (a.id < b.id ? -1 : 1),
  )
}

/**
 * The allocations of one pool that can start now. Auxiliary allocations and those with slots do not wait for each other.
 * A pending allocation blocks lower priorities only if it would fit on these agents if they were empty: otherwise, keeping
 * slots free would not help it.
 */
export function schedule(pending: Allocation[], hosts: PoolHost[]): Assignment[] {
  const empty = hosts.map((host) => ({ ...host, free: host.all, freeAux: host.allAux, busy: false }))
  const assignments: Assignment[] = []
  const held = { aux: Number.POSITIVE_INFINITY, slotted: Number.POSITIVE_INFINITY }
  // A size that did not fit does not fit later either, because hosts only fill up. This keeps long queues cheap.
  const unfit = new Set<string>()
  let left: Host[] = hosts
  for (const allocation of inOrder(pending)) {
    const { slots, work, priority } = allocation
    const queue = slots === 0 ? 'aux' : 'slotted'
    const need: Need = { slots, on: agentsFor(work) }
    const shape = `${slots}/${need.on}`
    if (priority > held[queue]) continue
    const fits = unfit.has(shape) ? undefined : place(need, left)
    if (fits) {
      assignments.push({ allocation, fits })
      left = occupy(left, fits)
      continue
    }
    if (!unfit.has(shape) && place(need, empty)) held[queue] = priority
    unfit.add(shape)
  }
  return assignments
}

// The agents of a pool as hosts for the queue.

/** The agents that accept jobs. `heldOn` returns an agent's containers that have not ended; `auxLimit` is per agent. */
export function hostsOf(
  agents: Agent[],
  heldOn: (agentId: string) => Placed[],
  auxLimit: number,
): PoolHost[] {
  return agents.filter(takesWork).map((agent) => hostOf(agent, heldOn(agent.id), auxLimit))
}

/** `held`: its containers of known jobs; containers of unknown jobs are counted, too. */
export function hostOf(agent: Agent, held: Container[], auxLimit: number): PoolHost {
  const containers = [...held, ...(agent.unknownContainers ?? [])]
  const all = agent.devices.filter((device) => device.type !== '')
  const taken = new Set(containers.flatMap((container) => container.devices.map((device) => device.id)))
  const aux = containers.filter((container) => container.devices.length === 0).length
  return {
    id: agent.id,
    all,
    free: all.filter((device) => !taken.has(device.id)),
    slots: all.length,
    allAux: auxLimit,
    freeAux: Math.max(0, auxLimit - aux),
    busy: containers.length > 0,
    runsCommands: runsCommands(agent.version),
  }
}
