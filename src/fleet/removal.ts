// Removing VMs: termination after a re-check, drain and undrain, and termination of all when the pool is cleared.
import {
  isDemandFresh,
  isDrainOver,
  isForced,
  isListingCertain,
  isLive,
  mayTerminate,
  type ReasonCode,
} from '../planner/index.ts'
import { delayAfter, limit, withDeadline } from '../platform/index.ts'
import { readDemand } from './demand.ts'
import { forgive, reportNeverJoined } from './failed-instances.ts'
import { keptGrowth } from './failures.ts'
import { noteJournalFault, stopsOf } from './holds.ts'
import type { ManagedInstance, PoolMemory } from './memory.ts'
import { rememberEnded } from './observe.ts'
import { callDeadlines, type PoolRun, problemOf, reportProblem } from './run.ts'

// Terminating VMs: they are re-checked right before. The provider looks each of them up by id before it terminates it.

/** Few enough that no answer about one of them is old when the cloud is asked to terminate it. */
const batchSize = 500
const retryGrowth = { first: 2_000, most: 60_000 }
/** A request that was sent so long ago cannot arrive any more: its signature or token has expired. Milliseconds. */
const requestLife = 3_600_000

/** Terminates the VMs for which the plan gave these reasons; one call of this kind at a time. */
export function terminateInstances(run: PoolRun, reasons: ReadonlyMap<ManagedInstance, ReasonCode>): void {
  const tracks = [...reasons.keys()]
  for (const track of tracks) track.busyWith = 'end'
  run.background(async () => {
    try {
      await reportNeverJoined(
        run,
        tracks.filter((track) => reasons.get(track) === 'NEVER_JOINED' && !track.recalled),
      )
      for (let at = 0; at < tracks.length && !run.stopping; at += batchSize) {
        const batch = tracks.slice(at, at + batchSize)
        if (!batch.every(isForced)) await readDemand(run)
        const mayEnd = (track: ManagedInstance) => mayStillEnd(run, track, reasons.get(track))
        const sure = await condemned(run, batch.filter(mayEnd), mayEnd)
        if (sure.length > 0 && !run.stopping) await end(run, sure)
        for (const track of batch) delete track.busyWith
        // After a failure the others wait for the next try.
        if (run.now() < run.memory.terminateRetryAt) break
      }
    } finally {
      for (const track of tracks) delete track.busyWith
    }
    run.changed()
  })
}

/**
 * The plan's rules, applied again to what is known now: reading the master took time, and its answer is newer than the
 * one decided on. plan() does not get this far with an old view of the master, except for forced orders; here each VM is
 * checked by itself, because the read may have failed.
 */
function mayStillEnd(run: PoolRun, track: ManagedInstance, reason: ReasonCode | undefined): boolean {
  const { memory, settings, now } = run
  const { demandAt, demandTook, listing } = memory
  noteJournalFault(run)
  // Meanwhile a person may have paused the pool, or a listing may have shown another writer.
  if (stopsOf(memory).length > 0) return false
  if (!isListingCertain(listing, track)) return false
  if (!isForced(track) && !isDemandFresh(demandAt, settings.policy, now(), demandTook)) return false
  if (reason === 'DRAIN_TIMEOUT' && isDrainOver(track, settings.policy, now())) return true
  return mayTerminate(track, memory.agents.get(track.id), demandAt)
}

/**
 * Written down before the call: whoever decides next, after a crash too, gives these agents no work, since a request that is
 * under way may still arrive. Returns those that may be terminated after it was written.
 */
