// A disk that keeps its contents when the writer dies.
import type { Journal, JournalRecord } from '../platform/index.ts'

export interface Disk extends Journal {
  /** What a reader would get now. */
  readonly lines: readonly string[]
  erase(): void
  /** Replaces its contents with those of the other. */
  copy(other: Pick<Disk, 'lines'>): void
}

/** `onStored` is called for each record after it is stored, also for those of a rewrite. */
export function createDisk(onStored: (record: JournalRecord) => void = () => {}): Disk {
  let lines: string[] = []
  return {
    async append(record) {
      // Stored as text: later changes to the object must not reach the disk.
      lines.push(JSON.stringify(record))
      onStored(record)
    },
    async read() {
      return lines.map((line) => JSON.parse(line) as JournalRecord)
    },
    async rewrite(records) {
      lines = records.map((record) => JSON.stringify(record))
      for (const record of records) onStored(record)
    },
    get lines() {
      return lines
    },
    erase() {
      lines = []
    },
    copy(other) {
      lines = [...other.lines]
    },
  }
}
