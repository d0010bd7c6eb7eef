// Repeatable randomness: the same seed and the same name give the same numbers, whatever else is drawn.

export interface Random {
  /** From 0 up to 1. */
  next(): number
  /** True with this percentage. */
  chance(percent: number): boolean
  /** An integer from `least` to `most`, both included. */
  whole(least: number, most: number): number
  pick<T>(choices: readonly T[]): T
  /** An independent source that depends only on the seed and the words. */
  fork(...words: (string | number)[]): Random
}

export function createRandom(seed: string): Random {
  const draw = generator(hash(seed))
  const random: Random = {
    next: draw,
    chance: (percent) => draw() * 100 < percent,
    whole: (least, most) => least + Math.floor(draw() * (most - least + 1)),
    pick: (choices) => choices[Math.floor(draw() * choices.length)]!,
    fork: (...words) => createRandom(`${seed}/${words.join('/')}`),
  }
  return random
}

/**
 * FNV-1a, 32 bits (http://www.isthe.com/chongo/tech/comp/fnv/), with a final mix, so that similar seeds differ widely.
 */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let n = 0; n < text.length; n++) value = Math.imul(value ^ text.charCodeAt(n), 0x01000193)
  value = Math.imul(value ^ (value >>> 16), 0x7feb352d)
  value = Math.imul(value ^ (value >>> 15), 0x846ca68b)
  return (value ^ (value >>> 16)) >>> 0
}

/** Mulberry32: small, fast, and good enough for simulations. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
