// Reading the master and listing the cloud: what each answer changes in the memory, and which VMs turn out to have failed.

import { failureStages, isFailureStage, type Stage } from '../agent-setup/index.ts'
import {
  type AgentState,
  type Demand,
  hasNeverJoined,
  type Instance,
  isLive,
  isShortOfSlots,
  type KnownAgent,
  type Offering,
} from '../planner/index.ts'
import { limit, withDeadline } from '../platform/index.ts'
import { problem } from '../problems/index.ts'
import type { Listing } from '../providers/index.ts'
import { recordUsable, recordUseless } from './failures.ts'
import {
  callDeadlines,
  type PoolMemory,
  type PoolRun,
  problemOf,
  type Track,
  tell,
  unknownWriter,
} from './run.ts'

// The master: who joined, who was lost, and since when things are as they are, by our clock.

/** Throws nothing: what goes wrong is kept as the pool's problem. Tells whether there was an answer. */
export async function readDemand(run: PoolRun): Promise<boolean> {
  const { deps, memory } = run
  try {
    const demand = await withDeadline(deps.clock, callDeadlines.master, 'the master', (signal) =>
      deps.demand.read(deps.pool, signal),
    )
    const joined = observeDemand(memory, demand, run.now())
    memory.problems.delete('master')
    if (joined.length > 0) run.emit({ kind: 'joined', ids: joined.map(({ id }) => id) })
    for (const track of joined) welcome(run, track)
    return true
  } catch (error) {
    tell(run, 'master', problemOf(error, 'INTERNAL', 'the master could not be asked'))
    return false
  }
}

/** An agent that joined proves what it was launched with, and closes the breaker if it is what it promised to be. */
function welcome({ memory, deps }: PoolRun, track: Track): void {
  const { slots = 0 } = memory.agents.get(track.id) ?? {}
  const seconds = (track.joinedAt! - track.knownSince) / 1000
  deps.metrics.observe('join_seconds', seconds, { pool: deps.pool, stage: 'joined' })
  if (track.sha256) memory.proven.add(track.sha256)
  if (slots >= (track.slots ?? 0)) recordUsable(memory.breaker)
}

/** How long the agent of a VM that is gone may still be shown by the master. */
const ghostTime = 5 * 60_000

/** Takes over a newer answer; returns the VMs whose agents joined for the first time. */
export function observeDemand(memory: PoolMemory, demand: Demand, now: number): Track[] {
  if (memory.demandAt !== undefined && demand.at < memory.demandAt) return []
  memory.demandAt = Math.min(demand.at, now)
  for (const [id, at] of memory.ended) if (at + ghostTime < now) memory.ended.delete(id)
  const agents = new Map<string, KnownAgent>()
  for (const agent of demand.agents) {
    const isGhost = memory.ended.has(agent.id) && !memory.tracks.has(agent.id)
    if (!isGhost) agents.set(agent.id, withClocks(agent, memory.agents.get(agent.id), now))
  }
  memory.agents = agents
  rememberPending(memory, demand, now)
  return rememberJoins(memory, now)
}

/**
 * `idleSince` is never before what we have seen ourselves, and never in the future: the source's clock may be off. What has
 * not changed stays the same object: of ten thousand agents few change between two looks.
 */
function withClocks(agent: AgentState, before: KnownAgent | undefined, now: number): KnownAgent {
  const isUnchanged = before !== undefined && isSame(before, agent)
  const idleSince = agent.busy
    ? undefined
    : Math.max(before?.idleSince ?? now, Math.min(agent.idleSince ?? 0, now))
  if (isUnchanged && before.idleSince === idleSince && before.freeAux === agent.freeAux) return before
  const known: KnownAgent = { ...agent, settledSince: isUnchanged ? before.settledSince : now }
  if (idleSince === undefined) delete known.idleSince
  else known.idleSince = idleSince
  return known
}

function isSame(a: AgentState, b: AgentState): boolean {
  return (
    a.connected === b.connected &&
    a.enabled === b.enabled &&
    a.draining === b.draining &&
    a.busy === b.busy &&
    a.freeSlots === b.freeSlots &&
    a.slots === b.slots
  )
}

function rememberPending(memory: PoolMemory, demand: Demand, now: number): void {
  const firstSeen = new Map<string, number>()
  memory.pending = demand.pending.map((work) => {
    const since = memory.firstSeen.get(work.id) ?? now
    firstSeen.set(work.id, since)
    return { ...work, since }
  })
  memory.firstSeen = firstSeen
  for (const id of memory.unplaced.keys()) if (!firstSeen.has(id)) memory.unplaced.delete(id)
}

