// A launch: written down, sent, and learned from. Asking again for a launch of unknown outcome is the same call.

import type { LaunchDecision } from '../planner/decision.ts'
import { type Instance, offeringKey } from '../planner/instance.ts'
import { withDeadline } from '../platform/deadline.ts'
import { problem } from '../problems/problem.ts'
import type { LaunchFailure, LaunchResult } from '../providers/launch.ts'
import { isCarried, missingOf } from './intents.ts'
import { forgetLaunchFailures, recordLaunchFailure } from './launch-error.ts'
import { correctRate } from './launch-rate.ts'
import type { OpenIntent, Track } from './memory.ts'
import { learn } from './offering-memory.ts'
import { storedIntent, storedUserData } from './records.ts'
import { type PoolRun, problemOf, tell } from './run.ts'
import { callDeadlines, type LaunchMaterial } from './settings.ts'

type Ready = Extract<LaunchMaterial, { kind: 'ready' }>

/**
 * Opens an intent for the decision; returns its id. The memory knows it at once; the call follows when it is on the
 * disk.
 */
export function openLaunch(run: PoolRun, { count, offerings }: LaunchDecision, material: Ready): string {
  const { memory, deps } = run
  const now = run.now()
  const { userData, version } = material
  const { sha256 } = userData
  const intent: OpenIntent = {
    id: deps.newId(),
    at: now,
    count,
    offerings,
    sha256,
    version,
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
  memory.launches.push({ at: now, intentId: intent.id, count })
  run.background(async () => {
    try {
      if (isNew) await run.write({ at: now, kind: 'user_data', userData: storedUserData(userData) })
      await run.write({ at: now, kind: 'intent', intent: storedIntent(intent) })
    } catch {
      memory.intents.delete(intent.id)
      correctRate(memory.launches, intent.id, 0)
      return
    }
    const { demandAt = now } = memory
    deps.metrics.observe('launch_reaction_seconds', (run.now() - demandAt) / 1000, { pool: deps.pool })
    await send(run, intent)
  })
  return intent.id
}

/** Sends an intent that was written down, for the first time or again. */
export async function send(run: PoolRun, intent: OpenIntent): Promise<void> {
  const { deps, memory } = run
  const { id, count, offerings, sha256 } = intent
  const order = {
    intent: { id, count, offerings },
    owner: deps.owner,
    userData: memory.userData.get(sha256)!,
  }
  intent.sending = true
  intent.lastSentAt = run.now()
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
  take(run, intent, result)
}

function take(run: PoolRun, intent: OpenIntent, result: LaunchResult): void {
  const { memory, deps } = run
  const { instances, failures } = withReason(result, intent)
  const now = run.now()
  for (const instance of instances) {
    intent.seen.add(instance.id)
    if (!memory.tracks.has(instance.id)) memory.tracks.set(instance.id, trackOf(instance, intent, now))
  }
  learn(memory.offerings, intent.offerings, instances, failures, now, deps.random)
  intent.sending = false
  intent.retryAt = Math.max(
    ...intent.offerings.map((o) => memory.offerings.get(offeringKey(o))?.until ?? now),
  )
  const failure = failures[0]
  countResult(run, instances, failures)
  if (failure) {
    tell(run, 'launch', failure.problem)
    const offerings = [...memory.offerings]
    run.background(() => run.write({ at: now, kind: 'refused', offerings }).catch(() => {}))
  } else memory.problems.delete('launch')
  if (instances.length > 0) forgetLaunchFailures(memory.launchError)
  else if (failure)
    recordLaunchFailure(memory.launchError, run.settings.launchError, failure.problem, now, intent.retryAt)
  run.emit({
    kind: 'launched',
    intentId: intent.id,
    ids: instances.map(({ id }) => id),
    missing: missingOf(intent),
  })
  // An answer with VMs is the answer to this token, however often it was sent.
  const isAnswered = !failures.some((f) => f.class === 'transient' && f.missing > 0)
  intent.doubtful ||= !isAnswered
  if (missingOf(intent) === 0 || (isAnswered && (instances.length > 0 || !intent.doubtful)))
    settle(run, intent)
  run.changed()
}

function countResult({ deps }: PoolRun, instances: Instance[], failures: LaunchFailure[]): void {
  const { metrics, pool } = deps
  for (const instance of instances) metrics.count('launched_vms', { pool, offering: offeringKey(instance) })
  for (const { class: failureClass, offering } of failures)
    metrics.count('launch_failures', {
      pool,
      class: failureClass,
      offering: offering ? offeringKey(offering) : 'any',
    })
}

/** Fewer VMs than asked for are no refusal, but none at all must not be asked for again at once. */
function withReason({ instances, failures }: LaunchResult, intent: OpenIntent): LaunchResult {
  if (instances.length > 0 || failures.length > 0) return { instances, failures }
  const nothing = problem('PROVIDER_CAPACITY', 'the cloud gave no VM and no reason')
  return { instances, failures: [{ class: 'capacity', missing: missingOf(intent), problem: nothing }] }
}

function trackOf(instance: Instance, { offerings, sha256 }: OpenIntent, now: number): Track {
  return { ...instance, knownSince: now, slots: offerings[0]?.slots, listed: false, sha256 }
}

/** The outcome is known: the intent is closed, and what it gave is written down. */
export function settle(run: PoolRun, intent: OpenIntent): void {
  const { memory } = run
  memory.intents.delete(intent.id)
  if (!isCarried(memory, intent.sha256)) memory.userData.delete(intent.sha256)
  correctRate(memory.launches, intent.id, intent.seen.size)
  const tracks = [...intent.seen].flatMap((id) => memory.tracks.get(id) ?? [])
  run.background(() => run.write({ at: run.now(), kind: 'settled', id: intent.id, tracks }).catch(() => {}))
}
