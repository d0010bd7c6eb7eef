// Dials that cannot be answered yet wait a while for their answer: an agent of Determined that is refused at its first dial
// ends, and an instance may dial seconds before the cloud lists it.
import type { Socket } from 'node:net'
import type { Clock } from '../../platform/index.ts'
import type { Refusal } from './agent.ts'

export interface HeldDial {
  socket: Socket
  /** Where it comes from: nobody may take all places. */
  address: string
  /** Asked again and again; undefined: it may be accepted. */
  judge: () => Refusal | undefined
  /** Called once, when `judge` gives an answer or the time is over; not at all when the dialler went away. */
  answer: (refusal: Refusal | undefined) => void
}

export interface HeldDials {
  /** False when no place is free: it is to be answered at once. */
  hold(dial: HeldDial): boolean
  /** Answers all that wait. */
  close(): void
}

export interface HeldDialsOptions {
  clock: Clock
  /** Milliseconds. Agents wait 45 s for the answer (dialTimeout, and gorilla's default), proxies often 30 s. */
  longest?: number
  /** Places; a socket over TLS with nothing else takes below 100 KB. */
  most?: number
  /** Many agents may come from one address, behind NAT. */
  mostOfAddress?: number
}

/** Milliseconds between two questions. What changes an answer lies in the fleet, and need not know who waits here. */
const interval = 200

/** Not yet, rather than no: only this refusal invites the agent to come again. */
export function isUndecided(refusal: Refusal | undefined): refusal is Refusal {
  return refusal?.retryAfter !== undefined
}

export function createHeldDials(options: HeldDialsOptions): HeldDials {
  const { clock, longest = 15_000, most = 256, mostOfAddress = 64 } = options
  const held = new Map<HeldDial, { until: number; release: () => void }>()
  const closed = new AbortController()
  let isAsking = false

  async function ask(): Promise<void> {
    if (isAsking) return
    isAsking = true
    while (held.size > 0) {
      await clock.sleep(interval, closed.signal)
      for (const [dial, { until }] of held) {
        const refusal = dial.judge()
        if (!isUndecided(refusal) || clock.now() >= until) settle(dial, refusal)
      }
    }
    isAsking = false
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
      // Read, or its end would not be noticed. Before the answer an agent has nothing to send.
      const events = ['data', 'end', 'error', 'close'] as const
      for (const event of events) socket.on(event, drop)
      const release = () => {
        for (const event of events) socket.off(event, drop)
      }
      socket.setTimeout(0)
      held.set(dial, { until: clock.now() + longest, release })
      ask().catch((error: unknown) => {
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
