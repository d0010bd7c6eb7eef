// Live instances of the pool that another provisioner launched. While there is one, the pool changes nothing.

import { isLive } from '../planner/index.ts'
import type { Listing } from '../providers/index.ts'
import type { ForeignInstance, PoolMemory } from './memory.ts'

/** Milliseconds between two answers that do not contain an instance, of others or our own (missing.ts). */
export const apart = 60_000
/** Without lookups by id: how many milliseconds complete listings must lack it. */
export const missingFor = 300_000

/**
 * Applies a listing that began at `startedAt`. `shown`: all its ids; `writers`: those of its live foreign instances, by id.
 * One that a complete listing lacks may exist all the same: it stays until it is looked up by its id.
 */
export function noticeForeign(
  memory: PoolMemory,
  shown: ReadonlySet<string>,
  writers: ReadonlyMap<string, string>,
  { complete }: Pick<Listing, 'complete'>,
  startedAt: number,
): void {
  for (const [id, instance] of memory.foreign)
    if (shown.has(id)) memory.foreign.delete(id)
    else if (complete) instance.missingSince ??= startedAt
  for (const [id, writer] of writers) memory.foreign.set(id, { id, writer })
}

/** Those that complete listings have lacked for a minute, and that were not looked up within the last one. */
export function foreignToAsk({ foreign }: PoolMemory, now: number): ForeignInstance[] {
  return [...foreign.values()].filter(
    ({ missingSince = now, soughtAt = 0 }) => now - missingSince >= apart && now - soughtAt >= apart,
  )
}

/** Applies the answer about those that were asked for; undefined where there are no lookups by id. */
export function settleForeign(
  memory: PoolMemory,
  asked: readonly ForeignInstance[],
  found: Pick<Listing, 'instances' | 'complete'> | undefined,
  now: number,
): void {
  const known = new Map(found?.instances.map((instance) => [instance.id, instance]))
  for (const one of asked) {
    // Meanwhile a listing may have shown it.
    if (memory.foreign.get(one.id) !== one) continue
    const instance = known.get(one.id)
    if (instance && isLive(instance)) memory.foreign.set(one.id, { id: one.id, writer: one.writer })
    else if (instance || isGone(one, found, now)) memory.foreign.delete(one.id)
  }
}

/** Unknown to two complete lookups, a minute apart. */
function isGone(one: ForeignInstance, found: Pick<Listing, 'complete'> | undefined, now: number): boolean {
  if (!found) return now - (one.missingSince ?? now) >= missingFor
  if (!found.complete) return false
  one.unknownSince ??= now
  return now - one.unknownSince >= apart
}
