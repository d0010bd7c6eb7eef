// "Did you mean": the known word nearest to a misspelt one.

/**
 * The nearest candidate within a quarter of the word's length (one change for short words), else one that starts with the
 * word or that the word starts with (`subnet`, `certificate`), or undefined.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const given = normal(word)
  let best: { candidate: string; distance: number } | undefined
  for (const candidate of candidates) {
    const wanted = normalOf(candidate)
    const allowed = Math.max(1, Math.floor(Math.max(given.length, wanted.length) / 4))
    // The distance is at least the difference of the lengths: most candidates need no table.
    if (Math.abs(given.length - wanted.length) > allowed) continue
    const distance = distanceOf(given, wanted, allowed)
    if (distance <= allowed && (!best || distance < best.distance)) best = { candidate, distance }
  }
  return best?.candidate ?? candidates.find((candidate) => continues(given, normalOf(candidate)))
}

/** Of candidates, which are few and the same for every misspelt key of a file. */
const normals = new Map<string, string>()

function normalOf(candidate: string): string {
  let known = normals.get(candidate)
  if (known === undefined) {
    if (normals.size > 5000) normals.clear()
    known = normal(candidate)
    normals.set(candidate, known)
  }
  return known
}

function continues(a: string, b: string): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a]
  return short.length >= 4 && long.startsWith(short)
}

/** `maxInstances`, `max-instances` and `max_instances` are one word. */
function normal(word: string): string {
  return word
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replaceAll('-', '_')
}

/** Damerau-Levenshtein distance (optimal string alignment); some larger number if it is more than `allowed`. */
function distanceOf(a: string, b: string, allowed: number): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1
      let least = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + change)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, before[j - 2]! + 1)
      row.push(least)
    }
    // A swap refers to the row before the last one.
    if (Math.min(...row) > allowed && Math.min(...last) > allowed) return allowed + 1
    before = last
    last = row
  }
  return last[b.length]!
}
