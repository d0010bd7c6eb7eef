// User data for tests that only need some: a script, as it is.
import { createHash } from 'node:crypto'
import type { UserData } from '../agent-setup/pack.ts'

export function userDataOf(script: string, limit?: number): UserData {
  const packed = new TextEncoder().encode(script)
  return {
    script,
    encoding: 'plain',
    packed,
    bytes: { script: packed.byteLength, packed: packed.byteLength, limit },
    sha256: createHash('sha256').update(packed).digest('hex'),
  }
}