async function condemned(
  run: PoolRun,
  tracks: ManagedInstance[],
  mayEnd: (track: ManagedInstance) => boolean,
): Promise<ManagedInstance[]> {
  const fresh = tracks.filter((track) => !track.condemned)
  // A refusal would have taken it back: an earlier call, perhaps of an earlier process, has got no answer.
  for (const track of tracks) if (track.condemned) track.endDoubtAt ??= run.now()
  if (fresh.length === 0) return tracks
  // Marked before, for a checkpoint that takes the place of the record.
  for (const track of fresh) track.condemned = true
  try {
    await run.write({ at: run.now(), kind: 'condemned', ids: fresh.map(({ id }) => id) })
  } catch (error) {
    for (const track of fresh) delete track.condemned
    throw error
  }
  const sure = tracks.filter(mayEnd)
  const spared = fresh.filter((track) => run.stopping || !sure.includes(track))
  if (spared.length > 0) reprieve(run, spared)
  return sure
}

/** No request about them is under way. */
function reprieve(run: PoolRun, tracks: readonly ManagedInstance[]): void {
  for (const track of tracks) {
    delete track.condemned
    delete track.endDoubtAt
  }
  const ids = tracks.map(({ id }) => id)
  run.background(() => run.write({ at: run.now(), kind: 'reprieved', ids }).catch(() => {}))
}

async function end(run: PoolRun, tracks: ManagedInstance[]): Promise<void> {
  const { deps, memory } = run
  const ids = tracks.map(({ id }) => id)
  for (const track of tracks) track.ending = true
  const open = new Set(ids)
  const kept = new Set<string>()
  const refused = new Set<string>()
  try {
    const { terminated, failures } = await withDeadline(
      deps.clock,
      callDeadlines.terminate,
      'a termination',
      (signal) => deps.provider.terminate(ids, signal),
    )
    for (const id of terminated) open.delete(id)
    for (const { id, class: failureClass } of failures) {
      if (failureClass === 'config') kept.add(id)
      // Everything else is an answer; what failed in passing may have had an effect.
      if (failureClass !== 'transient') refused.add(id)
    }
    if (failures[0]) reportProblem(run, 'terminate', failures[0].problem)
    else memory.problems.delete('terminate')
  } catch (error) {
    reportProblem(run, 'terminate', problemOf(error, 'INTERNAL', 'instances could not be terminated'))
  }
  const now = run.now()
  for (const track of tracks) {
    if (!open.has(track.id)) track.endedAt = now
    else delete track.ending
    if (kept.has(track.id)) keep(run, track)
    else delete track.kept
  }
  for (const track of tracks) if (open.has(track.id) && !refused.has(track.id)) track.endDoubtAt = now
  const isUnderWay = ({ endDoubtAt }: ManagedInstance) =>
    endDoubtAt !== undefined && now - endDoubtAt < requestLife
  const spared = tracks.filter((track) => refused.has(track.id) && open.has(track.id) && !isUnderWay(track))
  if (spared.length > 0) reprieve(run, spared)
  const ended = ids.filter((id) => !open.has(id))
  const accepted = tracks.filter((track) => !open.has(track.id))
  forgive(run, accepted)
  rememberEnded(run, accepted)
  if (ended.length > 0) run.emit({ kind: 'terminated', ids: ended })
  // A refusal about one VM does not affect the next call; any other does.
  const failed = ids.some((id) => open.has(id) && !kept.has(id))
  memory.terminateFailures = failed ? memory.terminateFailures + 1 : 0
  memory.terminateRetryAt = failed
    ? now + delayAfter(memory.terminateFailures, retryGrowth, deps.random)
    : now
}

function keep(run: PoolRun, track: ManagedInstance): void {
  const times = (track.kept?.times ?? 0) + 1
  track.kept = { times, until: run.now() + delayAfter(times, keptGrowth, run.deps.random) }
}

// Draining and undraining agents.

const atOnce = 8
const retryAfter = 5_000

/** Drains are written down first, so that they are known as ours after a crash. */
export function drain(run: PoolRun, tracks: ManagedInstance[]): void {
  const ids = tracks.map(({ id }) => id)
  const rolled = tracks.filter(({ rolledSince }) => rolledSince !== undefined).map(({ id }) => id)
  change(run, 'drain', tracks, async () =>
    run.write({ at: run.now(), kind: 'draining', ids, ...(rolled.length > 0 && { rolled }) }),
  )
}

