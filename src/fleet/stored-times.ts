// Converts times written by an earlier process to the clock of this one: the clock may have been set meanwhile.

import type { BootMark, JournalRecord } from '../platform/index.ts'
import { breakerPause, keptGrowth, launchErrorPause, refusalGrowth, unplaceableGrowth } from './failures.ts'
import type { PoolMemory } from './memory.ts'
import { recall, writtenIn } from './records.ts'

/**
 * By how much times of an earlier process must be shifted, in milliseconds: within the same boot the uptime shows exactly
 * how long ago `at` was. 0 where that is not known.
 */
function shiftOf(
  written: { at: number; mark?: BootMark | undefined } | undefined,
  now: number,
  mark: BootMark | undefined,
): number {
  if (!written?.mark || !mark || written.mark.boot !== mark.boot) return 0
  const shift = now - (mark.uptime - written.mark.uptime) - written.at
  // Uptime has hundredths of a second, and clocks drift: such a small difference does not mean that the clock was set.
  return Math.abs(shift) < setApart ? 0 : shift
}

/** Milliseconds. */
const setApart = 2_000

/** The memory a journal holds, as `recall` reads it, on the clock of this process. */
export function recallNow(
  records: readonly JournalRecord[],
  now: number,
  mark: BootMark | undefined,
  onUnreadable: (kind: string, why: string) => void = () => {},
): PoolMemory {
  const memory = recall(records, now, onUnreadable)
  moveTimes(memory, shiftOf(writtenIn(records), now, mark), now)
  return memory
}

/** The longest pause, with its jitter. */
function longest({ most }: { most: number }): number {
  return most * 1.25
}

/**
 * Moves every time by `shift`, except those of drains, which count from this start; then nothing in the past is later than
 * `now`, and no pause is longer than its maximum, whatever clock the times were written by.
 */
function moveTimes(memory: PoolMemory, shift: number, now: number): void {
  const past = (time: number) => Math.min(time + shift, now)
  const until = (time: number, most: number) => Math.min(time + shift, now + most)
  for (const track of memory.tracks.values()) {
    track.knownSince = past(track.knownSince)
    if (track.joinedAt !== undefined) track.joinedAt = past(track.joinedAt)
    if (track.lostSince !== undefined) track.lostSince = past(track.lostSince)
    // Another host may have written it, by a clock that was behind: jobs get their time again, never less of it.
    if (track.rolledSince !== undefined) track.rolledSince = now
    if (track.undrainedAt !== undefined) track.undrainedAt = past(track.undrainedAt)
    if (track.endedAt !== undefined) track.endedAt = past(track.endedAt)
    if (track.retryAt !== undefined) track.retryAt = until(track.retryAt, 60_000)
    if (track.kept) track.kept = { ...track.kept, until: until(track.kept.until, longest(keptGrowth)) }
  }
  for (const agent of memory.agents.values()) {
    agent.settledSince = past(agent.settledSince)
    if (agent.idleSince !== undefined) agent.idleSince = past(agent.idleSince)
  }
  for (const [id, marked] of memory.unplaced)
    memory.unplaced.set(id, { ...marked, until: until(marked.until, longest(unplaceableGrowth)) })
  for (const intent of memory.intents.values()) intent.at = past(intent.at)
  for (const refusal of memory.offerings.values())
    refusal.until = until(refusal.until, longest(refusalGrowth[refusal.class]))
  const { breaker, launchError, budget } = memory
  breaker.openedAt = past(breaker.openedAt)
  breaker.until = until(breaker.until, longest(breakerPause))
  launchError.lastAt = past(launchError.lastAt)
  launchError.readyAt = until(launchError.readyAt, launchErrorPause)
  budget.at = past(budget.at)
  const { failed } = memory.rollout
  if (failed) memory.rollout.failed = { ...failed, at: past(failed.at) }
}
