// All work of a master: what waits and runs, and the last that is over.
import { type Allocation, isOver, live, type Placed } from './allocation.ts'

/** What is over is remembered for those who ask how it went. */
const mostOver = 1000

export interface WorkStore {
  get(id: string): Allocation | undefined
  /** Work of a task: the origin numbers a task's allocations, ours has one. */
  ofTask(task: string): Allocation | undefined
  put(allocation: Allocation): void
  /** What is not over, in the order of submission. */
  active(): Allocation[]
  /** Everything remembered, what is over first. */
  all(): Allocation[]
  /** Containers that have not ended, by agent. */
  held(): Map<string, Placed[]>
  heldOn(agentId: string): { allocation: Allocation; containers: Placed[] }[]
  /** The allocation a container belongs to, as long as the container has not ended. */
  owner(containerId: string): Allocation | undefined
}

export function createWorkStore(onForget: (id: string) => void): WorkStore {
  const active = new Map<string, Allocation>()
  const over = new Map<string, Allocation>()
  const owners = new Map<string, string>()

  function put(allocation: Allocation): void {
    for (const { id } of allocation.containers) owners.delete(id)
    if (!isOver(allocation)) {
      active.set(allocation.id, allocation)
      for (const { id } of live(allocation)) owners.set(id, allocation.id)
      return
    }
    active.delete(allocation.id)
    over.set(allocation.id, allocation)
    const [oldest] = over.keys()
    if (over.size <= mostOver || oldest === undefined) return
    over.delete(oldest)
    onForget(oldest)
  }

  const get = (id: string) => active.get(id) ?? over.get(id)
  return {
    get,
    put,
    ofTask: (task) => get(`${task}.1`),
    active: () => [...active.values()],
    all: () => [...over.values(), ...active.values()],
    held() {
      const held = new Map<string, Placed[]>()
      for (const allocation of active.values())
        for (const container of live(allocation)) {
          const list = held.get(container.agentId)
          if (list) list.push(container)
          else held.set(container.agentId, [container])
        }
      return held
    },
    heldOn: (agentId) =>
      [...active.values()].flatMap((allocation) => {
        const containers = live(allocation).filter((container) => container.agentId === agentId)
        return containers.length ? [{ allocation, containers }] : []
      }),
    owner: (containerId) => active.get(owners.get(containerId) ?? ''),
  }
}
