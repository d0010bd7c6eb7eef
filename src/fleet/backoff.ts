// How long a refusal is remembered: growing with each one in a row, spread so that pools do not come back together.
import type { FailureClass } from '../planner/instance.ts'

interface Growth {
  /** Milliseconds after the first refusal; doubled by each further one. */
  first: number
  most: number
}

/**
 * What passes by itself is asked again soon, what needs a person or stock later. With these numbers an offering
 * is tried at most ten times in the first hour, whatever refuses it.
 */
export const refusalGrowth: Record<FailureClass, Growth> = {
  transient: { first: 5_000, most: 1_800_000 },
  throttle: { first: 5_000, most: 1_800_000 },
  capacity: { first: 30_000, most: 1_800_000 },
  quota: { first: 30_000, most: 1_800_000 },
  config: { first: 30_000, most: 1_800_000 },
  auth: { first: 30_000, most: 1_800_000 },
}

/** Milliseconds after the nth refusal in a row, up to a quarter more by chance: never less, or calls would add up. */
export function delayAfter(failures: number, { first, most }: Growth, random: () => number): number {
  const grown = Math.min(most, first * 2 ** Math.min(failures - 1, 40))
  return Math.round(grown * (1 + random() / 4))
}
