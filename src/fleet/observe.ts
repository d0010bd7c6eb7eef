// Listing the cloud: how each answer changes the memory, and which instances have failed. Listings show new instances
// late, and sometimes leave one out.

import { type Instance, isLive, type Offering } from '../planner/index.ts'
import { orAborted, viewWithin, withDeadline } from '../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../problems/index.ts'
import { type Listing, listDeadline, type TimedListing } from '../providers/index.ts'
import { reportLost } from './failed-instances.ts'
import { noticeForeign } from './foreign.ts'
import { type ManagedInstance, type PoolMemory, settleTimes, unknownWriter } from './memory.ts'
import { checkAccount, findMissing, noticeMissing } from './missing.ts'
import type { OwnWriters } from './own-writers.ts'
import { storedTrack } from './records.ts'
import { callDeadlines, type PoolRun, problemOf, reportProblem } from './run.ts'

/** A listing that began at `notBefore` or later. One that several pools share has its own deadline. */
async function listingOf(run: PoolRun, notBefore: number): Promise<TimedListing> {
  const { deps, memory, now } = run
  if (deps.shared) {
    const listing = await orAborted(deps.shared.list(notBefore), run.halt.signal)
    // An attempt that failed before this start: what it shows may have been terminated since.
    if (listing.startedAt < run.bornAt) throw new ProvisionError(whyPartial(listing))
    return listing
  }
  const startedAt = now()
  const deadline = listDeadline(memory.listing?.took, memory.listTimeouts)
  const list = (signal: AbortSignal) => deps.provider.list(signal)
  const { view, took } = await viewWithin(deps.clock, deadline, 'a listing', list)
  memory.listTimeouts = 0
  return { ...view, startedAt, took }
}

function whyPartial({ problems: [first] }: Listing): Problem {
  return first ?? problem('LISTING_PARTIAL', 'a listing of the instances was not complete')
}

/** The next process must know them too: its own listings may leave some out when a person adopts the others. */
function rememberForeign(run: PoolRun, known: ReadonlySet<string>): void {
  const instances = [...run.memory.foreign.values()].flatMap(({ id, writer }) =>
    known.has(id) ? [] : [{ id, writer }],
  )
  if (instances.length === 0) return
  run.background(() => run.write({ at: run.now(), kind: 'foreign', instances }).catch(() => {}))
}

/** Throws nothing. Returns whether the listing was complete. */
export async function listInstances(run: PoolRun, notBefore = run.now()): Promise<boolean> {
  const { memory } = run
  try {
    const listing = await listingOf(run, notBefore)
    const { startedAt, took } = listing
    await letOthersRun(run)
    checkAccount(run, listing.account)
    if (run.memory.firstCompleteAt === undefined) await noticeFirstStart(run, listing)
    if (listing.at !== undefined) memory.cloudStartedAt ??= listing.at - (startedAt + took - run.bornAt)
    // The account is checked again: an empty listing does not show it.
    if (memory.otherAccount) await findMissing(run, () => {})
    if (memory.otherAccount) return true
    await observe(run, async (rules) => {
      const known = new Set(memory.foreign.keys())
      const lost = observeListing(memory, listing, startedAt, run.now(), rules)
      rememberForeign(run, known)
      if (!listing.complete) return lost
      const gone = await findMissing(run, (found, since) =>
        lost.push(...observeFound(memory, found, since, run.now(), rules)),
      )
      return [...lost, ...gone]
    })
    if (listing.complete) memory.problems.delete('list')
    else reportProblem(run, 'list', whyPartial(listing))
    return listing.complete
  } catch (error) {
    if (run.stopping) return false
    if (memory.listing) memory.listing = { ...memory.listing, complete: false }
    const found = problemOf(error, 'INTERNAL', 'the instances could not be listed')
    if (found.code === 'CALL_TIMED_OUT') memory.listTimeouts++
    reportProblem(run, 'list', found)
    return false
  }
}

/** Looks up instances by id that a listing will show later. Throws nothing: the next listing shows them anyway. */
export async function lookUp(run: PoolRun, ids: readonly string[]): Promise<void> {
  const { memory, deps } = run
  try {
    const found = await orAborted(deps.shared!.find(ids), run.halt.signal)
    checkAccount(run, found.account)
    if (memory.otherAccount) return
    await observe(run, async (rules) => observeFound(memory, found, found.startedAt, run.now(), rules))
    memory.problems.delete('lookup')
  } catch (error) {
    if (run.stopping) return
    reportProblem(run, 'lookup', problemOf(error, 'INTERNAL', 'instances could not be looked up by id'))
  }
}

