// One turn of the loop: what is known becomes a snapshot, the plan becomes calls.
import type { Decision } from '../planner/decision.ts'
import { plan } from '../planner/plan.ts'
import type { Snapshot } from '../planner/snapshot.ts'
import { act } from './act.ts'
import { orderAll } from './clear.ts'
import { settleJournal } from './holds.ts'
import { isDue, isReplayable, isShown, missingOf } from './intents.ts'
import { send, settle } from './launch.ts'
import { isLive } from './memory.ts'
import { checkpointOf } from './records.ts'
import { type PoolRun, problemOf } from './run.ts'
import type { LaunchMaterial } from './settings.ts'
import { snapshotOf } from './snapshot-of.ts'
import { judgeVms } from './useless-vms.ts'

/** How long a VM whose end the cloud accepted may still be shown as running before it is asked again. */
const endingTime = 60_000

export interface Turn {
  at: number
  snapshot: Snapshot
  decisions: Decision[]
  material: LaunchMaterial
}

export function takeTurn(run: PoolRun): Turn {
  const { memory, settings, deps } = run
  const now = run.now()
  if (settleJournal(memory, settings.visibility))
    run.background(() => run.rewrite(() => checkpointOf(memory, now)).catch(() => {}))
  for (const track of memory.tracks.values())
    if (track.ending && track.endedAt !== undefined && track.endedAt + endingTime < now && isLive(track)) {
      delete track.ending
      delete track.endedAt
    }
  if (memory.clearing) orderAll(memory)
  judgeVms(run)
  const material = materialOf(run)
  reviewIntents(run, material, now)
  const snapshot = snapshotOf(deps.pool, memory, settings, material, now)
  const decisions = plan(snapshot, settings.policy, now)
  act(run, decisions, material)
  return { at: now, snapshot, decisions, material }
}

/** Closes intents whose outcome is known by now, and asks again for those that may be and are still wanted. */
function reviewIntents(run: PoolRun, material: LaunchMaterial, now: number): void {
  const { memory, settings } = run
  const carried =
    material.kind === 'ready' ? { version: material.version, sha256: material.userData.sha256 } : undefined
  for (const intent of [...memory.intents.values()]) {
    if (intent.sending) continue
    const mayReplay = isReplayable(intent, memory, carried, settings.policy.maxInstances, now)
    if (missingOf(intent) === 0) settle(run, intent)
    else if (mayReplay && !isDue(intent, memory, now)) continue
    else if (mayReplay && isWanted(run, intent.id)) run.background(() => send(run, intent))
    else if (isShown(intent, memory)) settle(run, intent)
  }
}

/** Whether the plan, without this intent, would launch VMs of its kind. */
function isWanted(run: PoolRun, intentId: string): boolean {
  const { memory, settings, deps } = run
  const now = run.now()
  const snapshot = snapshotOf(deps.pool, memory, settings, materialOf(run), now)
  const intent = memory.intents.get(intentId)
  const others = snapshot.inFlight.filter((launch) => launch.intentId !== intentId)
  const decisions = plan({ ...snapshot, inFlight: others }, settings.policy, now)
  return decisions.some((d) => d.kind === 'launch' && d.offerings[0]?.slots === intent?.offerings[0]?.slots)
}

function materialOf({ deps }: PoolRun): LaunchMaterial {
  try {
    return deps.material()
  } catch (error) {
    return {
      kind: 'refused',
      problem: problemOf(error, 'INTERNAL', 'what a launch would carry is not known'),
    }
  }
}
