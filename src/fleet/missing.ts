// Instances that listings no longer show. Absence from a listing is no evidence: each is also looked up by its id.

import { isLive } from '../planner/index.ts'
import { withDeadline } from '../platform/index.ts'
import { problem } from '../problems/index.ts'
import type { Listing } from '../providers/index.ts'
import { apart, foreignToAsk, missingFor, settleForeign } from './foreign.ts'
import type { ManagedInstance, PoolMemory } from './memory.ts'
import { callDeadlines, type PoolRun, problemOf, reportProblem } from './run.ts'

/**
 * How long a new instance may be unknown although it exists: EC2's answers become consistent within minutes
 * (https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html).
 */
const newFor = 300_000
/** Milliseconds between two checks of the account that answers. */
const accountEvery = 3_600_000

/**
 * Remembers which instances a complete listing that began at `startedAt` does not show, and drops those that are certainly
 * gone: their termination was accepted and two listings in a row lack them, or (`visibility` 0) listings are always
 * complete. Returns those that stopped by themselves.
 */
export function noticeMissing(
  memory: PoolMemory,
  shown: ReadonlySet<string>,
  startedAt: number,
  now: number,
  { visibility, maxWordAge }: { visibility: number; maxWordAge: number },
): ManagedInstance[] {
  const gone: ManagedInstance[] = []
  const isFresh = (memory.demandAt ?? 0) >= startedAt - maxWordAge
  for (const track of memory.tracks.values()) {
    if (shown.has(track.id) || track.knownSince >= startedAt) continue
    // Another instance may have them by now. A lookup may have shown them since the listing began.
    if (track.addresses && (track.shownAt ?? 0) <= startedAt) delete track.addresses
    // Its agent is connected to the master, so the instance exists whatever the listing shows.
    if (isFresh && memory.agents.get(track.id)?.connected && !track.ending) {
      track.unshownSince ??= startedAt
      continue
    }
    const isAgain = track.missingSince !== undefined && track.missingSince < startedAt
    track.missingSince ??= startedAt
    const isAccepted = (track.endedAt !== undefined || track.wasEnded) && isAgain
    if (visibility !== 0 && !isAccepted) continue
    if (drop(memory, track, now)) gone.push(track)
  }
  return gone
}

/** Treats the instance as gone. Returns whether it stopped by itself while this process ran. */
function drop(memory: PoolMemory, track: ManagedInstance, now: number): boolean {
  memory.tracks.delete(track.id)
  memory.ended.set(track.id, now)
  return !track.ending && !track.recalled && isLive(track)
}

/**
 * Looks up by id what listings lack, and checks the account if that was not done for an hour. Passes what exists, and when
 * the lookup began, to `observe`; returns the instances that are gone: unknown twice, a minute apart. Throws nothing.
 */
export async function findMissing(
  run: PoolRun,
  observe: (found: Listing, startedAt: number) => void,
): Promise<ManagedInstance[]> {
  const { memory, deps } = run
  const { provider, clock } = deps
  const now = run.now()
  const asked = missingToAsk(memory, now)
  const foreign = foreignToAsk(memory, now)
  if (!provider.find) {
    settleForeign(memory, foreign, undefined, now)
    return asked.filter((track) => isLongMissing(track, now) && drop(memory, track, now))
  }
  const ids = [...asked, ...foreign].map(({ id }) => id)
  if (ids.length === 0 && now - (memory.accountAskedAt ?? 0) < accountEvery && !memory.otherAccount) return []
  memory.accountAskedAt = now
  for (const one of [...asked, ...foreign]) one.soughtAt = now
  try {
    const found = await withDeadline(clock, callDeadlines.list, 'a lookup by id', (signal) =>
      provider.find!(ids, signal),
    )
    checkAccount(run, found.account)
    if (memory.otherAccount) return []
    memory.problems.delete('find')
    observe(found, now)
    settleForeign(memory, foreign, found, now)
    if (!found.complete) return []
    const known = new Set(found.instances.map(({ id }) => id))
    return asked.filter((track) => !known.has(track.id) && isUnknownAgain(memory, track, now))
  } catch (error) {
    reportProblem(run, 'find', problemOf(error, 'INTERNAL', 'instances could not be looked up by id'))
    return []
  }
}

/** Listed before, old enough, and not looked up within the last minute. */
function missingToAsk(memory: PoolMemory, now: number): ManagedInstance[] {
  return [...memory.tracks.values()].filter(
    ({
      unshownSince = now,
      missingSince = unshownSince,
      endedAt,
      listed,
      joinedAt,
      knownSince,
      soughtAt = 0,
    }) =>
      (listed || joinedAt !== undefined) &&
      endedAt === undefined &&
      missingSince < now &&
      now - knownSince >= newFor &&
      now - soughtAt >= apart,
  )
}

function isLongMissing({ missingSince = 0 }: ManagedInstance, now: number): boolean {
  return now - missingSince >= missingFor
}

function isUnknownAgain(memory: PoolMemory, track: ManagedInstance, now: number): boolean {
  // Meanwhile a listing may have shown it, or a termination may have dropped it.
  if (memory.tracks.get(track.id) !== track) return false
  if (track.missingSince === undefined) {
    // Its agent is connected: the instance is kept, and gets no more jobs.
    if (track.unshownSince !== undefined) track.unknownSince ??= now
    return false
  }
  const isFirst = track.unknownSince === undefined
  track.unknownSince ??= now
  return !isFirst && now - track.unknownSince >= apart && drop(memory, track, now)
}

/**
 * Compares the account that answers with the one our instances were launched in: an empty listing of another account is
 * no evidence about ours. An unknown account does not count as another one.
 */
export function checkAccount(run: PoolRun, account: string | undefined): void {
  const { memory } = run
  if (account === undefined) return
  memory.account ??= account
  if (account === memory.account) {
    delete memory.otherAccount
    memory.problems.delete('account')
    return
  }
  memory.otherAccount = account
  const message = `the credentials belong to account ${account}; the instances of this pool are in account ${memory.account}`
  reportProblem(run, 'account', problem('ACCOUNT_CHANGED', message))
}
