// Default owner and launch order for tests.

import { createHash, randomUUID } from 'node:crypto'
import type { UserData } from '../agent-setup/index.ts'
import type { Offering } from '../planner/index.ts'
import type { LaunchOrder, Ownership } from '../providers/index.ts'

/** A new cluster and a new provisioner. */
export function ownerOf(pool: string): Ownership {
  return { clusterId: randomUUID(), pool, writerId: randomUUID() }
}

/** A launch order with a new intent. */
export function orderOf(
  owner: Ownership,
  count: number,
  offerings: Offering[],
  userData: UserData,
): LaunchOrder {
  return { intent: { id: randomUUID(), count, offerings }, owner, userData }
}

/** User data with an unpacked script, which starts with `#!`. `limit`: bytes the cloud accepts. */
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
