// The generations of a pool's instances in its memory: written down before launches, and compared with what is launched now.

import { isLive } from '../planner/index.ts'
import { drifted, restamped } from '../rollout/index.ts'
import { learnGeneration } from './memory.ts'
import type { PoolRun } from './run.ts'

/**
 * Converts what another version of the program has written; before the first checkpoint, which keeps the result. An instance whose
 * generation cannot be converted has none any more.
 */
export function restampGenerations({ memory, deps }: PoolRun): void {
  const present = deps.launchedNow?.().generation
  if (!present) return
  const current = memory.generations.get(memory.generation ?? '')
  const converted = new Map<string, string | undefined>()
  for (const held of [...memory.generations.values()]) {
    const now = restamped(held, current, present)
    if (now) memory.generations.set(now.id, now)
    converted.set(held.id, now?.id)
  }
  for (const holder of [...memory.tracks.values(), ...memory.intents.values()]) {
    if (holder.generation === undefined) continue
    const now = converted.get(holder.generation)
    if (now === undefined) delete holder.generation
    else holder.generation = now
  }
  if (!current || current.version === present.version) return
  learnGeneration(memory, present)
  if (memory.rollout.generation === current.id) memory.rollout = { ...memory.rollout, generation: present.id }
}

/** Notes by which keys each instance differs from what is launched now. What that is gets written down when it changes. */
export function noteDrift(run: PoolRun): void {
  const { memory, deps, settings } = run
  const now = deps.launchedNow?.()
  if (!now) return
  const { generation } = now
  if (memory.generation !== generation.id) {
    learnGeneration(memory, generation)
    memory.isGenerationWritten = false
    const written = run.write({ at: run.now(), kind: 'generation', generation }).then(() => {
      if (memory.generation === generation.id) memory.isGenerationWritten = true
    })
    run.background(() => written.catch(() => {}))
  }
  const keysOf = drifted({ ...now, offerings: settings.offerings })
  for (const track of memory.tracks.values()) {
    const keys = isLive(track) ? keysOf(track, memory.generations.get(track.generation ?? '')) : []
    if (keys.length > 0) track.drifted = keys
    else if (track.drifted) delete track.drifted
  }
}
