// A launch: written down, sent, and its outcome recorded. A launch of unknown outcome is repeated with the same call.
import {
  type Instance,
  isLive,
  type LaunchDecision,
  offeringKey,
  type Policy,
  roomBelowMax,
} from '../planner/index.ts'
import { withDeadline } from '../platform/index.ts'
import { problem } from '../problems/index.ts'
import type { LaunchFailure, LaunchResult } from '../providers/index.ts'
import { forgetLaunchFailures, learn, recordLaunchFailure } from './failures.ts'
import {
  learnFromAnswer,
  type ManagedInstance,
  type OpenIntent,
  type PoolMemory,
  settleTimes,
} from './memory.ts'
import { storedIntent, storedTrack, storedUserData } from './records.ts'
import { callDeadlines, type LaunchInputs, type PoolRun, problemOf, reportProblem } from './run.ts'

/** Milliseconds from a decision until it is written down, after which it is made again instead. */
const longestWrite = 15_000

type Ready = Extract<LaunchInputs, { kind: 'ready' }>

/** Opens an intent for the decision. It is in the memory at once; the call follows when it is on the disk. */
export function openLaunch(run: PoolRun, decision: LaunchDecision, material: Ready): void {
  const { count, offerings, gang, request } = decision
  const { memory, deps } = run
  const now = run.now()
  const { userData, version } = material
  const { sha256 } = userData
  const intent: OpenIntent = {
    id: request ?? deps.newId(),
    at: now,
    count,
    offerings,
    ...(gang ? { gang } : {}),
    sha256,
    version,
    ...(memory.generation !== undefined && { generation: memory.generation }),
    writerId: deps.owner.writerId,
    seen: new Set(),
    sending: true,
    lastSentAt: now,
    doubtful: false,
    retryAt: now,
    listAfter: 0,
  }
  // A checkpoint keeps the user data of open intents only.
  const isNew = !isCarried(memory, sha256)
  memory.intents.set(intent.id, intent)
  memory.userData.set(sha256, userData)
  const writing = run.write(
    ...unwrittenGeneration(memory, now),
    ...(isNew ? [{ at: now, kind: 'user_data' as const, userData: storedUserData(userData) }] : []),
    { at: now, kind: 'intent', intent: storedIntent(intent) },
  )
  run.writing.set(intent.id, writing)
  run.background(async () => {
    try {
      await writing
    } catch {
      memory.intents.delete(intent.id)
      return
    } finally {
      run.writing.delete(intent.id)
    }
    // Nothing was sent: after a stop nothing is decided, and what was wanted long ago may not be wanted now. An order is carried out.
    if (request === undefined && (run.stopping || run.now() - now > longestWrite)) {
      settle(run, intent)
      return run.changed()
    }
    const { demandAt = now } = memory
    deps.metrics.observe('launch_reaction_seconds', (run.now() - demandAt) / 1000, { pool: deps.pool })
    await send(run, intent)
  })
}

/** Without it the generation of the intent would say nothing to the next start. */
function unwrittenGeneration(memory: PoolMemory, at: number) {
  const generation = memory.generations.get(memory.generation ?? '')
  return generation && !memory.isGenerationWritten ? [{ at, kind: 'generation' as const, generation }] : []
}

/** Sends an intent that was written down, for the first time or again. */
export async function send(run: PoolRun, intent: OpenIntent): Promise<void> {
  const { deps, memory } = run
  const { id, count, offerings, gang, sha256, writerId = deps.owner.writerId } = intent
  const order = {
    intent: { id, count, offerings, ...(gang ? { gang } : {}) },
    owner: { ...deps.owner, writerId },
    userData: memory.userData.get(sha256)!,
  }
  const { lastSentAt: before } = intent
  intent.sending = true
  intent.lastSentAt = run.now()
  delete intent.settle
  let result: LaunchResult
  try {
    result = await withDeadline(deps.clock, callDeadlines.launch, 'a launch', (signal) =>
      deps.provider.launch(order, AbortSignal.any([signal, run.over.signal])),
    )
  } catch (error) {
    const failed = problemOf(error, 'INTERNAL', 'a launch failed')
    result = {
      instances: [],
      failures: [{ class: 'transient', missing: missingOf(intent), problem: failed }],
    }
  }
  if (isUnsent(result)) putOff(run, intent, before, result)
  else take(run, intent, result)
}

