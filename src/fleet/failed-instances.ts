// Failed instances: the reason from their console, the effect on the breaker and the budget, and the journal records.

import { failureStages, isFailureStage, type Stage } from '../agent-setup/index.ts'
import {
  didNotLast,
  endsSoon,
  hasNeverJoined,
  isLive,
  isShortOfSlots,
  type ReasonCode,
} from '../planner/index.ts'
import { limit, withDeadline } from '../platform/index.ts'
import { problem } from '../problems/index.ts'
import { recordFailedInstances, spend } from './failures.ts'
import type { ManagedInstance } from './memory.ts'
import { noteFailure } from './rollouts.ts'
import { callDeadlines, type PoolRun } from './run.ts'

/** Consoles read for one round: enough to find the reason when a hundred instances fail in the same way. */
const most = 8

/** Instances that stopped by themselves. Those the cloud interrupted, or a person removed, are not failures. */
export function reportLost(run: PoolRun, lost: ManagedInstance[]): void {
  const ownFault = lost.filter(
    (track) => track.interruptedAt === undefined && !track.ordered && !endsSoon(track, run.now()),
  )
  const unjoined = ownFault.filter((track) => track.joinedAt === undefined && !track.told)
  if (unjoined.length > 0) run.background(() => reportNeverJoined(run, unjoined))
  const short = ownFault.filter((track) => !track.judged && didNotLast(track, run.now()))
  for (const track of short) {
    track.judged = true
    spend(run.memory.budget, run.settings.policy, run.now())
    noteFailure(run, track, 'DID_NOT_LAST')
    const { id, instanceType, zone, stateReason } = track
    const why = stateReason ? ` (the cloud: ${stateReason})` : ''
    const message = `instance ${id} (${instanceType}, ${zone || 'any zone'}) stopped by itself within 2 minutes of joining${why}`
    run.emit({ kind: 'problem', problem: problem('DID_NOT_LAST', message, { details: { id } }) })
  }
  remember(run, short)
}

/** Reports the instances, with the stage their script reached if the console can be read. Throws nothing. */
export async function reportNeverJoined(run: PoolRun, tracks: ManagedInstance[]): Promise<void> {
  const inTurn = limit(4)
  const fresh = tracks.filter((track) => !track.told)
  for (const track of fresh) {
    markFailed(run, track, 'NEVER_JOINED')
    track.told = true
  }
  remember(run, fresh)
  await Promise.all(
    fresh.slice(0, most).map((track) =>
      inTurn(async () => {
        const stage = await stageOf(run, track)
        const { id, instanceType, zone } = track
        const message = `instance ${id} (${instanceType}, ${zone || 'any zone'}) did not join: ${why(track, stage)}`
        // No script ran, so there is no stage to look for.
        const ended = stage === undefined && !isLive(track) && track.stateReason
        const remedy = ended ? { remedy: 'Look up the reason that the cloud gives.' } : {}
        const details = { id, stage }
        run.emit({ kind: 'problem', problem: problem('NEVER_JOINED', message, { details, ...remedy }) })
      }),
    ),
  )
}

/**
 * Counts instances that never became usable, before anything is bought in their place. The plan applies the same rules to
 * remove one. It skips one that is removed for another reason, or whose agent lost its connection; the breaker counts
 * those too, because they were never usable, whatever terminates them.
 */
export function judgeInstances(run: PoolRun): void {
  const { memory, settings } = run
  const { demandAt } = memory
  if (demandAt === undefined) return
  const judged: ManagedInstance[] = []
  for (const track of memory.tracks.values()) {
    // An instance known only from the journal may have joined, and be gone, since it was written.
    if (track.judged || track.ending || track.recalled || !isLive(track)) continue
    const agent = memory.agents.get(track.id)
    if (isShortOfSlots(track, agent, settings.policy, demandAt)) reportShortOfSlots(run, track)
    else if (hasNeverJoined(track, settings.policy, demandAt)) markFailed(run, track, 'NEVER_JOINED')
    else continue
    judged.push(track)
  }
  remember(run, judged)
}

