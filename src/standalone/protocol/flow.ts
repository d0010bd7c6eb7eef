// A bucket that fills with time: how long to stop reading a peer that says too much.

export interface FlowLimit {
  /** Per second. */
  messages: number
  bytes: number
  /** How many seconds' worth may come at once. */
  burstSeconds: number
}

export interface Flow {
  /** Takes one message out; milliseconds until there is room for the next, 0 while there is. `now` in milliseconds. */
  take(bytes: number, now: number): number
}

/** Starts full. */
export function createFlow({ messages, bytes, burstSeconds }: FlowLimit, start: number): Flow {
  // Both kinds of cost in seconds of allowance.
  let allowance = burstSeconds
  let last = start
  return {
    take(size, now) {
      allowance = Math.min(burstSeconds, allowance + Math.max(0, now - last) / 1000)
      last = now
      allowance -= Math.max(1 / messages, size / bytes)
      // Sums of fractions are off by a hair; no one waits a millisecond for that.
      return Math.max(0, Math.ceil(-allowance * 1000 - 1e-6))
    },
  }
}
