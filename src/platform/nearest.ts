// "Did you mean": the known word nearest to a misspelt one, and the only one that a word begins.

/** Misspelt words are near; words of another meaning are not, even if they begin alike (`placement_group`, `placement_grace`). */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const given = splitOf(word)
  let best: { candidate: string; distance: number } | undefined
  for (const { candidate, split } of splitsOf(candidates)) {
    const distance = distanceOf(given, split)
    if (distance === undefined || (best && distance >= best.distance)) continue
    best = { candidate, distance }
    if (distance === 0) break
  }
  return best?.candidate
}

/** The only candidate that begins with the word, for commands: `provision val`. */
export function completed(word: string, candidates: readonly string[]): string | undefined {
  const found = candidates.filter((candidate) => candidate.startsWith(word))
  return word.length >= 3 && found.length === 1 ? found[0] : undefined
}

/** `maxInstances`, `MaxInstances`, `max-instances` and `max_instances` are one word. */
export function snakeCase(word: string): string {
  return word
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replaceAll('-', '_')
}

interface Split {
  parts: readonly string[]
  joined: string
}

function splitOf(text: string): Split {
  const parts = snakeCase(text)
    .split(/[_.\s]+/)
    .filter(Boolean)
  return { parts, joined: parts.join('') }
}

/** Kept, because a file may have thousands of unknown keys in one block. */
const splits = new WeakMap<readonly string[], { candidate: string; split: Split }[]>()

function splitsOf(candidates: readonly string[]) {
  let found = splits.get(candidates)
  if (!found) {
    found = candidates.map((candidate) => ({ candidate, split: splitOf(candidate) }))
    splits.set(candidates, found)
  }
  return found
}

/**
 * Changes between two words, or undefined if they are not near. Every part must be near on its own, because a part is what
 * carries the meaning. A missing or additional separator counts as one change.
 */
function distanceOf(given: Split, wanted: Split): number | undefined {
  if (given.parts.length !== wanted.parts.length) {
    const distance = partDistance(given.joined, wanted.joined, 10)
    return distance === undefined ? undefined : distance + 1
  }
  const allowed = Math.max(1, Math.floor(wanted.joined.length / 5))
  let sum = 0
  for (let i = 0; i < given.parts.length; i++) {
    const distance = partDistance(given.parts[i]!, wanted.parts[i]!, 4)
    if (distance === undefined) return isReordered(given.parts, wanted.parts) ? 1 : undefined
    sum += distance
  }
  return sum <= allowed ? sum : undefined
}

/** `instances_max`. */
function isReordered(given: readonly string[], wanted: readonly string[]): boolean {
  return given.every((part) => wanted.includes(part)) && wanted.every((part) => given.includes(part))
}

/** One change for every `share` characters, at least one; in words of two characters only a swap. */
function partDistance(a: string, b: string, share: number): number | undefined {
  if (a === b) return 0
  const longer = Math.max(a.length, b.length)
  const allowed = Math.max(1, Math.floor(longer / share))
  if (Math.abs(a.length - b.length) > allowed) return undefined
  if (longer <= 2) return a[0] === b[1] && a[1] === b[0] ? 1 : undefined
  const distance = changes(a, b)
  return distance <= allowed ? distance : undefined
}

/** Damerau-Levenshtein distance (optimal string alignment); words here are short. */
function changes(a: string, b: string): number {
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
    before = last
    last = row
  }
  return last[b.length]!
}
