// The machine's clock.
import { setTimeout as wait } from 'node:timers/promises'
import type { Clock } from '../model/ports.ts'

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    try {
      await wait(ms, undefined, { signal })
    } catch (error) {
      throw signal?.aborted ? signal.reason : error
    }
  },
}