/** Applies an answer of the cloud, and reports and writes down what it changed. `apply` returns the lost instances. */
async function observe(
  run: PoolRun,
  apply: (rules: ListingRules) => Promise<ManagedInstance[]>,
): Promise<void> {
  const { deps, memory, settings } = run
  const before = new Set(memory.tracks.keys())
  const starting = [...memory.tracks.values()].filter(({ state }) => state === 'starting')
  const live = [...memory.tracks.values()].filter(isLive)
  const lost = await apply({
    writer: deps.owner.writerId,
    ownWriters: deps.ownWriters,
    visibility: settings.visibility,
    maxWordAge: settings.policy.maxSnapshotAge,
    slotsOf: (instance) => slotsOf(instance, settings.offerings),
  })
  rememberFound(run, before)
  reportLost(run, lost)
  rememberEnded(
    run,
    live.filter((track) => !isLive(track) && memory.tracks.has(track.id)),
  )
  rememberGone(run, before)
  countStarted(run, starting)
}

/** Clouds list terminated instances for an hour; after a restart no agent may join with the id of one. */
export function rememberEnded(run: PoolRun, tracks: readonly ManagedInstance[]): void {
  const ids = tracks.map(({ id }) => id)
  if (ids.length > 0) run.background(() => run.write({ at: run.now(), kind: 'ended', ids }).catch(() => {}))
}

/** Before anything else is written about them: after a restart that would be about unknown instances. */
function rememberFound(run: PoolRun, before: ReadonlySet<string>): void {
  const now = run.now()
  const tracks = [...run.memory.tracks.values()].filter(({ id }) => !before.has(id))
  if (tracks.length === 0) return
  const stored = tracks.map((track) => storedTrack(track, now))
  run.background(() => run.write({ at: now, kind: 'found', tracks: stored }).catch(() => {}))
}

function rememberGone(run: PoolRun, before: ReadonlySet<string>): void {
  const ids = [...before].filter((id) => !run.memory.tracks.has(id))
  if (ids.length > 0) run.background(() => run.write({ at: run.now(), kind: 'gone', ids }).catch(() => {}))
}

/** The wait for listings is short if neither the state folder nor the cloud shows an earlier run. */
async function noticeFirstStart({ deps, memory }: PoolRun, listing: Listing): Promise<void> {
  const { provider, isFirstStart, clock } = deps
  if (!memory.journalMissing || !isFirstStart || !listing.complete || listing.instances.length > 0) return
  try {
    const traces = await withDeadline(
      clock,
      callDeadlines.traces,
      'a search for earlier launches',
      async (signal) => (provider.hasTraces ? provider.hasTraces(signal) : true),
    )
    if (!traces) memory.settleApart = settleTimes.firstStart
  } catch {
    // Without an answer there may have been earlier launches.
  }
}

/** `starting`: VMs that were starting before the listing. */
function countStarted({ deps, now }: PoolRun, starting: ManagedInstance[]): void {
  for (const { state, knownSince } of starting)
    if (state === 'running')
      deps.metrics.observe('join_seconds', (now() - knownSince) / 1000, { pool: deps.pool, stage: 'running' })
}

function slotsOf({ instanceType }: Instance, offerings: readonly Offering[]): number | undefined {
  return offerings.find((offering) => offering.instanceType === instanceType)?.slots
}

export interface ListingRules {
  /** Of this life. */
  writer: string
  /** Of all lives. */
  ownWriters: OwnWriters
  /** Milliseconds for which a VM may be missing although it exists. */
  visibility: number
  /** Milliseconds for which the master's report of a connected agent counts. */
  maxWordAge: number
  /** Slots of the offering it comes from, when they are known. */
  slotsOf: (instance: Instance) => number | undefined
}

/**
 * Applies a listing that began at `startedAt`, and took until now if it does not say how long; returns the VMs that
 * stopped, or are stopping, by themselves.
 */
