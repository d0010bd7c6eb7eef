// The last output lines of commands, limited in lines and characters: enough to find why a command failed. They are in memory,
// and stored soon after they have arrived. Only the record of a job's end waits for that, for a short time: until it is written
// the agent sends the output again.

import { isOver, type LogLine, type Written } from '../../http/index.ts'
import type { Clock, Logger } from '../../platform/index.ts'
import type { OutputHead, OutputLine, OutputStore } from '../../state/index.ts'
import type { ContainerLog, StreamPositions } from '../protocol/messages.ts'
import type { Allocation } from './allocation.ts'

const mostLines = 1000
const mostCharacters = 256 * 1024
const longestLine = 16 * 1024

/** Milliseconds for which lines wait to be stored together, unless there are many; the first after a fault. */
const storeEvery = 1000
const retryEvery = 2000
/** Longest time in milliseconds that the record of a job's end waits for its output. */
const endWaits = 2000
/** Characters that do not wait. */
const muchOutput = 64 * 1024
/** A write costs as much for an allocation as for so many characters. */
const perAllocation = 1024

export interface LogStore {
  /** Lines that have arrived before, by their position, change nothing. */
  add(allocationId: string, log: ContainerLog): void
  /** The kept lines; `after` skips that many of the first lines printed, kept or not. */
  read(allocationId: string, after?: number): Written<LogLine>[]
  /** Number of lines printed. */
  count(allocationId: string): number
  /** What has arrived of a container, so that its agent sends the rest. */
  received(allocationId: string, containerId: string): StreamPositions
  /** After this `read` has also what was stored before the start. Never rejects: what cannot be read is missing. */
  load(allocationId: string): Promise<void>
  /** Stores its lines without waiting for more: it is over. Resolves when they are stored, and also when they cannot be soon. */
  flush(allocationId: string): Promise<void>
  forget(allocationId: string): void
  /** Stores what is not stored yet, if it can. */
  close(): Promise<void>
}

/** Output of earlier starts, and where that of this one goes. */
export interface StoredLogs {
  output: OutputStore
  /** Of allocations that are not over. */
  heads: ReadonlyMap<string, OutputHead>
  /** Allocations of earlier starts. */
  earlier: ReadonlySet<string>
  clock: Clock
  logger: Logger
}

export interface StoredLogsOptions extends Pick<StoredLogs, 'output' | 'clock' | 'logger'> {
  allocations: ReadonlyMap<string, Allocation>
  /** Allocations may be missing: nothing is removed because it belongs to none. */
  stateLost: boolean
}

/** Reads how much was printed of what still runs. Throws a ProvisionError. */
export async function openStoredLogs({
  allocations,
  stateLost,
  ...rest
}: StoredLogsOptions): Promise<StoredLogs> {
  const { output, logger } = rest
  const active = [...allocations.values()].filter((allocation) => !isOver(allocation))
  const heads = await output.heads(active.map(({ id }) => id))
  if (!stateLost) {
    // Of a master that stopped between forgetting an allocation and its output.
    const unknown = (await output.allocations()).filter((id) => !allocations.has(id))
    if (unknown.length > 0)
      await output.forget(unknown).catch((error: unknown) => {
        logger.warn('output of forgotten jobs could not be removed', { jobs: unknown.length, error })
      })
  }
  return { ...rest, heads, earlier: new Set(allocations.keys()) }
}

interface Entry {
  lines: OutputLine[]
  characters: number
  count: number
  /** Lines from this number on are not stored. */
  stored: number
  /** Lines before this number were printed before this start. */
  earlier: number
  /** By container. */
  positions: Map<string, { stdout: number; stderr: number }>
}

