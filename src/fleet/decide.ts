// One turn of the loop: it takes a snapshot, plans, and turns the plan into calls.
import {
  type AgentDecision,
  type Decision,
  isLive,
  type KnownOffering,
  type LaunchDecision,
  type ManualLaunch,
  type MarkDecision,
  offeringKey,
  plan,
  planWithTrace,
  type ReasonCode,
  type RolloutView,
  rolloutView,
  type Snapshot,
} from '../planner/index.ts'
import { delayAfter } from '../platform/index.ts'
import { judgeInstances, judgeRemoved } from './failed-instances.ts'
import { breakerView, unplaceableGrowth } from './failures.ts'
import { noteDrift } from './generations.ts'
import { holdsOf, noteJournalFault, settleJournal } from './holds.ts'
import { isDue, isReplayable, isShown, missingOf, openLaunch, send, settle } from './launch.ts'
import type { ManagedInstance, PoolMemory } from './memory.ts'
import { checkpointOf } from './records.ts'
import { drain, orderAll, terminateInstances, undrain } from './removal.ts'
import { forgetUnrolled, markRolled, noteRollout, rolloutStateOf } from './rollouts.ts'
import { type LaunchInputs, type PoolRun, type PoolSettings, problemOf, writtenBy } from './run.ts'

/**
 * The call is repeated when an answer that was requested so long after the cloud accepted the termination still shows the
 * VM as running. Milliseconds.
 */
const endingTime = 60_000

export interface Turn {
  at: number
  snapshot: Snapshot
  /** What the plan found about outdated instances, where there are any. */
  rollout?: RolloutView
  decisions: Decision[]
  launchInputs: LaunchInputs
}

/** Manual launches are granted or blocked in the turn in which they are requested; its decisions carry their ids. */
export function takeTurn(run: PoolRun, requests: readonly ManualLaunch[] = []): Turn {
  const { memory, settings, deps } = run
  const now = run.now()
  noteJournalFault(run)
  if (settleJournal(memory, settings.visibility))
    run.background(() => run.rewrite(() => checkpointOf(memory, now, writtenBy(deps))).catch(() => {}))
  for (const track of memory.tracks.values())
    if (
      track.ending &&
      track.endedAt !== undefined &&
      track.endedAt + endingTime < (track.shownAt ?? 0) &&
      isLive(track)
    ) {
      delete track.ending
      delete track.endedAt
    }
  if (memory.clearing) orderAll(memory)
  judgeInstances(run)
  noteDrift(run)
  noteRollout(run)
  const material = launchInputsOf(run)
  reviewIntents(run, material, now)
  const planned = () => {
    const snapshot = { ...snapshotOf(deps.pool, memory, settings, material, now), requests }
    const { decisions, trace } = planWithTrace(snapshot, settings.policy, now)
    return { snapshot, decisions, ...(trace?.rollout && { rollout: rolloutView(trace.rollout) }) }
  }
  const first = planned()
  // What the plan removes may be a failure more: nothing is launched in its place that the breaker does not allow then.
  const { snapshot, decisions, rollout } = judgeDecided(run, first.decisions) ? planned() : first
  act(run, decisions, material)
  // Kept to explain this turn, without the requests, which are answered.
  const kept = { ...snapshot, requests: [] }
  return { at: now, snapshot: kept, decisions, launchInputs: material, ...(rollout && { rollout }) }
}

/** Closes intents whose outcome is known, and repeats those that may be repeated and are still wanted. */
function reviewIntents(run: PoolRun, material: LaunchInputs, now: number): void {
  const { memory, settings } = run
  const carried =
    material.kind === 'ready' ? { version: material.version, sha256: material.userData.sha256 } : undefined
  for (const intent of [...memory.intents.values()]) {
    if (intent.sending) continue
    const mayReplay = isReplayable(intent, memory, carried, settings.policy, now)
    if (missingOf(intent) === 0) settle(run, intent)
    else if (mayReplay) {
      // While it can be repeated, listings alone do not settle it: they may leave out an instance for minutes. Its instances
      // count as in flight, and as soon as the plan wants them, the repeated request shows what exists.
      if (isDue(intent, memory, now) && isWanted(run, intent.id)) run.background(() => send(run, intent))
    } else if (isShown(intent, memory, run.deps.isLed !== undefined)) settle(run, intent)
  }
}

/** Whether something counts as failed now that did not before. */
function judgeDecided(run: PoolRun, decisions: readonly Decision[]): boolean {
  let isNew = false
  for (const decision of decisions)
    if (decision.kind === 'drain' || decision.kind === 'terminate')
      isNew = judgeRemoved(run, tracksOf(run, decision), decision.reason.code) || isNew
  return isNew
}

/** Whether the plan, without this intent, would launch VMs of its kind. */
function isWanted(run: PoolRun, intentId: string): boolean {
  const { memory, settings, deps } = run
  const now = run.now()
  const snapshot = snapshotOf(deps.pool, memory, settings, launchInputsOf(run), now)
  const intent = memory.intents.get(intentId)
  const others = snapshot.inFlight.filter((launch) => launch.intentId !== intentId)
  const decisions = plan({ ...snapshot, inFlight: others }, settings.policy, now)
  return decisions.some((d) => d.kind === 'launch' && d.offerings[0]?.slots === intent?.offerings[0]?.slots)
}

function launchInputsOf({ deps }: PoolRun): LaunchInputs {
  try {
    return deps.launchInputs()
  } catch (error) {
    return {
      kind: 'refused',
      problem: problemOf(error, 'INTERNAL', 'the user data for a launch could not be prepared'),
    }
  }
}

