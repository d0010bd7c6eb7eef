// Looks for orphans, the instances of the cluster that belong to no configured pool: their pool was removed or moved, or a
// state folder was lost. They are reported; our own are terminated once they are known to be idle. Whatever else launches
// made is deleted when no instance needs it any more.

import {
  type Instance,
  isLive,
  type Orphan,
  type OrphanRules,
  type OrphanStep,
  type OrphanView,
  orphanStep,
} from '../planner/index.ts'
import { createWakeup, withDeadline } from '../platform/index.ts'
import type { Problem } from '../problems/index.ts'
import type { ClusterProvider, Location } from '../providers/index.ts'
import { type ClusterLocation, keyOf } from '../state/index.ts'
import { createOrphanAgents, type OrphanAgentsDeps } from './orphan-agents.ts'
import { goneProblems, unseenProblem } from './orphan-reports.ts'
import { callDeadlines, type FleetEvent } from './run.ts'

export interface OrphanDeps extends OrphanAgentsDeps {
  /** Called before each search, for what other provisioners have noted; after a failure the search is tried again later. */
  refresh?: () => Promise<void>
  /** Read again for each search. */
  locations: () => readonly ClusterLocation[]
  open: (location: ClusterLocation) => Promise<ClusterProvider | undefined>
  /** The account at a location became known. While that cannot be stored, the location is not searched. */
  onAccount: (location: ClusterLocation, account: string) => void | Promise<void>
  /** The name by which the master knows a pool that the cloud shows under another; default: the same. */
  nameOf?: (location: ClusterLocation, pool: string) => string
  /** The instance belongs to a configured pool, whether that runs or not. */
  isConfigured: (location: ClusterLocation, pool: string) => boolean
  /** Writers whose instances of this pool we may terminate. */
  isOwnWriter: (writer: string | undefined, pool: string) => boolean
  /** A writer that can only be a copy of our state folder: while one is found, nothing counts as our own. */
  isCopy?: (writer: string | undefined, pool: string) => boolean
  /** False while the current file is invalid: its pools are not known then, and no grace period runs. */
  isFileTrusted: () => boolean
  rules: () => OrphanRules
  /** Whether launches of a configured pool there make more than instances; default: only what is found shows it. */
  makesMore?: (location: ClusterLocation) => boolean
  onEvent: (event: FleetEvent) => void
}

export interface FoundOrphan extends Orphan {
  provider: string
  location: Location
  /** Milliseconds since its launch, by the cloud's clock if the cloud reports the time. */
  age: number
  /** The next step, or why there is none. */
  next: OrphanStep
}

export interface OrphanStatus {
  orphans: FoundOrphan[]
  /** Locations that could not be listed completely: there may be more. */
  problems: Problem[]
  /** When every location was last listed; undefined before the first time. */
  at?: number
}

export interface OrphanWatch {
  start(): void
  /**
   * Waits at most ten seconds for a search in progress, and undrains agents: their pool may be configured at the next
   * start.
   */
  stop(): Promise<void>
  /** Searches now instead of at the next interval. */
  look(): void
  status(): OrphanStatus
  /** Terminates orphans on a person's order; returns the ids that are orphans. */
  remove(ids: readonly string[], how: 'when_idle' | 'even_if_busy'): string[]
  /** Cancels orders to remove orphans, and undrains their agents; returns the ids of those. */
  keep(ids: readonly string[]): Promise<string[]>
  /** Whether it is our own orphan, whose agent may connect to the master; `later` before the first search. */
  mayReturn(pool: string, id: string): 'yes' | 'no' | 'later'
}

const hour = 3_600_000
/** Milliseconds between two searches at least, however often the master reports changes. */
const least = 5_000
/** Milliseconds between two searches while an orphan is about to be terminated. */
const soon = 10_000
/** Milliseconds between two searches while our own orphan is not known to be idle. */
const watching = 60_000
/** How long a stop waits for a search in progress, in milliseconds. */
const stopTime = 10_000
/** After this time a location that could not be listed is tried again. */
const retry = 5 * 60_000
/** Milliseconds between two searches while there may be something else to delete than instances. */
const tidying = 5 * 60_000