/** Reasons that are no fault of the instance, and one that is counted elsewhere. */
const notJudged: readonly ReasonCode[] = ['NEVER_JOINED', 'ORDERED', 'SPOT_INTERRUPTED', 'TIME_LIMIT']

/**
 * Instances that are removed for another reason and had fewer slots than promised count as failed launches as well.
 * Returns whether there are any.
 */
export function judgeRemoved(run: PoolRun, tracks: readonly ManagedInstance[], code: ReasonCode): boolean {
  if (notJudged.includes(code)) return false
  const short = tracks.filter((track) => {
    const agent = run.memory.agents.get(track.id)
    return !track.judged && agent !== undefined && agent.slots < (track.slots ?? 0)
  })
  for (const track of short) reportShortOfSlots(run, track)
  remember(run, short)
  return short.length > 0
}

function reportShortOfSlots(run: PoolRun, track: ManagedInstance): void {
  markFailed(run, track, 'SHORT_OF_SLOTS')
  const { id, instanceType, slots = 0 } = track
  const found = run.memory.agents.get(id)?.slots ?? 0
  const message = `the agent of instance ${id} (${instanceType}) has ${found} of ${slots} slots`
  run.emit({
    kind: 'problem',
    problem: problem('SHORT_OF_SLOTS', message, { details: { id, found, slots } }),
  })
}

/** Counts an instance that never became usable, once. */
function markFailed(run: PoolRun, track: ManagedInstance, code: 'NEVER_JOINED' | 'SHORT_OF_SLOTS'): void {
  if (track.judged) return
  track.judged = true
  const { memory, deps, settings } = run
  deps.metrics.count('failed_instances', { pool: deps.pool })
  noteFailure(run, track, code)
  spend(memory.budget, settings.policy, run.now())
  if (!recordFailedInstances(memory.breaker, track.knownSince, run.now(), deps.random)) return
  const { failures, until } = memory.breaker
  const message = `${failures} instances in a row never became usable agents: the next one is launched as a probe`
  run.emit({ kind: 'problem', problem: problem('BREAKER_OPEN', message, { details: { failures, until } }) })
}

/**
 * Instances that we terminated: their disappearance is no failure. The next process must know it too; otherwise it would
 * count them as instances that stopped by themselves.
 */
export function forgive(run: PoolRun, tracks: readonly ManagedInstance[]): void {
  for (const track of tracks) Object.assign(track, { judged: true, told: true })
  remember(run, tracks)
}

/** Written at once: a process that dies before its next checkpoint must not count it again at each start. */
function remember(run: PoolRun, tracks: readonly ManagedInstance[]): void {
  if (tracks.length === 0) return
  const { breaker, budget, rollout } = run.memory
  const judged = tracks.map(({ id, told = false }) => ({ id, told }))
  const record = {
    at: run.now(),
    kind: 'failed',
    judged,
    breaker: { ...breaker },
    budget: { ...budget },
    rollout,
  } as const
  run.background(() => run.write(record).catch(() => {}))
}

async function stageOf({ deps }: PoolRun, { id }: ManagedInstance): Promise<Stage | undefined> {
  try {
    return await withDeadline(deps.clock, callDeadlines.console, 'the console', (signal) =>
      deps.provider.consoleStage(id, signal),
    )
  } catch {
    return undefined
  }
}

function why({ state, stateReason }: ManagedInstance, stage: Stage | undefined): string {
  const cloud = stateReason ? ` (the cloud: ${stateReason})` : ''
  if (stage === undefined) return `it is ${state}, and its console shows no stage${cloud}`
  if (isFailureStage(stage)) return `${stage}, ${failureStages[stage].meaning}${cloud}`
  return `the last stage of its script was ${stage}${cloud}`
}
