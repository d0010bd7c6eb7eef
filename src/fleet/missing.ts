// Instances that listings show no longer. Absence alone is no evidence: the cloud is asked for each by its id, too.

import { isLive } from '../planner/index.ts'
import { withDeadline } from '../platform/index.ts'
import { problem } from '../problems/index.ts'
import type { Listing } from '../providers/index.ts'
import { callDeadlines, type ManagedInstance, type PoolMemory, type PoolRun, problemOf, tell } from './run.ts'

/** Milliseconds between two answers that do not know it; complete listings lack it as long. */
const apart = 60_000
/**
 * A new instance may be unknown for so long although it exists: EC2's answers become consistent within minutes
 * (https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html).
 */
const newFor = 300_000
/** Milliseconds between two looks at whose account answers. */
const accountEvery = 3_600_000

/**
 * Remembers which instances a complete listing that began at `startedAt` does not show, and drops those that are surely
 * gone: their termination was accepted and two listings in a row lack them, or (`visibility` 0) a listing shows all there
 * is. Returns those that ended without our doing.
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
    // The master sees its agent: whatever the listing says, the instance is there.
    if (isFresh && memory.agents.get(track.id)?.connected && !track.ending) {
      track.unshownSince ??= startedAt
      continue
    }
    const isAgain = track.missingSince !== undefined && track.missingSince < startedAt
    track.missingSince ??= startedAt
    const isAccepted = track.endedAt !== undefined && isAgain
    if (visibility !== 0 && !isAccepted) continue
    if (drop(memory, track, now)) gone.push(track)
  }
  return gone
}

/** Takes the instance for gone. Tells whether it ended without our doing and in our time. */
function drop(memory: PoolMemory, track: ManagedInstance, now: number): boolean {
  memory.tracks.delete(track.id)
  memory.ended.set(track.id, now)
  return !track.ending && !track.recalled && isLive(track)
}

/**
 * Asks the cloud by id for what listings lack, and whose account answers where that was not asked for an hour. Hands what is
 * known after all to `observe`; returns the instances that are gone: not known twice, a minute apart. Throws nothing.
 */
export async function findMissing(
  run: PoolRun,
  observe: (found: Listing) => void,
): Promise<ManagedInstance[]> {
  const { memory, deps } = run
  const { provider, clock } = deps
  const now = run.now()
  const asked = missingToAsk(memory, now)
  if (!provider.find) return asked.filter((track) => isLongMissing(track, now) && drop(memory, track, now))
  if (asked.length === 0 && now - (memory.accountAskedAt ?? 0) < accountEvery && !memory.otherAccount)
    return []
  memory.accountAskedAt = now
  for (const track of asked) track.soughtAt = now
  const ids = asked.map(({ id }) => id)
  try {
    const found = await withDeadline(clock, callDeadlines.list, 'a question by id', (signal) =>
      provider.find!(ids, signal),
    )
    checkAccount(run, found.account)
    if (memory.otherAccount) return []
    observe(found)
    if (!found.complete) return []
    const known = new Set(found.instances.map(({ id }) => id))
    return asked.filter((track) => !known.has(track.id) && isUnknownAgain(memory, track, now))
  } catch (error) {
    tell(run, 'find', problemOf(error, 'INTERNAL', 'the cloud could not be asked for single instances'))
    return []
  }
}

/** Seen before, old enough, and not asked for within the last minute. */
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
  return now - missingSince >= newFor
}

function isUnknownAgain(memory: PoolMemory, track: ManagedInstance, now: number): boolean {
  // A listing may have shown it meanwhile, and a termination may have dropped it.
  if (memory.tracks.get(track.id) !== track) return false
  if (track.missingSince === undefined) {
    // Its agent is connected: it is not dropped for that, and gets no more work.
    if (track.unshownSince !== undefined) track.unknownSince ??= now
    return false
  }
  const isFirst = track.unknownSince === undefined
  track.unknownSince ??= now
  return !isFirst && now - track.unknownSince >= apart && drop(memory, track, now)
}

/**
 * Compares the account that answers with the one our instances were launched in: an empty listing of another account says
 * nothing about ours. An account that cannot be told is no other.
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
  const message = `the cloud answers for account ${account}; the instances of this pool are in account ${memory.account}`
  tell(run, 'account', problem('ACCOUNT_CHANGED', message))
}
