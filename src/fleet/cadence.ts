// How often the cloud and the master are looked at.
import type { PoolMemory } from './memory.ts'

/** While something happens, and while nothing does. The larger stays below the age at which a view is too old. */
const every = { busy: 5_000, quiet: 10_000 }
const quietAfter = 60_000
const listingRetries = { first: 5_000, most: 60_000 }

/** Milliseconds until the next look, when all is well. */
export function lookAgain(memory: PoolMemory, lastChangeAt: number, now: number): number {
  const isQuiet = now - lastChangeAt > quietAfter && memory.intents.size === 0 && memory.pending.length === 0
  return isQuiet ? every.quiet : every.busy
}

/** Milliseconds until the next listing after so many that failed. */
export function listAgain(failures: number, random: () => number): number {
  const grown = Math.min(listingRetries.most, listingRetries.first * 2 ** Math.min(failures - 1, 10))
  return Math.round(grown * (1 + random() / 4))
}
