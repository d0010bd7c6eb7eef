// Statements for many at once: what is asked for at the same moment, or while another statement is on its way, waits together.

export interface TogetherOptions<Asked, Result> {
  /** One statement for all of the group; resolves with their results, in order. */
  run(group: readonly Asked[]): Promise<readonly Result[]>
  /** Whether the second may be in one group with the first; any may by default. */
  isSame?(one: Asked, other: Asked): boolean
  /** Statements at once. */
  mostAtOnce?: number
  /** Of one group: so many that none is large. */
  largest?: number
}

/** A failure is that of all in the group. */
export function together<Asked, Result>({
  run,
  isSame = () => true,
  mostAtOnce = 1,
  largest = Number.POSITIVE_INFINITY,
}: TogetherOptions<Asked, Result>): (asked: Asked) => Promise<Result> {
  interface Waiting {
    asked: Asked
    resolve: (result: Result) => void
    reject: (error: unknown) => void
  }
  let waiting: Waiting[] = []
  let running = 0

  function nextGroup(): Waiting[] {
    const group: Waiting[] = []
    const others: Waiting[] = []
    for (const one of waiting)
      if (group.length < largest && group.every(({ asked }) => isSame(asked, one.asked))) group.push(one)
      else others.push(one)
    waiting = others
    return group
  }

  async function keepRunning(): Promise<void> {
    running++
    // So that what is asked for at the same moment is together.
    await null
    while (waiting.length > 0) {
      const group = nextGroup()
      try {
        const results = await run(group.map(({ asked }) => asked))
        for (const [n, { resolve }] of group.entries()) resolve(results[n]!)
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    running--
  }

  return (asked) =>
    new Promise((resolve, reject) => {
      waiting.push({ asked, resolve, reject })
      if (running < mostAtOnce) void keepRunning()
    })
}
