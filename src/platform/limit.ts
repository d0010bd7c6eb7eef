// Limits concurrent tasks, and the rate of calls; the rest wait in order of arrival.

import { ProvisionError, problem } from '../problems/index.ts'
import type { Clock } from './ports.ts'

export type Limiter = <T>(task: () => Promise<T>) => Promise<T>

/** `limit(1)` is a lock: one task at a time. A failed task frees its slot too. */
export function limit(concurrency: number): Limiter {
  const waiting: (() => void)[] = []
  let running = 0

  return async (task) => {
    if (running >= concurrency) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    try {
      return await task()
    } finally {
      // The slot is passed to the next waiting task directly, so that a new task cannot take it in between.
      const next = waiting.shift()
      if (next) next()
      else running--
    }
  }
}

// The rate of calls, as a token bucket: quotas of clouds are a number of calls in a time.

export interface Pace {
  /** Resolves when the next call may be sent, in order of arrival; rejects with the reason of `signal` once aborted. */
  next(signal?: AbortSignal): Promise<void>
  /** As `next`, or with false, as soon as its turn comes, when the call is not wanted any more: it takes no other's place. */
  nextIf(isWanted: () => boolean, signal?: AbortSignal): Promise<boolean>
  /** After a refusal: no call for `ms` milliseconds, and no burst afterwards. */
  pause(ms: number): void
}

/** At most `burst + perSecond * t` calls in any `t` seconds. */
export function pace(clock: Clock, { perSecond, burst }: { perSecond: number; burst: number }): Pace {
  const interval = 1000 / perSecond
  const inTurn = limit(1)
  /** The time at which the bucket is full, if no call is sent before. */
  let fullAt = clock.now()

  function nextIf(isWanted: () => boolean, signal?: AbortSignal): Promise<boolean> {
    return inTurn(async () => {
      signal?.throwIfAborted()
      while (isWanted()) {
        const now = clock.now()
        const wait = Math.ceil(Math.max(fullAt, now) - now - (burst - 1) * interval)
        if (wait <= 0) {
          fullAt = Math.max(fullAt, now) + interval
          return true
        }
        await clock.sleep(wait, signal)
      }
      return false
    })
  }

  return {
    async next(signal) {
      await nextIf(() => true, signal)
    },
    nextIf,
    pause(ms) {
      fullAt = Math.max(fullAt, clock.now() + ms + (burst - 1) * interval)
    },
  }
}

// A wait that another part of the program can end early.

export interface Wakeup {
  /** Ends the current wait, or the next one if there is none. */
  trigger(): void
  /** Resolves after `ms`, or at once when `trigger` is called. */
  wait(ms: number): Promise<void>
}

export function createWakeup(clock: Clock): Wakeup {
  let isWoken = false
  let timer: AbortController | undefined
  return {
    trigger() {
      isWoken = true
      timer?.abort()
    },
    async wait(ms) {
      if (!isWoken) {
        timer = new AbortController()
        await clock.sleep(ms, timer.signal).catch(() => {})
        timer = undefined
      }
      isWoken = false
    },
  }
}

/** `ms`: the deadline that was missed. */
function deadlineMissed(what: string, ms: number): ProvisionError {
  const message = `${what} was not answered within ${ms / 1000} s`
  return new ProvisionError(problem('CALL_TIMED_OUT', message, { details: { what, ms } }))
}

// Calls with a deadline, so that a missing answer does not block anything else.

/** Runs the task; after `ms` its signal is aborted and CALL_TIMED_OUT is thrown, whether the task reacts or not. */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  what: string,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const call = new AbortController()
  const timer = new AbortController()
  const timeout = clock.sleep(ms, timer.signal).then(
    () => {
      const error = deadlineMissed(what, ms)
      call.abort(error)
      throw error
    },
    // The timer was stopped because the task is done: nothing waits for this promise.
    () => new Promise<never>(() => {}),
  )
  try {
    return await Promise.race([task(call.signal), timeout])
  } finally {
    timer.abort()
  }
}

/**
 * As `withDeadline`, for a view of the world; `took` is milliseconds. An answer that arrives after the deadline was on its
 * way while the machine was suspended: what it shows is old, and how long it took says nothing about the next one.
 */
export async function viewWithin<T>(
  clock: Clock,
  ms: number,
  what: string,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<{ view: T; took: number }> {
  const startedAt = clock.now()
  const view = await withDeadline(clock, ms, what, task)
  const took = clock.now() - startedAt
  if (took > ms) throw deadlineMissed(what, ms)
  return { view, took }
}

/** The result, or the reason of the signal as soon as that is aborted, whether the task reacts or not. */
export function orAborted<T>(task: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    task.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