/** Without `stored` the lines are lost with the process. `onLine`: a line was added. */
export function createLogStore(onLine?: (allocationId: string) => void, stored?: StoredLogs): LogStore {
  const logs = new Map<string, Entry>()
  /** Those whose earlier lines were not read yet. */
  const unread = new Set(stored?.earlier)
  const writer = stored && createWriter(stored, logs)
  for (const [id, { count, positions }] of stored?.heads ?? [])
    logs.set(id, { ...emptyEntry(), count, stored: count, earlier: count, positions: positionsIn(positions) })

  function entryOf(id: string): Entry {
    const entry = logs.get(id) ?? emptyEntry()
    logs.set(id, entry)
    return entry
  }

  return {
    add(allocationId, log) {
      const entry = entryOf(allocationId)
      const line = lineOf(log)
      if (!isNew(entry, line)) return
      entry.lines.push(line)
      entry.count++
      entry.characters += line.text.length
      limit(entry)
      writer?.onLine(allocationId, line.text.length)
      onLine?.(allocationId)
    },
    read(allocationId, after = 0) {
      const { lines = [], count = 0 } = logs.get(allocationId) ?? {}
      return lines.slice(Math.max(0, after - (count - lines.length))).map(({ position: _, ...line }) => line)
    },
    count: (allocationId) => logs.get(allocationId)?.count ?? 0,
    received(allocationId, containerId) {
      const { stdout = 0, stderr = 0 } = logs.get(allocationId)?.positions.get(containerId) ?? {}
      return { Stdout: stdout, Stderr: stderr }
    },
    async load(allocationId) {
      if (!stored || !unread.has(allocationId)) return
      try {
        const { count, lines, positions } = await stored.output.read(allocationId)
        if (!unread.delete(allocationId) || count === 0) return
        const entry = logs.get(allocationId) ?? {
          ...emptyEntry(),
          ...{ count, stored: count, positions: positionsIn(positions) },
        }
        logs.set(allocationId, entry)
        const first = entry.count - entry.lines.length
        entry.lines.unshift(...lines.slice(0, Math.max(0, first - (count - lines.length))))
        entry.characters = entry.lines.reduce((sum, { text }) => sum + text.length, 0)
        limit(entry)
      } catch (error) {
        stored.logger.warn('output of a job could not be read', { allocation: allocationId, error })
      }
    },
    flush: async (allocationId) => writer?.flush(allocationId),
    forget(allocationId) {
      unread.delete(allocationId)
      logs.delete(allocationId)
      writer?.forget(allocationId)
    },
    close: async () => writer?.close(),
  }
}

function emptyEntry(): Entry {
  return { lines: [], characters: 0, count: 0, stored: 0, earlier: 0, positions: new Map() }
}

function positionsIn(positions: OutputHead['positions']): Entry['positions'] {
  return new Map(Object.entries(positions).map(([id, each]) => [id, { ...each }]))
}

function limit(entry: Entry): void {
  while (entry.lines.length > mostLines || entry.characters > mostCharacters)
    entry.characters -= entry.lines.shift()!.text.length
}

/** Also notes its position. */
function isNew({ positions }: Entry, { containerId, stream, position }: OutputLine): boolean {
  if (position === undefined || stream === 'agent') return true
  const known = positions.get(containerId) ?? { stdout: 0, stderr: 0 }
  if (position <= known[stream]) return false
  known[stream] = position
  positions.set(containerId, known)
  return true
}

function lineOf({
  ContainerID,
  Timestamp,
  RunMessage,
  PullMessage,
  AuxMessage,
  Position: position,
}: ContainerLog): OutputLine {
  const text = RunMessage?.Value ?? PullMessage ?? AuxMessage ?? ''
  const stream = !RunMessage ? 'agent' : RunMessage.StdType === 2 ? 'stderr' : 'stdout'
  return {
    ...{ containerId: ContainerID, timestamp: Timestamp, stream, text: text.slice(0, longestLine) },
    ...(position !== undefined && { position }),
  }
}

// Stores new lines: those of all allocations together, one write after the other.

interface Writer {
  onLine(id: string, characters: number): void
  flush(id: string): Promise<void>
  forget(id: string): void
  close(): Promise<void>
}