function rememberJoins(memory: PoolMemory, now: number): Track[] {
  const joined: Track[] = []
  for (const track of memory.tracks.values()) {
    const agent = memory.agents.get(track.id)
    if (agent) delete track.recalled
    if (agent && track.joinedAt === undefined) {
      track.joinedAt = now
      joined.push(track)
    }
    if (track.joinedAt === undefined) continue
    if (agent?.connected) delete track.lostSince
    else track.lostSince ??= now
    if (agent && isTakenBack(track, agent, memory.demandAt!)) delete track.drainedAt
  }
  return joined
}

/** Somebody enabled an agent that we had drained. */
function isTakenBack({ drainedAt }: Track, agent: AgentState, demandAt: number): boolean {
  return (
    drainedAt !== undefined && demandAt > drainedAt && agent.connected && agent.enabled && !agent.draining
  )
}

// The cloud. Listings show new VMs late, and now and then leave one out.

/** Throws nothing. Tells whether the listing was complete. */
export async function listVms(run: PoolRun): Promise<boolean> {
  const { deps, memory, settings } = run
  const startedAt = run.now()
  try {
    const listing = await withDeadline(deps.clock, callDeadlines.list, 'a listing', (signal) =>
      deps.provider.list(signal),
    )
    const starting = [...memory.tracks.values()].filter(({ state }) => state === 'starting')
    const lost = observeListing(memory, listing, startedAt, run.now(), {
      ownWriters: deps.ownWriters,
      visibility: settings.visibility,
      maxWordAge: settings.policy.maxSnapshotAge,
      slotsOf: (instance) => slotsOf(instance, settings.offerings),
    })
    lament(run, lost)
    countStarted(run, starting)
    if (listing.complete) memory.problems.delete('list')
    else
      tell(
        run,
        'list',
        listing.problems[0] ?? problem('LISTING_PARTIAL', 'a listing of the VMs was not complete'),
      )
    return listing.complete
  } catch (error) {
    if (memory.listing) memory.listing = { ...memory.listing, complete: false }
    tell(run, 'list', problemOf(error, 'INTERNAL', 'the VMs could not be listed'))
    return false
  }
}

/** `starting`: VMs that were starting before the listing. */
function countStarted({ deps, now }: PoolRun, starting: Track[]): void {
  for (const { state, knownSince } of starting)
    if (state === 'running')
      deps.metrics.observe('join_seconds', (now() - knownSince) / 1000, { pool: deps.pool, stage: 'running' })
}

function slotsOf({ instanceType }: Instance, offerings: readonly Offering[]): number | undefined {
  return offerings.find((offering) => offering.instanceType === instanceType)?.slots
}

/** VMs that ended without our doing. Those that had not joined count as failures, unless the cloud took them back. */
function lament(run: PoolRun, lost: Track[]): void {
  const useless = lost.filter((track) => track.joinedAt === undefined && track.interruptedAt === undefined)
  const fresh = useless.filter((track) => !track.told)
  if (fresh.length > 0) run.background(() => sayNeverJoined(run, fresh))
}

export interface ListingRules {
  ownWriters: ReadonlySet<string>
  /** Milliseconds for which a VM may be missing although it exists. */
  visibility: number
  /** Milliseconds for which the master's word counts that an agent is connected. */
  maxWordAge: number
  /** Slots of the offering it comes from, when they are known. */
  slotsOf: (instance: Instance) => number | undefined
}

/** Looks at a listing that was begun at `startedAt`; returns the VMs that are gone, or going, without our doing. */
export function observeListing(
  memory: PoolMemory,
  listing: Listing,
  startedAt: number,
  now: number,
  rules: ListingRules,
): Track[] {
  const lost: Track[] = []
  const shown = new Set<string>()
  const foreign = new Map<string, string>()
  for (const instance of listing.instances) {
    shown.add(instance.id)
    if (!isOurs(memory, instance, rules.ownWriters)) {
      if (isLive(instance)) foreign.set(instance.id, instance.writerId ?? unknownWriter)
      continue
    }
    const track = see(memory, instance, now, rules)
    if (!isLive(track) && !track.ending) lost.push(track)
  }
  if (listing.complete) {
    memory.foreign = foreign
    lost.push(...forgetMissing(memory, shown, startedAt, now, rules))
    memory.firstCompleteAt ??= startedAt
  } else for (const [id, writer] of foreign) memory.foreign.set(id, writer)
  const completeAt = listing.complete ? startedAt : memory.listing?.completeAt
  memory.listing = completeAt === undefined ? undefined : { completeAt, complete: listing.complete }
  return lost
}

/** Ours by tags is what the provider lists; ours to touch is what this writer launched, or a person gave us. */
function isOurs(
  memory: PoolMemory,
  { writerId = unknownWriter }: Instance,
  own: ReadonlySet<string>,
): boolean {
  return own.has(writerId) || memory.adopted.has(writerId)
}

