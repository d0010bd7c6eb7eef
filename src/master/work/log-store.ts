// The last lines commands have printed: enough to see why one failed, bounded in lines and bytes.
import type { ContainerLog } from '../../protocol/master-message.ts'

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
  read(allocationId: string): LogLine[]
  forget(allocationId: string): void
}

export function createLogStore(): LogStore {
  const logs = new Map<string, { lines: LogLine[]; characters: number }>()
  return {
    add(allocationId, log) {
      const entry = logs.get(allocationId) ?? { lines: [], characters: 0 }
      logs.set(allocationId, entry)
      const line = lineOf(log)
      entry.lines.push(line)
      entry.characters += line.text.length
      while (entry.lines.length > mostLines || entry.characters > mostCharacters)
        entry.characters -= entry.lines.shift()!.text.length
    },
    read: (allocationId) => [...(logs.get(allocationId)?.lines ?? [])],
    forget: (allocationId) => void logs.delete(allocationId),
  }
}

function lineOf({ ContainerID, Timestamp, RunMessage, PullMessage, AuxMessage }: ContainerLog): LogLine {
  const text = RunMessage?.Value ?? PullMessage ?? AuxMessage ?? ''
  const stream = !RunMessage ? 'agent' : RunMessage.StdType === 2 ? 'stderr' : 'stdout'
  return { containerId: ContainerID, timestamp: Timestamp, stream, text: text.slice(0, longestLine) }
}