/** They are written down first, so that they are drained again before they are terminated; `always`: or else not. */
export function undrain(run: PoolRun, tracks: ManagedInstance[], always = false): void {
  const ids = tracks.map(({ id }) => id)
  change(run, 'undrain', tracks, async () => {
    for (const track of tracks) {
      track.undrainDoubt = true
      // From now on it may get jobs.
      delete track.rolledSince
    }
    const written = run.write({ at: run.now(), kind: 'undraining', ids })
    await (always ? written.catch(() => {}) : written)
  })
}

function change(
  run: PoolRun,
  move: 'drain' | 'undrain',
  tracks: ManagedInstance[],
  before: () => Promise<void>,
): void {
  if (tracks.length === 0) return
  for (const track of tracks) track.busyWith = move
  run.background(async () => {
    try {
      await before()
      const inTurn = limit(atOnce)
      await Promise.all(tracks.map((track) => inTurn(() => ask(run, move, track))))
    } finally {
      for (const track of tracks) delete track.busyWith
    }
    const given = tracks.filter((track) => track.drainedAt === undefined)
    if (move === 'undrain' && given.length > 0) rememberUndrained(run, given)
    run.changed()
  })
}

function rememberUndrained(run: PoolRun, tracks: readonly ManagedInstance[]): void {
  const ids = tracks.map(({ id }) => id)
  const doubtful = tracks.filter(({ drainDoubtAt }) => drainDoubtAt !== undefined).map(({ id }) => id)
  const record = { at: run.now(), kind: 'undrained' as const, ids, ...(doubtful.length > 0 && { doubtful }) }
  run.background(() => run.write(record).catch(() => {}))
}

async function ask(run: PoolRun, move: 'drain' | 'undrain', track: ManagedInstance): Promise<void> {
  const { demand, clock } = run.deps
  try {
    const known = await withDeadline(clock, callDeadlines.master, `a ${move}`, (signal) =>
      demand[move](track.id, signal),
    )
    // An agent the master does not know cannot be drained, and needs no undrain. An earlier drain may still arrive.
    if (move === 'undrain') giveBack(track, run.now())
    else if (known) {
      track.drainedAt = run.now()
      delete track.undrainDoubt
    } else track.retryAt = run.now() + retryAfter
  } catch (error) {
    track.retryAt = run.now() + retryAfter
    if (move === 'drain') track.drainDoubtAt = run.now()
    reportProblem(run, 'master', problemOf(error, 'INTERNAL', `the ${move} request to the master failed`))
  }
}

function giveBack(track: ManagedInstance, now: number): void {
  delete track.drainedAt
  delete track.undrainDoubt
  delete track.rolledSince
  track.undrainedAt = now
}

// Clearing a pool: every managed VM is terminated, and none is launched any more.

const pollIntervalMs = 200

/** VMs from launches in progress are terminated as they appear. */
export function orderAll({ tracks }: PoolMemory): void {
  for (const track of tracks.values()) track.ordered = 'even_if_busy'
}

/** Waits until no managed VM is left that could bill, at most `timeoutMs` milliseconds; returns what is left. */
export async function cleared(run: PoolRun, timeoutMs: number): Promise<string[]> {
  const end = run.now() + timeoutMs
  while (!run.stopping && run.now() < end && !isClear(run.memory)) {
    await run.deps.clock.sleep(pollIntervalMs)
    run.changed()
  }
  return leftIn(run.memory)
}

function isClear(memory: PoolMemory): boolean {
  return memory.listing !== undefined && memory.intents.size === 0 && leftIn(memory).length === 0
}

/** A VM whose termination the cloud has accepted does not count as left. */
function leftIn({ tracks }: PoolMemory): string[] {
  return [...tracks.values()]
    .filter((track) => isLive(track) && track.endedAt === undefined)
    .map(({ id }) => id)
}
