// VMs that never became usable: why, in the words of their own console, and what the breaker makes of it.

import { failureStages, isFailureStage, type Stage } from '../agent-setup/stages.ts'
import { withDeadline } from '../platform/deadline.ts'
import { limit } from '../platform/limit.ts'
import { problem } from '../problems/problem.ts'
import { recordUseless } from './breaker.ts'
import { isLive, type Track } from './memory.ts'
import type { PoolRun } from './run.ts'
import { callDeadlines } from './settings.ts'

/** Consoles read for one round: enough to know why, when a hundred VMs fail alike. */
const most = 8

/** Reports the VMs, with the stage their script reached where the console can be read. Throws nothing. */
export async function sayNeverJoined(run: PoolRun, tracks: Track[]): Promise<void> {
  const inTurn = limit(4)
  const fresh = tracks.filter((track) => !track.told)
  for (const track of fresh) {
    blame(run, track)
    track.told = true
  }
  await Promise.all(
    fresh.slice(0, most).map((track) =>
      inTurn(async () => {
        const stage = await stageOf(run, track)
        const { id, instanceType, zone } = track
        const message = `VM ${id} (${instanceType}, ${zone || 'any zone'}) did not join: ${why(track, stage)}`
        run.emit({ kind: 'problem', problem: problem('NEVER_JOINED', message, { details: { id, stage } }) })
      }),
    ),
  )
}

/** Counts VMs whose time to become usable is over by the newest word of the master, before anything is bought for them. */
export function judgeVms(run: PoolRun): void {
  const { memory, settings } = run
  const { bootTimeout, placementGrace } = settings.policy
  const { demandAt } = memory
  if (demandAt === undefined) return
  for (const track of memory.tracks.values()) {
    if (track.judged || track.ending || !isLive(track)) continue
    const { knownSince, joinedAt, slots = 0 } = track
    const isLate = joinedAt === undefined && knownSince + bootTimeout <= demandAt
    const agent = memory.agents.get(track.id)
    const isShort =
      joinedAt !== undefined && joinedAt + placementGrace <= demandAt && (agent?.slots ?? slots) < slots
    if (isLate || isShort) blame(run, track)
  }
}

/** Counts a VM that never became usable, once. */
function blame(run: PoolRun, track: Track): void {
  if (track.judged) return
  track.judged = true
  const { memory, deps } = run
  deps.metrics.count('useless_vms', { pool: deps.pool })
  if (!recordUseless(memory.breaker, track.knownSince, run.now(), deps.random)) return
  const { failures, until } = memory.breaker
  const message = `${failures} VMs in a row never became usable agents: the next one is launched as a probe`
  run.emit({ kind: 'problem', problem: problem('BREAKER_OPEN', message, { details: { failures, until } }) })
}

async function stageOf({ deps }: PoolRun, { id }: Track): Promise<Stage | undefined> {
  try {
    return await withDeadline(deps.clock, callDeadlines.console, 'the console', (signal) =>
      deps.provider.consoleStage(id, signal),
    )
  } catch {
    return undefined
  }
}

function why({ state, stateReason }: Track, stage: Stage | undefined): string {
  const cloud = stateReason ? ` (the cloud: ${stateReason})` : ''
  if (stage === undefined) return `it is ${state}, and its console says nothing${cloud}`
  if (isFailureStage(stage)) return `${stage}, ${failureStages[stage].meaning}${cloud}`
  return `the last stage of its script was ${stage}${cloud}`
}
