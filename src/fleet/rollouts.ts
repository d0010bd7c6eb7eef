// The rollout of a pool in its memory: whether what is launched now has proven itself, and which instances are being replaced.

import { isLive, outdatedBy, provesGeneration, type RolloutState } from '../planner/index.ts'
import { type FleetCode, problem } from '../problems/index.ts'
import { type ManagedInstance, newRollout, type PoolMemory, type RolloutMemory } from './memory.ts'
import type { PoolRun, PoolSettings } from './run.ts'

/** Before each plan: what is launched now may be new, or may have proven itself. What changes is written down. */
export function noteRollout(run: PoolRun): void {
  const { memory, deps, settings } = run
  const { generation, newestImage: image } = deps.launchedNow?.() ?? {}
  if (!generation) return
  const before = memory.rollout
  // The newest image is asked for after the start: until then it is not known whether it is another one.
  const isNewImage = image !== undefined && image !== before.image
  if (before.generation !== generation.id || (isNewImage && before.image !== undefined)) {
    const { paused } = before
    set(run, { ...newRollout(), generation: generation.id, ...(image !== undefined && { image }), paused })
  } else if (isNewImage) set(run, { ...before, image })
  if (memory.rollout.proven || memory.demandAt === undefined) return
  for (const track of memory.tracks.values()) {
    const agent = memory.agents.get(track.id)
    const state = { generation: generation.id }
    if (!isLive(track) || !provesGeneration(track, agent, state, settings.policy, memory.demandAt)) continue
    const { failed: _, ...rest } = memory.rollout
    set(run, { ...rest, proven: true })
    return
  }
}

/** One of the first instances of what is launched now failed: where others wait to be replaced, they stay. */
export function noteFailure(run: PoolRun, track: ManagedInstance, code: FleetCode): void {
  const { memory, settings, deps } = run
  const { rollout } = memory
  if (rollout.proven || rollout.failed || rollout.generation === undefined) return
  if (track.generation !== rollout.generation || track.drifted) return
  const now = run.now()
  const waiting = [...memory.tracks.values()].filter(
    (one) => isLive(one) && outdatedBy(one, settings.policy, now) !== undefined,
  )
  const { when = 'never' } = settings.policy.rollout ?? {}
  if (waiting.length === 0 || when === 'never') return
  const { id } = track
  // Written down with the failure itself.
  memory.rollout = { ...rollout, failed: { code, id, at: now } }
  const message = `pool ${deps.pool}: the rollout is stopped, because instance ${id} of the new configuration failed (${code}); ${waiting.length} outdated instances stay`
  run.emit({ kind: 'problem', problem: problem('ROLLOUT_STOPPED', message, { details: { id, code } }) })
}

/** A person's order: nothing more is begun, or what failed is tried again. */
export function orderedRollout(rollout: RolloutMemory, order: 'pause' | 'restart'): RolloutMemory {
  if (order === 'pause') return { ...rollout, paused: true }
  const { failed: _, ...rest } = rollout
  return { ...rest, paused: false }
}

function set(run: PoolRun, rollout: RolloutMemory): void {
  run.memory.rollout = rollout
  run.background(() => run.write({ at: run.now(), kind: 'rollout', rollout }).catch(() => {}))
}

/** As the planner needs it; undefined where it is not known what is launched now. */
export function rolloutStateOf(
  { rollout }: Pick<PoolMemory, 'rollout'>,
  { schedule }: Pick<PoolSettings, 'schedule'>,
  now: number,
): RolloutState | undefined {
  const { generation, proven, failed, paused } = rollout
  if (generation === undefined) return undefined
  const open = schedule?.isOpen(now) ?? true
  const opensAt = open ? undefined : schedule?.opensAt(now)
  return {
    generation,
    proven,
    ...(failed && { failed: failed.code }),
    paused,
    open,
    ...(opensAt !== undefined && { opensAt }),
  }
}

// Which instances are being replaced: known from the decision on, so that the next one counts them.

/** `tracks`: those that are drained now for a rollout. One that is drained again may have got jobs meanwhile. */
export function markRolled(tracks: readonly ManagedInstance[], now: number): void {
  for (const track of tracks) track.rolledSince = now
}

/** Those that stay after all, and whose drain has never taken effect. `drained`: ids of those that are drained now. */
export function forgetUnrolled({ tracks }: PoolMemory, drained: ReadonlySet<string>): void {
  for (const track of tracks.values()) {
    const { id, rolledSince, drainedAt, drainDoubtAt, busyWith } = track
    if (rolledSince === undefined || drained.has(id)) continue
    if (drainedAt === undefined && drainDoubtAt === undefined && busyWith === undefined)
      delete track.rolledSince
  }
}
