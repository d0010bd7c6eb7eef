// The time of day, the same for everybody who reads it.

/** `at` is milliseconds since the epoch. */
export function clockTime(at: number): string {
  return `${new Date(at).toISOString().slice(11, 19)} UTC`
}