export function createOrphanWatch(deps: OrphanDeps): OrphanWatch {
  const { clock, logger } = deps
  const agents = createOrphanAgents(deps)
  const wakeup = createWakeup(clock)
  const known = new Map<string, FoundOrphan>()
  const orders = new Map<string, 'when_idle' | 'even_if_busy'>()
  let problems: Problem[] = []
  let lookedAt: number | undefined
  let wasTrusted = false
  let reportedAt = Number.NEGATIVE_INFINITY
  let reported: ReadonlySet<string> = new Set()
  let isStopping = false
  let isCopied = false
  let mayTidy = false
  let loop: Promise<void> = Promise.resolve()
  let unsubscribe = () => {}

  async function look(): Promise<void> {
    await deps.refresh?.()
    const now = clock.now()
    const passed = wasTrusted && deps.isFileTrusted() && lookedAt !== undefined ? now - lookedAt : 0
    wasTrusted = deps.isFileTrusted()
    const found: Problem[] = []
    const seen = new Set<string>()
    const copied = { seen: false }
    const unseen = new Set<string>()
    mayTidy = false
    for (const place of deps.locations()) {
      if (isStopping) return
      const problem = await lookAt(place, { passed, seen, copied })
      if (!problem) continue
      found.push(problem)
      unseen.add(keyOf(place))
    }
    // If a location could not be listed, its orphans stay as they were.
    for (const orphan of known.values())
      if (!seen.has(orphan.id) && !unseen.has(keyOf(orphan))) known.delete(orphan.id)
    isCopied = copied.seen
    problems = found
    lookedAt = now
    report(now)
  }

  /** One location: its listing, the master's view of it, and the next step for each orphan. */
  async function lookAt(
    place: ClusterLocation,
    { passed, seen, copied }: { passed: number; seen: Set<string>; copied: { seen: boolean } },
  ): Promise<Problem | undefined> {
    let cloud: ClusterProvider | undefined
    try {
      cloud = await deps.open(place)
      if (!cloud) return undefined
      const listing = await withDeadline(clock, callDeadlines.list, 'a listing of the cluster', (signal) =>
        cloud!.list(signal),
      )
      const account = listing.account ?? (await accountOf(cloud))
      if (account !== undefined && place.account !== undefined && account !== place.account) {
        return unseenProblem(
          place,
          `the credentials belong to account ${account}, the instances are in account ${place.account}`,
        )
      }
      if (account !== undefined && place.account === undefined) await deps.onAccount(place, account)
      const isNow = listing.instances.some(
        (one) => canBill(one) && deps.isCopy?.(one.writerId, nameOf(place, one)),
      )
      copied.seen ||= isNow
      isCopied ||= isNow
      const back: string[] = []
      for (const instance of listing.instances)
        if (canBill(instance) && !deps.isConfigured(place, instance.pool)) {
          seen.add(instance.id)
          note(place, instance, passed, listing.at ?? clock.now())
        } else back.push(instance.id)
      await agents.giveBackConfigured(back)
      if (!listing.complete)
        return unseenProblem(place, listing.problems[0]?.message ?? 'the listing is not complete')
      await act(place, cloud, seen)
      await tidy(place, cloud, listing.instances)
      return undefined
    } catch (error) {
      return unseenProblem(place, error instanceof Error ? error.message : String(error))
    } finally {
      await cloud?.close().catch(() => {})
    }
  }

  /** What else a launch made is needed until the last of its instances is terminated, and not only about to be. */
  async function tidy(
    place: ClusterLocation,
    cloud: ClusterProvider,
    instances: readonly Instance[],
  ): Promise<void> {
    if (!cloud.deleteUnused || isStopping) return
    const makesMore = deps.makesMore?.(place) === true
    mayTidy ||= makesMore
    const used = new Set(
      instances.flatMap(({ state, intentId = '' }) => (state === 'terminated' ? [] : intentId)),
    )
    try {
      const left = await withDeadline(clock, callDeadlines.terminate, 'a deletion', (signal) =>
        cloud.deleteUnused!((intentId) => used.has(intentId), signal),
      )
      mayTidy ||= left > 0
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      // Where no pool needs it, it need not be permitted.
      logger[makesMore ? 'warn' : 'debug']('what launches made besides instances was not deleted', {
        provider: place.provider,
        reason,
      })
    }
  }

  /** If no instance shows it. */
  async function accountOf(cloud: ClusterProvider): Promise<string | undefined> {
    const answer = await withDeadline(clock, callDeadlines.list, 'a lookup of the account', (signal) =>
      cloud.find([], signal),
    )
    return answer.account
  }

  function nameOf(place: ClusterLocation, { pool }: Instance): string {
    return deps.nameOf?.(place, pool) ?? pool
  }

  function note(place: ClusterLocation, instance: Instance, passed: number, at: number): void {
    const { provider, location } = place
    const pool = nameOf(place, instance)
    const before = known.get(instance.id)
    const ordered = orders.get(instance.id)
    const waited = (before?.waited ?? 0) + (before ? passed : 0)
    known.set(instance.id, {
      ...instance,
      pool,
      provider,
      location,
      age: Math.max(0, at - instance.launchedAt),
      isOwn: !isCopied && deps.isOwnWriter(instance.writerId, pool),
      waited,
      ...(ordered ? { ordered } : {}),
      ...(before?.drainedAt === undefined ? {} : { drainedAt: before.drainedAt }),
      ...(before?.undrainedAt === undefined ? {} : { undrainedAt: before.undrainedAt }),
      next: before?.next ?? { kind: 'keep', why: 'unknown' },
    })
  }

  async function act(
    place: ClusterLocation,
    cloud: ClusterProvider,
    seen: ReadonlySet<string>,
  ): Promise<void> {
    const here = [...known.values()].filter((orphan) => seen.has(orphan.id) && keyOf(orphan) === keyOf(place))
    const views = await agents.viewsOf(here)
    for (const orphan of here) {
      noticeTakenBack(orphan, views.get(orphan.id))
      orphan.next = orphanStep(orphan, views.get(orphan.id), deps.rules(), clock.now())
    }
    if (isStopping || !deps.isFileTrusted()) return
    // First, while the view of the master is fresh: many drains take long.
    const ends = here.filter(({ next }) => next.kind === 'terminate')
    if (ends.length > 0) await terminate(place, cloud, ends)
    for (const orphan of here) if (orphan.next.kind === 'drain' && !isStopping) await agents.drain(orphan)
  }

  /** Its agent restarted, or somebody enabled it: our drain is no longer in force and does not count. */
  function noticeTakenBack(orphan: FoundOrphan, view: OrphanView | undefined): void {
    const { drainedAt } = orphan
    if (drainedAt === undefined || !view || view.at <= drainedAt) return
    if (!view.agent?.connected || !view.agent.enabled || view.agent.draining) return
    delete orphan.drainedAt
    orphan.undrainedAt = clock.now()
  }

  async function terminate(
    place: ClusterLocation,
    cloud: ClusterProvider,
    ends: FoundOrphan[],
  ): Promise<void> {
    const ids = ends.map(({ id }) => id)
    logger.warn('terminating instances that belong to no configured pool', {
      ids: ids.join(','),
      provider: place.provider,
    })
    const result = await withDeadline(clock, callDeadlines.terminate, 'a termination', (signal) =>
      cloud.terminate(ids, signal),
    )
    for (const pool of new Set(ends.map((orphan) => orphan.pool))) {
      const gone = ends
        .filter(({ id, pool: of }) => of === pool && result.terminated.includes(id))
        .map(({ id }) => id)
      if (gone.length > 0) deps.onEvent({ at: clock.now(), pool, kind: 'terminated', ids: gone })
    }
    for (const { id, problem: why } of result.failures)
      logger.error(why.message, { instance: id, code: why.code, remedy: why.remedy })
    for (const id of result.terminated) orders.delete(id)
    await agents.forget(result.terminated)
  }

  /** Reports what is new at once, and everything every hour while there are orphans. */
  function report(now: number): void {
    const all = [...known.values()]
    const words = [...all.map(({ id, isOwn }) => `${id} ${isOwn}`), ...problems.map(({ message }) => message)]
    const isNews = words.some((word) => !reported.has(word))
    reported = new Set(words)
    if (!isNews && (words.length === 0 || now - reportedAt < hour)) return
    reportedAt = now
    for (const found of [...goneProblems(all, deps.rules()), ...problems])
      deps.onEvent({ at: now, pool: poolOf(found), kind: 'problem', problem: found })
  }

  /** The next search: soon while a step is in progress, at the end of the next grace period, and every hour. */
  function wait(): number {
    const { terminateAfter } = deps.rules()
    const waits = [problems.length > 0 ? retry : mayTidy ? tidying : hour]
    for (const { next, waited, isOwn } of known.values()) {
      if (next.kind !== 'keep') waits.push(soon)
      else if (isOwn && (next.why === 'busy' || next.why === 'unknown')) waits.push(watching)
      else if (next.why === 'grace' && isOwn) waits.push(Math.max(soon, (terminateAfter ?? hour) - waited))
    }
    return Math.min(...waits)
  }

  /** A change in a pool that has only orphans, such as an agent that reconnected or became idle. */
  function onChange(pool: string): void {
    if (clock.now() - (lookedAt ?? 0) < least) return
    const waits = [...known.values()].some(
      (orphan) =>
        orphan.pool === pool && orphan.isOwn && orphan.next.kind === 'keep' && orphan.next.why !== 'grace',
    )
    if (waits) wakeup.trigger()
  }

  return {
    start() {
      unsubscribe = deps.demand.onChange(onChange)
      loop = (async () => {
        while (!isStopping) {
          let longest = hour
          await look().catch((error: unknown) => {
            longest = retry
            logger.error('the search for orphans failed', { error })
          })
          if (!isStopping) await wakeup.wait(Math.min(wait(), longest))
        }
      })()
    },
    async stop() {
      isStopping = true
      unsubscribe()
      wakeup.trigger()
      const late = new AbortController()
      const time = clock.sleep(stopTime, late.signal).catch(() => {})
      await Promise.race([loop.then(() => agents.giveBack([...known.values()])), time])
      late.abort()
    },
    look: wakeup.trigger,
    status: () => ({
      orphans: [...known.values()],
      problems,
      ...(lookedAt === undefined ? {} : { at: lookedAt }),
    }),
    remove(ids, how) {
      const here = ids.filter((id) => known.has(id))
      for (const id of here) orders.set(id, how)
      if (here.length > 0) wakeup.trigger()
      return here
    },
    async keep(ids) {
      const kept = ids.filter((id) => orders.delete(id))
      const orphans = kept.flatMap((id) => known.get(id) ?? [])
      for (const orphan of orphans) delete orphan.ordered
      await agents.giveBack(orphans)
      return kept
    },
    mayReturn(pool, id) {
      const orphan = known.get(id)
      if (lookedAt === undefined) return 'later'
      return orphan !== undefined && orphan.pool === pool && orphan.isOwn ? 'yes' : 'no'
    },
  }
}

/** It runs, may run, or keeps a disk. */
function canBill(instance: Instance): boolean {
  return isLive(instance) || instance.state === 'stopped'
}

function poolOf({ details }: Problem): string {
  const pool = details?.['pool']
  return typeof pool === 'string' ? pool : ''
}
