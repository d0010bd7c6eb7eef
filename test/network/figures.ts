// What the lane has measured, as lines for its reader.

/** Prints the median and the worst; each in milliseconds. */
export function reportSeconds(what: string, times: number[]): void {
  const sorted = times.toSorted((a, b) => a - b)
  const seconds = (time: number) => (time / 1000).toFixed(1)
  const median = seconds(sorted[Math.floor(sorted.length / 2)]!)
  const all = times.map(seconds).join(', ')
  process.stdout.write(`${what} ${median} s, at worst ${seconds(sorted.at(-1)!)} s (${all})\n`)
}
