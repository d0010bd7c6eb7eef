// A real clock that runs many times faster: minutes of a loop pass in seconds, beside real sockets.
import { setTimeout as wait } from 'node:timers/promises'
import type { Clock } from '../../src/platform/ports.ts'

export class FastClock implements Clock {
  readonly #start = Date.now()
  readonly #times: number

  constructor(times: number) {
    this.#times = times
  }

  now(): number {
    return Math.round(this.#start + (Date.now() - this.#start) * this.#times)
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    try {
      await wait(ms / this.#times, undefined, { signal })
    } catch (error) {
      throw signal?.aborted ? signal.reason : error
    }
  }
}
