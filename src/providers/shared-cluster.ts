// One listing of a whole cluster for all pools at a location: however many pools there are, the cloud is listed once.

import { type Clock, delayAfter, limit, viewWithin } from '../platform/index.ts'
import { ProvisionError } from '../problems/index.ts'
import type { ClusterProvider, Listing } from './contract.ts'

export interface TimedListing extends Listing {
  /** When it began, by this process's clock: it shows everything that happened before. */
  startedAt: number
  /** Milliseconds that reading it took. */
  took: number
}

export interface SharedCluster {
  /**
   * The newest complete listing that began at `notBefore` or later, or the next one. All callers share it. After a failure
   * its outcome is returned until the next attempt is due.
   */
  list(notBefore: number): Promise<TimedListing>
  /** The instances with these ids. Requests of the same moment are combined, and calls begin two seconds apart. */
  find(ids: readonly string[]): Promise<TimedListing>
  close(): Promise<void>
}

/** Milliseconds between the starts of two lookups by id. */
const findApart = 2_000
/** Milliseconds between the starts of two listings at least; more where a listing takes long. */
const listApart = 2_000
/** A listing may use at most this part of the time, but the next one is not put off for longer than a minute. */
const busyShare = 0.5
const longestPause = 60_000
const retries = { first: 5_000, most: 60_000 }

const shortestDeadline = 60_000
const longestDeadline = 900_000

/**
 * Milliseconds until a listing is given up. How long one takes grows with the fleet, and is unknown at first: after one
 * that was given up the next one gets twice as long. `took`: how long the last one took.
 */
export function listDeadline(took = 0, timeouts = 0): number {
  return Math.min(longestDeadline, Math.max(shortestDeadline, 4 * took) * 2 ** timeouts)
}

interface Attempt {
  startedAt: number
  outcome: Promise<TimedListing>
}

/** Opens the cluster at the first call. */
export function shareCluster(
  open: () => Promise<ClusterProvider>,
  { clock, random }: { clock: Clock; random: () => number },
): SharedCluster {
  let opened: Promise<ClusterProvider> | undefined
  let newest: TimedListing | undefined
  let running: Attempt | undefined
  let next: Promise<TimedListing> | undefined
  let failed: { times: number; retryAt: number; outcome: Promise<TimedListing> } | undefined
  let lastStart = Number.NEGATIVE_INFINITY
  let took = 0
  let timeouts = 0

  function cluster(): Promise<ClusterProvider> {
    opened ??= open().catch((error: unknown) => {
      opened = undefined
      throw error
    })
    return opened
  }

  async function attempt(startedAt: number): Promise<TimedListing> {
    const cloud = await cluster()
    const deadline = listDeadline(took, timeouts)
    const { view } = await viewWithin(clock, deadline, 'a listing', (signal) => cloud.list(signal))
    return { ...view, startedAt, took: clock.now() - startedAt }
  }

  /** Begins after the listing that is running, and not too soon after its start. */
  async function begin(): Promise<TimedListing> {
    await running?.outcome.catch(() => {})
    const pause = lastStart + Math.max(listApart, Math.min(took / busyShare, longestPause)) - clock.now()
    if (pause > 0) await clock.sleep(pause)
    const startedAt = clock.now()
    const outcome = attempt(startedAt)
    lastStart = startedAt
    running = { startedAt, outcome }
    next = undefined
    try {
      const listing = await outcome
      took = clock.now() - startedAt
      timeouts = 0
      if (listing.complete) {
        newest = listing
        failed = undefined
      } else failed = failure(outcome)
    } catch (error) {
      if (isTimeout(error)) timeouts++
      failed = failure(outcome)
    } finally {
      running = undefined
    }
    return outcome
  }

  function failure(outcome: Promise<TimedListing>) {
    const times = (failed?.times ?? 0) + 1
    return { times, retryAt: clock.now() + delayAfter(times, retries, random), outcome }
  }

  // Lookups by id.

  let wanted = new Set<string>()
  let answer: Promise<TimedListing> | undefined
  let lastFind = Number.NEGATIVE_INFINITY
  const oneFind = limit(1)

  async function findWanted(): Promise<TimedListing> {
    const pause = lastFind + findApart - clock.now()
    if (pause > 0) await clock.sleep(pause)
    const startedAt = clock.now()
    lastFind = startedAt
    const ids = [...wanted]
    wanted = new Set()
    answer = undefined
    const cloud = await cluster()
    const find = (signal: AbortSignal) => cloud.find(ids, signal)
    const { view } = await viewWithin(clock, listDeadline(), 'a lookup by id', find)
    return { ...view, startedAt, took: clock.now() - startedAt }
  }

  return {
    list(notBefore) {
      if (newest && newest.startedAt >= notBefore) return Promise.resolve(newest)
      if (running && running.startedAt >= notBefore) return running.outcome
      if (failed && clock.now() < failed.retryAt) return failed.outcome
      next ??= begin()
      return next
    },
    find(ids) {
      for (const id of ids) wanted.add(id)
      // Not at once: what is asked for at the same moment belongs to it.
      answer ??= Promise.resolve().then(() => oneFind(findWanted))
      return answer
    },
    async close() {
      await (await opened?.catch(() => undefined))?.close()
    },
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof ProvisionError && error.problems[0]?.code === 'CALL_TIMED_OUT'
}