export function observeListing(
  memory: PoolMemory,
  listing: Listing & { took?: number },
  startedAt: number,
  now: number,
  rules: ListingRules,
): ManagedInstance[] {
  const lost: ManagedInstance[] = []
  const shown = new Set<string>()
  const foreign = new Map<string, string>()
  for (const instance of listing.instances) {
    shown.add(instance.id)
    if (!isOurs(memory, instance, rules)) {
      if (isLive(instance)) foreign.set(instance.id, instance.writerId ?? unknownWriter)
      continue
    }
    // A VM that stopped before we first listed it is no evidence about new launches, unless its launch is still open. One of
    // those that was dropped is listed again sometimes.
    const launch = memory.intents.get(instance.intentId ?? '')
    const isNews = memory.tracks.has(instance.id) || launch?.seen.has(instance.id) === false
    const track = see(memory, instance, startedAt, now, rules)
    if (isLive(track) || track.ending) continue
    if (isNews) lost.push(track)
    else Object.assign(track, { judged: true, told: true })
  }
  noticeForeign(memory, shown, foreign, listing, startedAt)
  if (listing.complete) {
    lost.push(...noticeMissing(memory, shown, startedAt, now, rules))
    memory.firstCompleteAt ??= startedAt
  }
  const { took = now - startedAt } = listing
  if (listing.complete) memory.listing = { completeAt: startedAt, took, complete: true }
  else if (memory.listing) memory.listing = { ...memory.listing, complete: false }
  return lost
}

/** Applies answers about single ids: what they show exists; `findMissing` judges what they lack. */
function observeFound(
  memory: PoolMemory,
  { instances }: Listing,
  startedAt: number,
  now: number,
  rules: ListingRules,
): ManagedInstance[] {
  const lost: ManagedInstance[] = []
  for (const instance of instances) {
    if (!memory.tracks.has(instance.id) || !isOurs(memory, instance, rules)) continue
    const track = see(memory, instance, startedAt, now, rules)
    if (!isLive(track) && !track.ending) lost.push(track)
  }
  return lost
}

/** The provider lists by tags; we may change only what this writer launched or a person adopted. */
function isOurs(memory: PoolMemory, instance: Instance, { writer, ownWriters }: ListingRules): boolean {
  const { writerId = unknownWriter } = instance
  if (memory.adopted.has(writerId) || writerId === writer) return true
  if (ownWriters.shares?.(writerId)) return true
  return ownWriters.has(writerId) && !isOfClone(memory, instance)
}

/** Clouds report times in whole seconds. */
const clockStep = 1000

/**
 * Our earlier names launch nothing any more. An instance that carries one, was launched after our start and is in none of
 * our launches comes from a copy of our state folder, which still runs under that name. Both times are the cloud's.
 */
function isOfClone(memory: PoolMemory, { id, intentId = '', launchedAt }: Instance): boolean {
  const { cloudStartedAt, tracks, intents } = memory
  if (cloudStartedAt === undefined || launchedAt <= cloudStartedAt + clockStep) return false
  return !tracks.has(id) && !intents.has(intentId)
}

/** What is known of an instance only until it is seen again. */
const whileUnseen = ['missingSince', 'unknownSince', 'unshownSince', 'recalled', 'wasEnded'] as const

function see(
  memory: PoolMemory,
  instance: Instance,
  startedAt: number,
  now: number,
  { slotsOf }: ListingRules,
): ManagedInstance {
  const known = memory.tracks.get(instance.id)
  if (known?.shownAt !== undefined && known.shownAt > startedAt) return known
  const track: ManagedInstance = Object.assign(
    known ?? { ...instance, knownSince: now, slots: slotsOf(instance), listed: true },
    instance,
    { listed: true, shownAt: startedAt },
  )
  if (track.wasEnded) delete track.ending
  if (track.addresses && !instance.addresses) delete track.addresses
  // To delete a key that is not there takes as long as all the rest, and there may be 10,000 instances.
  for (const key of whileUnseen) if (track[key] !== undefined) delete track[key]
  memory.tracks.set(instance.id, track)
  const intent = memory.intents.get(instance.intentId ?? '')
  intent?.seen.add(instance.id)
  track.sha256 ??= intent?.sha256
  if (intent?.generation !== undefined) track.generation ??= intent.generation
  return track
}

/** Instances from which on the steps of a turn take about 20 ms each, too long to be taken in one go. */
const large = 1000
/** Lets other work run between two steps of a large pool: agents' pings and answers to people do not wait for both. */
export async function letOthersRun({ deps, memory }: PoolRun): Promise<void> {
  if (memory.tracks.size > large) await deps.clock.sleep(0)
}
