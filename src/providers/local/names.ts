// Ids of local VMs, derived from the intent: asking twice for the same VMs gives the same names, never a second set.
import { createHash } from 'node:crypto'
import type { Intent } from '../launch.ts'

const shape = /^local-[0-9a-f]{8}-[1-9]\d*$/

/** `local-<8 hex of the intent>-<n>`, n from 1. */
export function instanceIds(intent: Pick<Intent, 'id' | 'count'>): string[] {
  const stem = createHash('sha256').update(intent.id).digest('hex').slice(0, 8)
  return Array.from({ length: intent.count }, (_, n) => `local-${stem}-${n + 1}`)
}

/** Guards every id that becomes part of a path. */
export function isInstanceId(id: string): boolean {
  return shape.test(id)
}