function createWriter({ output, clock, logger }: StoredLogs, logs: ReadonlyMap<string, Entry>): Writer {
  const dirty = new Set<string>()
  const forgotten = new Set<string>()
  /** Characters that have arrived since the last write began. */
  let waiting = 0
  /** Something does not wait for more lines. */
  let isUrgent = false
  let working: Promise<void> | undefined
  /** Resolves after the present write, or the next one. */
  let written = Promise.withResolvers<void>()
  let wake = new AbortController()
  let isFailing = false
  let isClosed = false

  async function work(): Promise<void> {
    while (!isClosed && dirty.size + forgotten.size > 0) {
      wake = new AbortController()
      // While writing fails, nothing makes it try sooner.
      if (isFailing || (waiting < muchOutput && !isUrgent))
        await clock.sleep(isFailing ? retryEvery : storeEvery, wake.signal).catch(() => {})
      if (!isClosed) await write()
    }
    working = undefined
  }

  function start(): void {
    if (!isClosed) working ??= work()
  }

  async function write(): Promise<void> {
    waiting = 0
    isUrgent = false
    try {
      while (dirty.size > 0) await writeSome()
      const ids = [...forgotten]
      if (ids.length > 0) await output.forget(ids)
      for (const id of ids) forgotten.delete(id)
      if (isFailing) logger.info('the output of jobs can be stored again')
      isFailing = false
    } catch (error) {
      if (!isFailing)
        logger.warn('the output of jobs cannot be stored; its last lines are in memory only', { error })
      isFailing = true
    }
    written.resolve()
    written = Promise.withResolvers()
  }

  function isStored(id: string): boolean {
    const entry = logs.get(id)
    return !entry || entry.stored >= entry.count
  }

  async function stored(id: string): Promise<void> {
    while (!isStored(id) && !isFailing && !isClosed) await written.promise
  }

  /** Some allocations: few enough to hold the event loop for some milliseconds only. */
  async function writeSome(): Promise<void> {
    const chunks = []
    let characters = 0
    for (const id of dirty) {
      if (characters >= muchOutput) break
      dirty.delete(id)
      const entry = logs.get(id)
      if (!entry) continue
      const here = entry.count - entry.lines.length
      const first = Math.max(here, entry.stored)
      const lines = entry.lines.slice(first - here)
      if (lines.length === 0) continue
      characters += lines.reduce((sum, { text }) => sum + text.length, perAllocation)
      const positions = Object.fromEntries([...entry.positions].map(([each, at]) => [each, { ...at }]))
      // Earlier lines that nobody has read yet are not here, but count until there are enough others.
      const kept = here === entry.earlier ? Math.max(0, entry.count - mostLines) : here
      chunks.push({ allocation: id, first, lines, positions, kept })
    }
    try {
      await output.append(chunks)
    } catch (error) {
      for (const { allocation } of chunks) if (logs.has(allocation)) dirty.add(allocation)
      throw error
    }
    for (const { allocation, first, lines } of chunks) {
      const entry = logs.get(allocation)
      if (entry) entry.stored = first + lines.length
      // Forgotten while it was being written.
      else forgotten.add(allocation)
    }
  }

  return {
    onLine(id, characters) {
      dirty.add(id)
      waiting += characters
      if (waiting >= muchOutput && !isFailing) wake.abort()
      start()
    },
    async flush(id) {
      if (isStored(id)) return
      isUrgent = true
      if (!isFailing) wake.abort()
      const wait = new AbortController()
      await Promise.race([stored(id), clock.sleep(endWaits, wait.signal).catch(() => {})])
      wait.abort()
    },
    forget(id) {
      dirty.delete(id)
      forgotten.add(id)
      start()
    },
    async close() {
      isClosed = true
      wake.abort()
      await working
      if (dirty.size + forgotten.size > 0) await write()
    },
  }
}
