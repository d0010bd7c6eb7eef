// What is written down about a task, in <work folder>/<container id>/task.json: it survives the agent.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../../platform/files.ts'
import type { Container } from '../protocol/container.ts'

export interface TaskRecord {
  /** As the master described it; its state is not kept here. */
  container: Container
  clusterId: string
  /** The shell that waits for the task and leads its process group. Written before the task may run. */
  process: { pid: number; start: string }
  ended?: TaskEnd
}

export interface TaskEnd {
  /** Milliseconds since the epoch. */
  at: number
  /** As a shell tells it: 128 and the signal's number for a task ended by a signal. */
  exitCode: number
}

const fileName = 'task.json'

/** undefined for a folder in which nothing was started, or whose record cannot be read. */
export function readTask(folder: string): TaskRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(join(folder, fileName), 'utf8')) as TaskRecord
    return Number.isSafeInteger(record.process.pid) && typeof record.container.id === 'string'
      ? record
      : undefined
  } catch {
    return undefined
  }
}

export function writeTask(folder: string, record: TaskRecord): void {
  writeFileAtomic(join(folder, fileName), `${JSON.stringify(record)}\n`)
}
