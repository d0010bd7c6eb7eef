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

/**
 * Whether the outcome is known: all of its VMs were seen, or two complete listings far enough apart, begun after
 * the request can have had an effect, showed no more.
 */
export function isSettled(intent: OpenIntent, memory: PoolMemory, now: number, canReplay: boolean): boolean {
  if (intent.sending) return false
  if (missingOf(intent) === 0) return true
  if (canReplay && now - intent.at < replayTime) return false
  const { listing } = memory
  if (!listing?.complete || listing.completeAt < intent.lastSentAt + effectTime) return false
  intent.settleFrom ??= listing.completeAt
  return listing.completeAt - intent.settleFrom >= settleApart
}

/** Whether it may be asked again now, as far as the intent and the limits are concerned. */
export function mayReplay(
  intent: OpenIntent,
  memory: PoolMemory,
  { version, sha256 }: { version: string; sha256: string },
  maxInstances: number,
  now: number,
): boolean {
  if (intent.sending || missingOf(intent) === 0 || now - intent.at >= replayTime || now < intent.retryAt)
    return false
  if (intent.version !== version || intent.sha256 !== sha256 || !memory.userData.has(sha256)) return false
  if (!memory.listing?.complete || memory.listing.completeAt < intent.listAfter) return false
  let total = 0
  for (const track of memory.tracks.values()) if (isLive(track)) total++
  for (const open of memory.intents.values()) total += missingOf(open)
  return total <= maxInstances
}
