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
 * When the newest complete listing began, if by it and by all that is remembered there is no instance with this id. Undefined while
 * there is one, or may be: of a termination that was asked for, of another writer, or of a launch that has not been answered yet; and
 * until a complete listing has begun at `knownAt` or later.
 * @param knownAt by the clock: the id was known then, so that no later launch has made it
 */
export function unlistedAt(memory: PoolMemory, id: string, knownAt: number): number | undefined {
  const { tracks, intents, foreign, listing, journalMissing, otherAccount } = memory
  if (tracks.has(id) || foreign.has(id) || journalMissing || otherAccount) return undefined
  for (const intent of intents.values()) if (intent.at <= knownAt && missingOf(intent) > 0) return undefined
  // A listing from before the instance existed is no evidence.
  return listing && listing.completeAt >= knownAt ? listing.completeAt : undefined
}

/**
 * An instance that listings no longer show stays in the memory while an agent with its id is connected. That alone must
 * not make it an instance. A new one may be listed late.
 */
function isMissing({ listed, missingSince, unknownSince }: ManagedInstance): boolean {
  return listed && (missingSince !== undefined || unknownSince !== undefined)
}
