// All work of a master: what waits and runs, and the last that is over.

import { isOver, type LogLine, type Written } from '../../http/index.ts'
import type { ContainerLog } from '../protocol/messages.ts'
import { type Allocation, live, type Placed } from './allocation.ts'

/** What is over is remembered for those who ask how it went. */
const mostOver = 1000

export interface WorkStoreOptions {
  /** What is over has been forgotten. */
  onForget: (id: string) => void
  /** The last container on an agent has ended. */
  onFree: (agentId: string) => void
}

export interface WorkStore {
  get(id: string): Allocation | undefined
  /** Work of a task: the origin numbers a task's allocations, ours has one. */
  ofTask(task: string): Allocation | undefined
  put(allocation: Allocation): void
  /** What is not over, in the order of submission. */
  active(): Allocation[]
  /** Everything remembered, what is over first. */
  all(): Allocation[]
  /** Containers on an agent that have not ended. */
  heldOn(agentId: string): Placed[]
  /** Work that has such containers there. */
  workOn(agentId: string): Allocation[]
  /** The work a container belongs to, as long as the container has not ended. */
  owner(containerId: string): Allocation | undefined
}

export function createWorkStore({ onForget, onFree }: WorkStoreOptions): WorkStore {
  const active = new Map<string, Allocation>()
  const over = new Map<string, Allocation>()
  /** By container. */
  const owners = new Map<string, string>()
  /** By agent, then container: kept up to date, because it is asked for at every change of anything. */
  const held = new Map<string, Map<string, Placed>>()

  function place(container: Placed): void {
    const there = held.get(container.agentId) ?? new Map<string, Placed>()
    held.set(container.agentId, there.set(container.id, container))
  }

  function free({ id, agentId }: Placed): void {
    const there = held.get(agentId)
    if (!there?.delete(id) || there.size > 0) return
    held.delete(agentId)
    onFree(agentId)
  }

  function put(allocation: Allocation): void {
    const alive = isOver(allocation) ? [] : live(allocation)
    for (const container of get(allocation.id)?.containers ?? []) {
      if (allocation.containers.some(({ id }) => id === container.id)) continue
      owners.delete(container.id)
      free(container)
    }
    for (const container of alive) {
      owners.set(container.id, allocation.id)
      place(container)
    }
    for (const container of allocation.containers) {
      if (alive.includes(container)) continue
      owners.delete(container.id)
      free(container)
    }
    if (isOver(allocation)) bury(allocation)
    else active.set(allocation.id, allocation)
  }

  function bury(allocation: Allocation): void {
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

// The last lines commands have printed: enough to see why one failed, bounded in lines and bytes.

const mostLines = 1000
const mostCharacters = 256 * 1024
const longestLine = 16 * 1024

export interface LogStore {
  add(allocationId: string, log: ContainerLog): void
  /** What is kept of it; `after` leaves out as many of its first lines, whether they are still kept or not. */
  read(allocationId: string, after?: number): Written<LogLine>[]
  /** Lines it has ever printed. */
  count(allocationId: string): number
  forget(allocationId: string): void
}

export function createLogStore(): LogStore {
  const logs = new Map<string, { lines: Written<LogLine>[]; characters: number; count: number }>()
  return {
    add(allocationId, log) {
      const entry = logs.get(allocationId) ?? { lines: [], characters: 0, count: 0 }
      logs.set(allocationId, entry)
      const line = lineOf(log)
      entry.lines.push(line)
      entry.count++
      entry.characters += line.text.length
      while (entry.lines.length > mostLines || entry.characters > mostCharacters)
        entry.characters -= entry.lines.shift()!.text.length
    },
    read(allocationId, after = 0) {
      const { lines = [], count = 0 } = logs.get(allocationId) ?? {}
      return lines.slice(Math.max(0, after - (count - lines.length)))
    },
    count: (allocationId) => logs.get(allocationId)?.count ?? 0,
    forget: (allocationId) => void logs.delete(allocationId),
  }
}

function lineOf({
  ContainerID,
  Timestamp,
  RunMessage,
  PullMessage,
  AuxMessage,
}: ContainerLog): Written<LogLine> {
  const text = RunMessage?.Value ?? PullMessage ?? AuxMessage ?? ''
  const stream = !RunMessage ? 'agent' : RunMessage.StdType === 2 ? 'stderr' : 'stdout'
  return { containerId: ContainerID, timestamp: Timestamp, stream, text: text.slice(0, longestLine) }
}
