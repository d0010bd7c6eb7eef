// Virtual time, which advances only when everything waits. Each wait that ends is one step.
import type { Clock } from '../platform/index.ts'

interface Waiter {
  at: number
  /** Order of arrival: of tasks due at the same moment, the first to arrive runs first. */
  turn: number
  wake: () => void
  gone: boolean
}

export interface VirtualClock extends Clock {
  /** Calls back at that time. */
  at(time: number, task: () => void): void
  after(ms: number, task: () => void): void
  /** Steps until nothing waits, or `until` returns true after a step. */
  run(until: () => boolean): Promise<void>
  readonly steps: number
}

export function createVirtualClock(start: number): VirtualClock {
  const heap: Waiter[] = []
  let now = start
  let turns = 0
  let steps = 0

  function add(at: number, wake: () => void): Waiter {
    const waiter = { at: Math.max(at, now), turn: turns++, wake, gone: false }
    push(heap, waiter)
    return waiter
  }

  return {
    now: () => now,
    sleep(ms, signal) {
      if (signal?.aborted) return Promise.reject(signal.reason)
      return new Promise((resolve, reject) => {
        const abort = () => {
          waiter.gone = true
          reject(signal!.reason)
        }
        const waiter = add(now + ms, () => {
          // A signal that lives as long as the world would gather them.
          signal?.removeEventListener('abort', abort)
          resolve()
        })
        signal?.addEventListener('abort', abort, { once: true })
      })
    },
    at(time, task) {
      add(time, task)
    },
    after(ms, task) {
      add(now + ms, task)
    },
    async run(until) {
      await settled()
      while (heap.length > 0) {
        const waiter = pop(heap)
        if (waiter.gone) continue
        now = waiter.at
        waiter.wake()
        await settled()
        steps++
        if (until()) return
      }
    },
    get steps() {
      return steps
    },
  }
}

/** Everything that follows from a step without waiting has happened at the next turn of the event loop. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function before(a: Waiter, b: Waiter): boolean {
  return a.at < b.at || (a.at === b.at && a.turn < b.turn)
}

function push(heap: Waiter[], waiter: Waiter): void {
  let n = heap.push(waiter) - 1
  while (n > 0) {
    const parent = (n - 1) >> 1
    if (!before(heap[n]!, heap[parent]!)) return
    swap(heap, n, parent)
    n = parent
  }
}

function pop(heap: Waiter[]): Waiter {
  const first = heap[0]!
  const last = heap.pop()!
  if (heap.length === 0) return first
  heap[0] = last
  for (let n = 0; ; ) {
    const left = 2 * n + 1
    if (left >= heap.length) return first
    const right = left + 1
    const child = right < heap.length && before(heap[right]!, heap[left]!) ? right : left
    if (!before(heap[child]!, heap[n]!)) return first
    swap(heap, n, child)
    n = child
  }
}

function swap(heap: Waiter[], a: number, b: number): void {
  const kept = heap[a]!
  heap[a] = heap[b]!
  heap[b] = kept
}

// The events of a world, in order: stored as data, formatted only on request.

export interface Entry {
  at: number
  step: number
  who: string
  what: string
  details?: unknown
}

export interface Timeline {
  add(who: string, what: string, details?: unknown): void
  readonly entries: readonly Entry[]
}

const kept = 4_000

/** The last few thousand entries: older ones rarely explain a failure. */
export function createTimeline(now: () => number, step: () => number): Timeline {
  let entries: Entry[] = []
  return {
    add(who, what, details) {
      entries.push({ at: now(), step: step(), who, what, details })
      if (entries.length > 2 * kept) entries = entries.slice(-kept)
    },
    get entries() {
      return entries
    },
  }
}

/** One line for each entry, with the time since the start of the world. */
export function printTimeline(entries: readonly Entry[], startsAt: number): string {
  return entries
    .map(({ at, step, who, what, details }) => {
      const seconds = ((at - startsAt) / 1000).toFixed(3).padStart(10)
      const words = details === undefined ? '' : ` ${JSON.stringify(details)}`
      return `${seconds} s  #${step}  ${who.padEnd(12)} ${what}${words}`
    })
    .join('\n')
}
