// A disk that keeps what was written when its writer dies.
import type { Journal, JournalRecord } from '../platform/ports.ts'

export interface Disk extends Journal {
  /** What a reader would find now. */
  readonly lines: readonly string[]
  erase(): void
}

/** `onAppend` hears of each record once it is kept. */
export function createDisk(onAppend: (record: JournalRecord) => void = () => {}): Disk {
  let lines: string[] = []
  return {
    async append(record) {
      // As text: what is changed afterwards must not reach the disk.
      lines.push(JSON.stringify(record))
      onAppend(record)
    },
    async read() {
      return lines.map((line) => JSON.parse(line) as JournalRecord)
    },
    async rewrite(records) {
      lines = records.map((record) => JSON.stringify(record))
    },
    get lines() {
      return lines
    },
    erase() {
      lines = []
    },
  }
}
