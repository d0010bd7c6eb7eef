// Keeps a connection honest: pings at an interval, and gives it up when no pong has come for too long.
import type { Clock } from '../../platform/ports.ts'
import { pingInterval, pongDeadline } from './limits.ts'

export interface HeartbeatOptions {
  clock: Clock
  ping: () => void
  /** Called once, when the deadline has passed without a pong. */
  expire: () => void
  /** Milliseconds; the wire's numbers unless a test says otherwise. */
  interval?: number
  deadline?: number
}

export interface Heartbeat {
  pong(): void
  stop(): void
}

/** Starts at once; the first deadline counts from now. */
export function startHeartbeat(options: HeartbeatOptions): Heartbeat {
  const { clock, interval = pingInterval, deadline = pongDeadline } = options
  const stop = new AbortController()
  let expiresAt = clock.now() + deadline

  async function beat(): Promise<void> {
    let nextPing = clock.now() + interval
    for (;;) {
      await clock.sleep(Math.max(0, Math.min(nextPing, expiresAt) - clock.now()), stop.signal)
      const now = clock.now()
      if (now >= expiresAt) {
        stop.abort()
        options.expire()
        return
      }
      if (now >= nextPing) {
        nextPing = now + interval
        options.ping()
      }
    }
  }
  // The only way out but expiry is `stop`, which rejects the sleep.
  beat().catch((error: unknown) => {
    if (!stop.signal.aborted) throw error
  })

  return {
    pong() {
      expiresAt = clock.now() + deadline
    },
    stop: () => stop.abort(),
  }
}
