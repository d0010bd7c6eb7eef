// Records of journals in the contracts.
import type { JournalRecord } from '../../src/platform/ports.ts'

export const record = (n: number, more: object = {}): JournalRecord => ({ at: n, kind: 'test', ...more })
export const numbers = (records: readonly JournalRecord[]) => records.map(({ at }) => at)
export const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, n) => from + n)
