// Which events are new since the last look: several may carry the same millisecond.
import type { LoggedEvent } from './event-text.ts'

export interface Follower {
  /** Milliseconds since the epoch: what to ask for next, from then on. */
  readonly since: number
  /** Takes an answer for `since`, oldest first; returns what was not in an answer before. */
  take(events: readonly LoggedEvent[]): LoggedEvent[]
}

export function followEvents(start = 0): Follower {
  let since = start
  /** Of the events with exactly that time. */
  let taken = 0
  return {
    get since() {
      return since
    },
    take(events) {
      let known = taken
      const fresh = events.filter(({ at }) => at > since || (at === since && known-- <= 0))
      const newest = events.at(-1)?.at ?? since
      const atNewest = events.filter(({ at }) => at === newest).length
      if (newest >= since) [since, taken] = [newest, atNewest]
      return fresh
    },
  }
}
