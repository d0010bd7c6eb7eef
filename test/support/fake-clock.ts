// A clock that a test advances.
import type { Clock } from '../../src/platform/ports.ts'

interface Sleeper {
  at: number
  wake: () => void
}

export class FakeClock implements Clock {
  #now: number
  #sleepers: Sleeper[] = []

  constructor(now = Date.parse('2026-11-23T12:00:00Z')) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    return new Promise((resolve, reject) => {
      const sleeper = { at: this.#now + ms, wake: resolve }
      this.#sleepers.push(sleeper)
      signal?.addEventListener('abort', () => {
        this.#sleepers = this.#sleepers.filter((s) => s !== sleeper)
        reject(signal.reason)
      })
    })
  }

  /** Wakes every sleeper due within `ms`, in order, and lets each run before the next. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve))
      const next = this.#sleepers.filter((s) => s.at <= end).sort((a, b) => a.at - b.at)[0]
      if (!next) break
      this.#now = next.at
      this.#sleepers = this.#sleepers.filter((s) => s !== next)
      next.wake()
    }
    this.#now = end
  }
}