// From decisions to calls. Nothing here waits: calls run beside the loop, and their instances are marked at once.

export function act(run: PoolRun, decisions: readonly Decision[], material: LaunchInputs): void {
  const ending = new Map<ManagedInstance, ReasonCode>()
  const drained = new Set<string>()
  for (const decision of decisions) {
    switch (decision.kind) {
      case 'launch':
        if (material.kind === 'ready') launch(run, decision, material)
        break
      case 'mark':
        mark(run, decision)
        break
      case 'drain':
        for (const id of decision.ids) drained.add(id)
        move(run, decision, isOfRollout(decision.reason.code) ? drainForRollout : drain)
        break
      case 'undrain':
        move(run, decision, undrain)
        break
      case 'terminate':
        for (const track of freeTracks(run, decision))
          if ((track.kept?.until ?? 0) <= run.now()) ending.set(track, decision.reason.code)
    }
  }
  forgetUnrolled(run.memory, drained)
  if (ending.size === 0 || run.now() < run.memory.terminateRetryAt || isEnding(run)) return
  for (const decision of decisions)
    if (decision.kind === 'terminate') {
      const tracks = tracksOf(run, decision).filter((track) => ending.has(track))
      const ids = tracks.map(({ id }) => id)
      if (ids.length > 0) reportDecision(run, 'terminate', ids, ids.length, decision.reason)
    }
  terminateInstances(run, ending)
}

function drainForRollout(run: PoolRun, tracks: ManagedInstance[]): void {
  markRolled(tracks, run.now())
  drain(run, tracks)
}

function isOfRollout(code: ReasonCode): boolean {
  return code === 'DRIFTED' || code === 'MAX_LIFETIME'
}

/**
 * A large launch in parts, each decided when the one before was answered: an answer with thousands of instances would hold
 * the event loop. What a person orders is one launch, whatever its size.
 */
function launch(run: PoolRun, decision: LaunchDecision, material: LaunchInputs & { kind: 'ready' }): void {
  const { largestLaunch = Number.POSITIVE_INFINITY } = run.settings
  const count = decision.request === undefined ? Math.min(decision.count, largestLaunch) : decision.count
  reportDecision(run, 'launch', [], count, decision.reason)
  openLaunch(run, { ...decision, count }, material)
}

function move(
  run: PoolRun,
  decision: AgentDecision,
  call: (run: PoolRun, tracks: ManagedInstance[]) => void,
): void {
  const tracks = freeTracks(run, decision).filter(({ retryAt = 0 }) => retryAt <= run.now())
  if (tracks.length === 0) return
  const ids = tracks.map(({ id }) => id)
  reportDecision(run, decision.kind, ids, ids.length, decision.reason)
  call(run, tracks)
}

function tracksOf({ memory }: PoolRun, { ids }: AgentDecision): ManagedInstance[] {
  return ids.flatMap((id) => memory.tracks.get(id) ?? [])
}

/** Those without a call in progress. */
function freeTracks(run: PoolRun, decision: AgentDecision): ManagedInstance[] {
  return tracksOf(run, decision).filter((track) => track.busyWith === undefined)
}

function isEnding({ memory }: PoolRun): boolean {
  for (const track of memory.tracks.values()) if (track.busyWith === 'end') return true
  return false
}

function mark(run: PoolRun, { work, agents, trial, reason }: MarkDecision): void {
  const { unplaced } = run.memory
  for (const id of work) {
    const all = [...new Set([...(unplaced.get(id)?.agents ?? []), ...agents])]
    const wait = all.length > 1 ? delayAfter(all.length - 1, unplaceableGrowth, run.deps.random) : 0
    unplaced.set(id, { agents: all, until: run.now() + wait, ...(trial === undefined ? {} : { trial }) })
  }
  reportDecision(run, 'mark', agents, work.length, reason)
}

/** Reports a decision. */
export function reportDecision(
  run: PoolRun,
  move: 'launch' | 'drain' | 'undrain' | 'terminate' | 'mark',
  ids: string[],
  count: number,
  reason: Decision['reason'],
): void {
  run.emit({ kind: 'decided', move, ids, count, reason })
  run.deps.metrics.count('decisions', { pool: run.deps.pool, move, reason: reason.code }, count)
}

// The memory in the form that the planner needs.

export function snapshotOf(
  pool: string,
  memory: PoolMemory,
  settings: PoolSettings,
  material: LaunchInputs,
  now: number,
): Snapshot {
  const rollout = rolloutStateOf(memory, settings, now)
  return {
    pool,
    listing: memory.listing,
    demandAt: memory.demandAt,
    ...(memory.demandTook === undefined ? {} : { demandTook: memory.demandTook }),
    instances: [...memory.tracks.values()],
    agents: [...memory.agents.values()],
    pending: memory.pending,
    unplaced: memory.unplaced,
    inFlight: [...memory.intents.values()].map((intent) => ({
      intentId: intent.id,
      offerings: intent.offerings,
      missing: missingOf(intent),
    })),
    offerings: settings.offerings.map((offering): KnownOffering => {
      const refused = memory.offerings.get(offeringKey(offering))
      return refused ? { ...offering, refused } : offering
    }),
    breaker: breakerView(memory.breaker, now),
    probe: material.kind === 'ready' && material.probe && !memory.proven.has(material.userData.sha256),
    budget: memory.budget,
    holds: holdsOf(memory, settings, material, now),
    ...(rollout && { rollout }),
    requests: [],
  }
}
