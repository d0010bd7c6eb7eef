// How often the cloud and the master are polled: often while something changes, rarely while nothing does.

import { isListingCertain } from '../planner/index.ts'
import type { ManagedInstance, PoolMemory } from './memory.ts'

/** Milliseconds. The larger stays below the age at which a view of the master is too old. */
const poll = { busy: 5_000, quiet: 10_000 }
const quietAfter = 60_000

/** A pool is quiet when nothing was decided for a while, and no job or launch waits. */
function isQuiet({ intents, pending }: PoolMemory, lastChangeAt: number, now: number): boolean {
  return now - lastChangeAt > quietAfter && intents.size === 0 && pending.length === 0
}

/** Milliseconds until the next poll of the master, and until the next listing of a pool that lists by itself. */
export function nextPoll(memory: PoolMemory, lastChangeAt: number, now: number): number {
  return isQuiet(memory, lastChangeAt, now) ? poll.quiet : poll.busy
}

// A listing that the pools of a location share. A pool without instances needs one only to notice those of others.

const shared = {
  /** While the pool has instances or launches. Those that start are also looked up by id. */
  used: 10_000,
  empty: 60_000,
  /** While a termination or a launch waits for a listing. */
  wanted: 2_000,
  /** A listing takes at most this part of the time, unless one is waited for. */
  share: 0.25,
  /** However long a listing takes, or the machine was suspended during one. */
  slowest: 60_000,
}

/** Milliseconds until the pool needs the next shared listing. */
export function nextSharedListing(memory: PoolMemory, now: number): number {
  const wanted = wantedFrom(memory)
  return wanted === undefined ? paceOf(memory) : Math.max(shared.wanted, wanted - now)
}

/** When that listing must begin at the earliest. Pools with the same pace share one, although their turns differ. */
export function listingFrom(memory: PoolMemory, now: number): number {
  const wanted = wantedFrom(memory)
  return wanted === undefined || wanted > now ? now - paceOf(memory) / 2 : wanted
}

function paceOf(memory: PoolMemory): number {
  const { took = 0 } = memory.listing ?? {}
  return Math.max(isEmpty(memory) ? shared.empty : shared.used, Math.min(took / shared.share, shared.slowest))
}

function isEmpty({ tracks, intents, journalMissing }: PoolMemory): boolean {
  if (intents.size > 0 || journalMissing) return false
  for (const { state } of tracks.values()) if (state !== 'terminated') return false
  return true
}

/**
 * When a listing must begin to let the next step happen, if the newest one is not enough: a termination, a repeated launch,
 * or, after a lost journal, any launch.
 */
function wantedFrom(memory: PoolMemory): number | undefined {
  const { tracks, intents, listing, journalMissing, firstCompleteAt, settleApart } = memory
  let wanted = journalMissing && firstCompleteAt !== undefined ? firstCompleteAt + settleApart : 0
  for (const track of tracks.values())
    if (track.drainedAt !== undefined && !track.ending && !isListingCertain(listing, track))
      wanted = Math.max(wanted, track.drainedAt + 1)
  for (const { sending, listAfter } of intents.values()) if (!sending) wanted = Math.max(wanted, listAfter)
  return wanted > (listing?.completeAt ?? 0) ? wanted : undefined
}

// Instances that start are looked up by id: this shows at once that one runs, or that the cloud ended it.

/**
 * Milliseconds from an answer to the next request, less than what is kept between two calls (shared-cluster.ts), so that
 * the requests of all pools are in the next call. Ids in a request: EC2 takes 200 in one call.
 */
export const lookups = { every: 1_000, most: 200 }

/** At most `most` starting instances, from number `from` on: the others follow in the next lookups. */
export function startingIds({ tracks }: PoolMemory, from = 0): string[] {
  const ids: string[] = []
  for (const track of tracks.values()) if (isStarting(track)) ids.push(track.id)
  if (ids.length <= lookups.most) return ids
  const first = from % ids.length
  return [...ids.slice(first), ...ids.slice(0, first)].slice(0, lookups.most)
}

export function hasStarting({ tracks }: PoolMemory): boolean {
  for (const track of tracks.values()) if (isStarting(track)) return true
  return false
}

function isStarting({ state, ending }: ManagedInstance): boolean {
  return state === 'starting' && !ending
}
