// Launches of unknown outcome: asked again with the same bytes for a while, then settled by what listings show.
import { settleApart } from './holds.ts'
import { isLive, type OpenIntent, type PoolMemory } from './memory.ts'

/** How long the same request may be repeated: clouds remember tokens longer, but not for ever. */
export const replayTime = 15 * 60_000
/** How long a request may take effect after it was last sent. */
const effectTime = 2 * 60_000

/** VMs of the intent that nobody has seen yet. */
export function missingOf({ count, seen }: OpenIntent): number {
  return Math.max(0, count - seen.size)
}

/** Whether an open intent needs this user data. */
export function isCarried({ intents }: PoolMemory, sha256: string): boolean {
  for (const intent of intents.values()) if (intent.sha256 === sha256) return true
  return false
}

/** Whether the same bytes may be sent again at all: nothing of the request has changed, and all of it fits below max. */
export function isReplayable(
  intent: OpenIntent,
  memory: PoolMemory,
  carried: { version: string; sha256: string } | undefined,
  maxInstances: number,
  now: number,
): boolean {
  const isSame = carried?.version === intent.version && carried.sha256 === intent.sha256
  if (!isSame || now - intent.at >= replayTime) return false
  let total = 0
  for (const track of memory.tracks.values()) if (isLive(track)) total++
  for (const open of memory.intents.values()) total += missingOf(open)
  return total <= maxInstances
}

/** Whether its time has come: after the pause, and after a listing that could have shown its VMs to whoever recalled it. */
export function isDue({ retryAt, listAfter }: OpenIntent, { listing }: PoolMemory, now: number): boolean {
  return now >= retryAt && listing?.complete === true && listing.completeAt >= listAfter
}

/** Two complete listings far enough apart, begun after the request can have had an effect, have shown all there is. */
export function isShown(intent: OpenIntent, { listing }: PoolMemory): boolean {
  if (!listing?.complete || listing.completeAt < intent.lastSentAt + effectTime) return false
  intent.settleFrom ??= listing.completeAt
  return listing.completeAt - intent.settleFrom >= settleApart
}
