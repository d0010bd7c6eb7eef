// At most so many tasks at once; the rest wait their turn in the order they came.

export type Limiter = <T>(task: () => Promise<T>) => Promise<T>

/** `limit(1)` is a lock: one task at a time. A task that fails frees its place like any other. */
export function limit(concurrency: number): Limiter {
  const waiting: (() => void)[] = []
  let running = 0

  return async (task) => {
    if (running >= concurrency) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    try {
      return await task()
    } finally {
      // The place is handed over, not given back, so that a newcomer cannot slip in between.
      const next = waiting.shift()
      if (next) next()
      else running--
    }
  }
}