/** Milliseconds until a launch is sent again that this process was not allowed to send. */
const stoppedPause = 5_000

/** This call had no effect at all: `mayAct` stopped it. */
function isUnsent({ instances, failures }: LaunchResult): boolean {
  return instances.length === 0 && failures.length > 0 && failures.every(({ notSent }) => notSent === true)
}

/** The intent stays as it was before the call: whoever leads the pool then sends it. Nothing was refused. */
function putOff(run: PoolRun, intent: OpenIntent, lastSentAt: number, { failures }: LaunchResult): void {
  intent.sending = false
  intent.lastSentAt = lastSentAt
  intent.retryAt = run.now() + stoppedPause
  reportProblem(run, 'launch', failures[0]!.problem)
  run.changed()
}

/** Without what `mayAct` stopped: it shows nothing about the cloud. */
function refusedBy(failures: readonly LaunchFailure[]): LaunchFailure[] {
  return failures.filter(({ problem: { code } }) => code !== 'STATE_RIGHT_LOST')
}

function take(run: PoolRun, intent: OpenIntent, result: LaunchResult): void {
  const { memory, deps } = run
  const { instances, failures } = withReason(result, intent)
  const now = run.now()
  for (const instance of instances) {
    intent.seen.add(instance.id)
    if (!memory.tracks.has(instance.id)) memory.tracks.set(instance.id, trackOf(instance, intent, now))
    learnFromAnswer(memory, instance)
  }
  const refused = refusedBy(failures)
  learn(memory.offerings, intent.offerings, instances, refused, now, deps.random)
  intent.sending = false
  intent.retryAt = Math.max(
    ...intent.offerings.map((o) => memory.offerings.get(offeringKey(o))?.until ?? now),
    refused.length < failures.length ? now + stoppedPause : now,
  )
  const failure = refused[0] ?? failures[0]
  countResult(run, instances, refused)
  if (failure) {
    reportProblem(run, 'launch', failure.problem)
    const offerings = [...memory.offerings]
    run.background(() => run.write({ at: now, kind: 'refused', offerings }).catch(() => {}))
  } else memory.problems.delete('launch')
  if (instances.length > 0) forgetLaunchFailures(memory.launchError)
  else if (refused[0])
    recordLaunchFailure(memory.launchError, run.settings.launchError, refused[0].problem, now, intent.retryAt)
  run.emit({
    kind: 'launched',
    intentId: intent.id,
    ids: instances.map(({ id }) => id),
    missing: missingOf(intent),
  })
  // An answer with VMs is valid for this token, however often it was sent.
  const isAnswered = !failures.some((f) => f.class === 'transient' && f.missing > 0 && !f.notSent)
  intent.doubtful ||= !isAnswered
  // The call may have waited for its turn, or been repeated, until now.
  if (!isAnswered) intent.lastSentAt = now
  if (missingOf(intent) === 0 || (isAnswered && (instances.length > 0 || !intent.doubtful)))
    settle(run, intent)
  run.changed()
}

function countResult({ deps }: PoolRun, instances: Instance[], failures: LaunchFailure[]): void {
  const { metrics, pool } = deps
  for (const instance of instances)
    metrics.count('launched_instances', { pool, offering: offeringKey(instance) })
  for (const { class: failureClass, offering } of failures)
    metrics.count('launch_failures', {
      pool,
      class: failureClass,
      offering: offering ? offeringKey(offering) : 'any',
    })
}

