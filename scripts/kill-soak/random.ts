// Choices that a seed repeats. (What they meet does not repeat: processes run as fast as the machine lets them.)

export interface Random {
  /** A number in [least, most). */
  between(least: number, most: number): number
  chance(probability: number): boolean
  one<T>(list: readonly [T, ...T[]]): T
}

/** Mulberry32 (Tommy Ettinger, public domain). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0

  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  return {
    between: (least, most) => least + next() * (most - least),
    chance: (probability) => next() < probability,
    one: (list) => list[Math.floor(next() * list.length)]!,
  }
}
