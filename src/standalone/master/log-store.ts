// The last lines commands have printed: enough to see why one failed, bounded in lines and bytes.
import type { ContainerLog } from '../protocol/messages.ts'

export interface LogLine {
  containerId: string
  /** RFC 3339, by the agent's clock. */
  timestamp: string
  stream: 'stdout' | 'stderr' | 'agent'
  text: string
}

const mostLines = 1000
const mostCharacters = 256 * 1024
const longestLine = 16 * 1024

export interface LogStore {
  add(allocationId: string, log: ContainerLog): void
  /** What is kept of it; `after` leaves out as many of its first lines, whether they are still kept or not. */
  read(allocationId: string, after?: number): LogLine[]
  /** Lines it has ever printed. */
  count(allocationId: string): number
  forget(allocationId: string): void
}

export function createLogStore(): LogStore {
  const logs = new Map<string, { lines: LogLine[]; characters: number; count: number }>()
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

function lineOf({ ContainerID, Timestamp, RunMessage, PullMessage, AuxMessage }: ContainerLog): LogLine {
  const text = RunMessage?.Value ?? PullMessage ?? AuxMessage ?? ''
  const stream = !RunMessage ? 'agent' : RunMessage.StdType === 2 ? 'stderr' : 'stdout'
  return { containerId: ContainerID, timestamp: Timestamp, stream, text: text.slice(0, longestLine) }
}