function see(memory: PoolMemory, instance: Instance, now: number, { slotsOf }: ListingRules): Track {
  const known = memory.tracks.get(instance.id)
  const track: Track = Object.assign(
    known ?? { ...instance, knownSince: now, slots: slotsOf(instance), listed: true },
    instance,
    { listed: true },
  )
  delete track.missingSince
  delete track.recalled
  memory.tracks.set(instance.id, track)
  const intent = memory.intents.get(instance.intentId ?? '')
  intent?.seen.add(instance.id)
  track.sha256 ??= intent?.sha256
  return track
}

/** Drops what two complete listings in a row do not show; one that was never shown has its time to appear first. */
function forgetMissing(
  memory: PoolMemory,
  shown: ReadonlySet<string>,
  startedAt: number,
  now: number,
  { visibility, maxWordAge }: ListingRules,
): Track[] {
  const gone: Track[] = []
  const isTold = (memory.demandAt ?? 0) >= startedAt - maxWordAge
  for (const track of memory.tracks.values()) {
    if (shown.has(track.id) || track.knownSince >= startedAt) continue
    // The master sees its agent: whatever the listing says, the VM is there.
    if (isTold && memory.agents.get(track.id)?.connected && !track.ending) continue
    const isMissing = isMissingAgain(track, startedAt) || visibility === 0
    if (!isMissing || (!track.listed && startedAt - track.knownSince < visibility)) continue
    memory.tracks.delete(track.id)
    memory.ended.set(track.id, now)
    if (!track.ending && !track.recalled && isLive(track)) gone.push(track)
  }
  return gone
}

/** True from the second listing in a row that does not show what earlier ones did. */
function isMissingAgain(track: Track, startedAt: number): boolean {
  track.missingSince ??= startedAt
  return startedAt > track.missingSince
}

// VMs that never became usable: why, in the words of their own console, and what the breaker makes of it.

/** Consoles read for one round: enough to know why, when a hundred VMs fail alike. */
const most = 8

/** Reports the VMs, with the stage their script reached where the console can be read. Throws nothing. */
export async function sayNeverJoined(run: PoolRun, tracks: Track[]): Promise<void> {
  const inTurn = limit(4)
  const fresh = tracks.filter((track) => !track.told)
  for (const track of fresh) {
    blame(run, track)
    track.told = true
  }
  await Promise.all(
    fresh.slice(0, most).map((track) =>
      inTurn(async () => {
        const stage = await stageOf(run, track)
        const { id, instanceType, zone } = track
        const message = `VM ${id} (${instanceType}, ${zone || 'any zone'}) did not join: ${why(track, stage)}`
        run.emit({ kind: 'problem', problem: problem('NEVER_JOINED', message, { details: { id, stage } }) })
      }),
    ),
  )
}

/**
 * Counts VMs that never became usable, before anything is bought in their place. The plan asks the same rules to remove a
 * VM, and passes over one that is removed for another reason, or whose agent has lost its connection; the breaker counts
 * those too: whatever ends them, they were of no use.
 */
export function judgeVms(run: PoolRun): void {
  const { memory, settings } = run
  const { demandAt } = memory
  if (demandAt === undefined) return
  for (const track of memory.tracks.values()) {
    if (track.judged || track.ending || !isLive(track)) continue
    const isLate = hasNeverJoined(track, settings.policy, demandAt)
    if (isLate || isShortOfSlots(track, memory.agents.get(track.id), settings.policy, demandAt))
      blame(run, track)
  }
}

/** Counts a VM that never became usable, once. */
function blame(run: PoolRun, track: Track): void {
  if (track.judged) return
  track.judged = true
  const { memory, deps } = run
  deps.metrics.count('useless_vms', { pool: deps.pool })
  if (!recordUseless(memory.breaker, track.knownSince, run.now(), deps.random)) return
  const { failures, until } = memory.breaker
  const message = `${failures} VMs in a row never became usable agents: the next one is launched as a probe`
  run.emit({ kind: 'problem', problem: problem('BREAKER_OPEN', message, { details: { failures, until } }) })
}

async function stageOf({ deps }: PoolRun, { id }: Track): Promise<Stage | undefined> {
  try {
    return await withDeadline(deps.clock, callDeadlines.console, 'the console', (signal) =>
      deps.provider.consoleStage(id, signal),
    )
  } catch {
    return undefined
  }
}

function why({ state, stateReason }: Track, stage: Stage | undefined): string {
  const cloud = stateReason ? ` (the cloud: ${stateReason})` : ''
  if (stage === undefined) return `it is ${state}, and its console says nothing${cloud}`
  if (isFailureStage(stage)) return `${stage}, ${failureStages[stage].meaning}${cloud}`
  return `the last stage of its script was ${stage}${cloud}`
}
