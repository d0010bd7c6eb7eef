// Whether an agent id belongs to a managed VM. Unknown agents are not admitted, however long that lasts.

import { isLive } from '../planner/index.ts'
import { missingOf } from './launch.ts'
import type { ManagedInstance, PoolMemory } from './memory.ts'

/**
 * - `yes`: it belongs to a VM that can run, by the journal or a listing
 * - `ended`: it belongs to a terminated VM
 * - `no`: it belongs to no VM
 * - `absent`: the newest listing does not show its VM running, but may still
 * - `later`: not known yet, or the cloud was asked to terminate its VM: no new jobs
 */
export type Admission = 'yes' | 'no' | 'ended' | 'absent' | 'later'

export function admissionOf(
  { tracks, intents, foreign, firstCompleteAt }: PoolMemory,
  id: string,
): Admission {
  const track = tracks.get(id)
  if (track && isLive(track) && !track.ending && !track.wasEnded && !isMissing(track))
    // A job that it got could be ended by a termination that is under way; the jobs that it has may go on.
    return track.condemned ? 'later' : 'yes'
  if (track?.state === 'terminated') return 'ended'
  // Instances of another writer may be adopted.
  if (firstCompleteAt === undefined || foreign.has(id)) return 'later'
  // A stopped one may be started again, and a launch may not have been answered yet.
  const isComing = [...intents.values()].some((intent) => missingOf(intent) > 0)
  return track || isComing || foreign.size > 0 ? 'absent' : 'no'
}

/**
 * An instance that listings no longer show stays in the memory while an agent with its id is connected. That alone must
 * not make it an instance. A new one may be listed late.
 */
function isMissing({ listed, missingSince, unknownSince }: ManagedInstance): boolean {
  return listed && (missingSince !== undefined || unknownSince !== undefined)
}
