// One listing of a whole cluster for all pools at a location: however many pools there are, the cloud is listed once.

import { type Clock, delayAfter, limit, orAborted, viewWithin } from '../platform/index.ts'
import { type Problem, ProvisionError } from '../problems/index.ts'
import type { ClusterProvider, Listing } from './contract.ts'
import { isUnanswered } from './failure.ts'

export interface TimedListing extends Listing {
  /** When it began, by this process's clock: it shows everything that happened before. */
  startedAt: number
  /** Milliseconds that reading it took. */
  took: number
}

export interface SharedCluster {
  /**
   * The newest listing that began at `notBefore` or later, or the next one. All callers share it: one that is complete, or that
   * lacks only zones that did not respond. After a failure its outcome is returned until the next attempt is due, also to those
   * who need a newer one.
   */
  list(notBefore: number): Promise<TimedListing>
  /** The instances with these ids. Requests of the same moment are combined, and calls begin two seconds apart. */
  find(ids: readonly string[]): Promise<TimedListing>
  /** Gives up what is in progress, and refuses what is asked for later. */
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
/** Milliseconds until the next one while no answer arrives: once the link is back, the pools wait for a listing. */
const unansweredRetries = { first: 3_000, most: 3_000 }

const shortestDeadline = 60_000
const longestDeadline = 900_000

/**
 * Milliseconds until a listing is given up. How long one takes grows with the fleet, and is unknown at first: after one
 * that was given up the next one gets twice as long. `took`: how long the last one took.
 */
export function listDeadline(took = 0, timeouts = 0): number {
  return Math.min(longestDeadline, Math.max(shortestDeadline, 4 * took) * 2 ** timeouts)
}

/** Milliseconds until the next listing after so many in a row that failed. `why`: the problem of the last one. */
export function listingRetry(failures: number, random: () => number, why: Problem | undefined): number {
  return delayAfter(failures, why && isUnanswered(why) ? unansweredRetries : retries, random)
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
  let silent: TimedListing | undefined
  let running: Attempt | undefined
  let next: Promise<TimedListing> | undefined
  let failed: { times: number; retryAt: number; outcome: Promise<TimedListing> } | undefined
  let lastStart = Number.NEGATIVE_INFINITY
  let took = 0
  let timeouts = 0
  const closing = new AbortController()

  function cluster(): Promise<ClusterProvider> {
    opened ??= open().catch((error: unknown) => {
      opened = undefined
      throw error
    })
    return opened
  }

  /** With a deadline, and not beyond the end. */
  async function ask(
    what: string,
    deadline: number,
    call: (cloud: ClusterProvider, signal: AbortSignal) => Promise<Listing>,
  ): Promise<TimedListing> {
    closing.signal.throwIfAborted()
    const startedAt = clock.now()
    const asked = async (signal: AbortSignal) => call(await cluster(), signal)
    const { view } = await viewWithin(clock, deadline, what, (signal) =>
      orAborted(asked(AbortSignal.any([signal, closing.signal])), closing.signal),
    )
    return { ...view, startedAt, took: clock.now() - startedAt }
  }

  /** Begins after the listing that is running, and not too soon after its start. */
  async function begin(): Promise<TimedListing> {
    await running?.outcome.catch(() => {})
    const pause = lastStart + Math.max(listApart, Math.min(took / busyShare, longestPause)) - clock.now()
    if (pause > 0) await clock.sleep(pause, closing.signal)
    const startedAt = clock.now()
    const outcome = ask('a listing', listDeadline(took, timeouts), (cloud, signal) => cloud.list(signal))
    lastStart = startedAt
    running = { startedAt, outcome }
    next = undefined
    try {
      const listing = await outcome
      const why = listing.problems[0]
      // One that waited in vain, as while a link is cut, has kept the cloud busy with nothing.
      if (!why || !isUnanswered(why)) took = clock.now() - startedAt
      timeouts = 0
      if (listing.complete) newest = listing
      // Complete for pools of other zones; they must not wait until those zones respond.
      else if (listing.silent) silent = listing
      failed = listing.complete || listing.silent ? undefined : failure(outcome, why)
    } catch (error) {
      const why = error instanceof ProvisionError ? error.problems[0] : undefined
      if (why?.code === 'CALL_TIMED_OUT') timeouts++
      failed = failure(outcome, why)
    } finally {
      running = undefined
    }
    return outcome
  }

  function failure(outcome: Promise<TimedListing>, why: Problem | undefined) {
    const times = (failed?.times ?? 0) + 1
    return { times, retryAt: clock.now() + listingRetry(times, random, why), outcome }
  }

  // Lookups by id.

  let wanted = new Set<string>()
  let answer: Promise<TimedListing> | undefined
  let lastFind = Number.NEGATIVE_INFINITY
  const oneFind = limit(1)

  async function findWanted(): Promise<TimedListing> {
    const pause = lastFind + findApart - clock.now()
    if (pause > 0) await clock.sleep(pause, closing.signal)
    lastFind = clock.now()
    const ids = [...wanted]
    wanted = new Set()
    answer = undefined
    return ask('a lookup by id', listDeadline(), (cloud, signal) => cloud.find(ids, signal))
  }

  return {
    async list(notBefore) {
      closing.signal.throwIfAborted()
      for (const listing of [newest, silent]) if (listing && listing.startedAt >= notBefore) return listing
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
      closing.abort(new Error('the shared listing is closed'))
      await (await opened?.catch(() => undefined))?.close()
    },
  }
}
