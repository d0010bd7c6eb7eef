// Whether an agent of some id is one of a VM of ours: what is not known stays closed, for however long.

import { isLive } from '../planner/index.ts'
import { missingOf } from './launch.ts'
import type { ManagedInstance, PoolMemory } from './run.ts'

/**
 * - `yes`: it is one of a VM that can run, by the journal or a listing
 * - `ended`: of one that has ended
 * - `no`: of none
 * - `absent`: of none that the newest listing shows running; it may be yet
 * - `later`: nothing can be said of it yet
 */
export type Admission = 'yes' | 'no' | 'ended' | 'absent' | 'later'

export function admissionOf(
  { tracks, intents, foreign, firstCompleteAt }: PoolMemory,
  id: string,
): Admission {
  const track = tracks.get(id)
  if (track && isLive(track) && !track.ending && !track.wasEnded && !isMissing(track)) return 'yes'
  if (track?.state === 'terminated') return 'ended'
  // Instances of another writer may be adopted.
  if (firstCompleteAt === undefined || foreign.has(id)) return 'later'
  // A stopped one may be started again, and a launch may not have been answered yet.
  const isComing = [...intents.values()].some((intent) => missingOf(intent) > 0)
  return track || isComing || foreign.size > 0 ? 'absent' : 'no'
}

/**
 * One that listings do not show any more stays in the memory while an agent of its id is connected: that must not be
 * enough to be an instance. A new one may be shown late.
 */
function isMissing({ listed, missingSince, unknownSince }: ManagedInstance): boolean {
  return listed && (missingSince !== undefined || unknownSince !== undefined)
}