/** Fewer VMs than requested are no refusal, but a launch without any must not be repeated at once. */
function withReason({ instances, failures }: LaunchResult, intent: OpenIntent): LaunchResult {
  if (instances.length > 0 || failures.length > 0) return { instances, failures }
  const nothing = problem('PROVIDER_CAPACITY', 'the cloud launched no instance and gave no reason')
  return { instances, failures: [{ class: 'capacity', missing: missingOf(intent), problem: nothing }] }
}

function trackOf(
  { addresses: _, ...instance }: Instance,
  { offerings, sha256, generation }: OpenIntent,
  now: number,
): ManagedInstance {
  const made = { sha256, ...(generation !== undefined && { generation }) }
  return { ...instance, knownSince: now, slots: offerings[0]?.slots, listed: false, ...made }
}

/** The outcome is known: the intent is closed, and its VMs are written down. */
export function settle(run: PoolRun, intent: OpenIntent): void {
  const { memory } = run
  memory.intents.delete(intent.id)
  if (!isCarried(memory, intent.sha256)) memory.userData.delete(intent.sha256)
  const now = run.now()
  const tracks = [...intent.seen].flatMap((id) => {
    const track = memory.tracks.get(id)
    return track ? storedTrack(track, now) : []
  })
  run.background(() => run.write({ at: now, kind: 'settled', id: intent.id, tracks }).catch(() => {}))
}

// Launches of unknown outcome: repeated with the same bytes for a while, then settled by what listings show.

/** How long the same request may be repeated: clouds remember tokens longer, but not forever. */
export const replayTime = 15 * 60_000
/** How long a request may take effect after it was last sent. */
const effectTime = 2 * 60_000

/** VMs of the intent that are not known yet. */
export function missingOf({ count, seen }: OpenIntent): number {
  return Math.max(0, count - seen.size)
}

/** Whether an open intent needs this user data. */
export function isCarried({ intents }: PoolMemory, sha256: string): boolean {
  for (const intent of intents.values()) if (intent.sha256 === sha256) return true
  return false
}

/**
 * Whether the same bytes may be sent again: the request has not changed, and all of it fits below max_instances. The
 * plan needs room for one VM more; here the VMs of the intent are already in flight, so the room left may be zero.
 */
export function isReplayable(
  intent: OpenIntent,
  memory: PoolMemory,
  carried: { version: string; sha256: string } | undefined,
  policy: Policy,
  now: number,
): boolean {
  const isSame = carried?.version === intent.version && carried.sha256 === intent.sha256
  if (!isSame || intent.writerId === undefined || now - intent.at >= replayTime) return false
  let [live, inFlight] = [0, 0]
  for (const track of memory.tracks.values()) if (isLive(track)) live++
  for (const open of memory.intents.values()) inFlight += missingOf(open)
  return roomBelowMax({ live, inFlight }, policy) >= 0
}

/** Whether it is due: after the pause, and after a listing that could have shown its VMs to a restarted process. */
export function isDue({ retryAt, listAfter }: OpenIntent, { listing }: PoolMemory, now: number): boolean {
  return now >= retryAt && listing?.complete === true && listing.completeAt >= listAfter
}

/**
 * Whether two complete listings far enough apart, begun after the request can have had an effect, have shown all its VMs, and no
 * other VM of it came to light in between: a listing may lack some, as may the one before.
 * `isLed`: the pool is led for a term, so that an earlier leader may still send what it wrote down.
 */
export function isShown(intent: OpenIntent, { listing }: PoolMemory, isLed: boolean): boolean {
  const lateUntil = isLed && intent.recalledAt !== undefined ? intent.recalledAt + replayTime : 0
  const effectUntil = Math.max(intent.lastSentAt + effectTime, lateUntil)
  if (!listing?.complete || listing.completeAt < effectUntil) return false
  const { size: seen } = intent.seen
  if (intent.settle?.seen !== seen) intent.settle = { from: listing.completeAt, seen }
  return listing.completeAt - intent.settle.from >= settleTimes.usual
}
