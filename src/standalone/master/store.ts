// All allocations of a master: pending, running, and the latest finished ones.

import { isOver } from '../../http/index.ts'
import { type Allocation, live, type Placed } from './allocation.ts'

/** Finished allocations are kept for queries. */
const mostOver = 1000

export interface WorkStoreOptions {
  /** A finished allocation was forgotten. */
  onForget: (id: string) => void
  /** The last container on an agent has ended. */
  onFree: (agentId: string) => void
  /** An allocation is new or has changed. */
  onPut?: (id: string) => void
}

export interface WorkStore {
  get(id: string): Allocation | undefined
  /** The allocation of a task. Determined numbers a task's allocations; here each task has one. */
  ofTask(task: string): Allocation | undefined
  put(allocation: Allocation): void
  /** Allocations that are not over, in the order of submission. */
  active(): Allocation[]
  /** All allocations, finished ones first. */
  all(): Allocation[]
  /** Containers on an agent that have not ended. */
  heldOn(agentId: string): Placed[]
  /** Allocations with such containers on the agent. */
  workOn(agentId: string): Allocation[]
  /** The allocation of a container, until the container has ended. */
  owner(containerId: string): Allocation | undefined
}

export function createWorkStore({ onForget, onFree, onPut }: WorkStoreOptions): WorkStore {
  const active = new Map<string, Allocation>()
  const over = new Map<string, Allocation>()
  /** By container. */
  const owners = new Map<string, string>()
  /** By agent, then container: kept up to date, because every change reads it. */
  const held = new Map<string, Map<string, Placed>>()

  function place(container: Placed): void {
    const containers = held.get(container.agentId) ?? new Map<string, Placed>()
    held.set(container.agentId, containers.set(container.id, container))
  }

  function free({ id, agentId }: Placed): void {
    const containers = held.get(agentId)
    if (!containers?.delete(id) || containers.size > 0) return
    held.delete(agentId)
    onFree(agentId)
  }

  function put(allocation: Allocation): void {
    const running = isOver(allocation) ? [] : live(allocation)
    for (const container of get(allocation.id)?.containers ?? []) {
      if (allocation.containers.some(({ id }) => id === container.id)) continue
      owners.delete(container.id)
      free(container)
    }
    for (const container of running) {
      owners.set(container.id, allocation.id)
      place(container)
    }
    for (const container of allocation.containers) {
      if (running.includes(container)) continue
      owners.delete(container.id)
      free(container)
    }
    if (isOver(allocation)) retire(allocation)
    else active.set(allocation.id, allocation)
    onPut?.(allocation.id)
  }

  function retire(allocation: Allocation): void {
    active.delete(allocation.id)
    over.set(allocation.id, allocation)
    const [oldest] = over.keys()
    if (over.size <= mostOver || oldest === undefined) return
    over.delete(oldest)
    onForget(oldest)
  }

  const get = (id: string) => active.get(id) ?? over.get(id)
  const owner = (containerId: string) => active.get(owners.get(containerId) ?? '')
  const heldOn = (agentId: string) => [...(held.get(agentId)?.values() ?? [])]
  return {
    get,
    put,
    owner,
    heldOn,
    ofTask: (task) => get(`${task}.1`),
    active: () => [...active.values()],
    all: () => [...over.values(), ...active.values()],
    workOn: (agentId) =>
      [...new Set(heldOn(agentId).map(({ id }) => owner(id)))].filter((work) => work !== undefined),
  }
}
