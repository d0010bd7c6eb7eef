// Holds dials whose answer is not known yet: a Determined agent exits when its first dial is rejected, and an instance
// may dial seconds before the cloud lists it.
import type { Socket } from 'node:net'
import type { Clock } from '../../platform/index.ts'
import type { Refusal } from './agent.ts'

export interface HeldDial {
  socket: Socket
  /** Client address, for the limit per address. */
  address: string
  /** Polled; undefined: accept the dial. */
  judge: () => Refusal | undefined
  /** Called once, when `judge` has an answer or the time is over; not called when the client disconnected. */
  answer: (refusal: Refusal | undefined) => void
}

export interface HeldDials {
  /** False when the limit is reached: the dial must be answered at once. */
  hold(dial: HeldDial): boolean
  /** Answers all held dials. */
  close(): void
}

export interface HeldDialsOptions {
  clock: Clock
  /** Milliseconds. Agents wait 45 s for the answer (dialTimeout, and gorilla's default), proxies often 30 s. */
  longest?: number
  /** Number of held dials; a TLS socket uses less than 100 KB of memory. */
  most?: number
  /** Per client address; behind NAT many agents may have one address. */
  mostOfAddress?: number
}

/** Milliseconds between two polls, so that the fleet does not need to know about held dials. */
const interval = 200

/** A temporary rejection, the only kind that asks the agent to retry. */
export function isUndecided(refusal: Refusal | undefined): refusal is Refusal {
  return refusal?.retryAfter !== undefined
}

export function createHeldDials(options: HeldDialsOptions): HeldDials {
  const { clock, longest = 15_000, most = 256, mostOfAddress = 64 } = options
  const held = new Map<HeldDial, { until: number; release: () => void }>()
  const closed = new AbortController()
  let isPolling = false

  async function poll(): Promise<void> {
    if (isPolling) return
    isPolling = true
    while (held.size > 0) {
      await clock.sleep(interval, closed.signal)
      for (const [dial, { until }] of held) {
        const refusal = dial.judge()
        if (!isUndecided(refusal) || clock.now() >= until) settle(dial, refusal)
      }
    }
    isPolling = false
  }

  function settle(dial: HeldDial, refusal: Refusal | undefined): void {
    held.get(dial)?.release()
    held.delete(dial)
    dial.answer(refusal)
  }

  return {
    hold(dial) {
      const { socket, address } = dial
      const ofAddress = [...held.keys()].filter((each) => each.address === address)
      if (closed.signal.aborted || held.size >= most || ofAddress.length >= mostOfAddress) return false
      const drop = () => {
        release()
        held.delete(dial)
        socket.destroy()
      }
      // The socket must be read, or its close is not detected. An agent sends nothing before the answer.
      const events = ['data', 'end', 'error', 'close'] as const
      for (const event of events) socket.on(event, drop)
      const release = () => {
        for (const event of events) socket.off(event, drop)
      }
      socket.setTimeout(0)
      held.set(dial, { until: clock.now() + longest, release })
      poll().catch((error: unknown) => {
        if (!closed.signal.aborted) throw error
      })
      return true
    },

    close() {
      closed.abort()
      for (const dial of [...held.keys()]) settle(dial, dial.judge())
    },
  }
}
