// A wait that can be cut short from outside.
import type { Clock } from './ports.ts'

export interface Bell {
  /** Ends the wait under way, or the next one if there is none. */
  ring(): void
  /** Resolves after `ms`, or when it rings. */
  wait(ms: number): Promise<void>
}

export function createBell(clock: Clock): Bell {
  let rung = false
  let timer: AbortController | undefined
  return {
    ring() {
      rung = true
      timer?.abort()
    },
    async wait(ms) {
      if (!rung) {
        timer = new AbortController()
        await clock.sleep(ms, timer.signal).catch(() => {})
        timer = undefined
      }
      rung = false
    },
  }
}
