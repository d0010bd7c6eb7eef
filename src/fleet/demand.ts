// Reading the master: which agents joined or were lost, and since when, by our clock.

import type { AgentState, Demand, KnownAgent } from '../planner/index.ts'
import { viewWithin } from '../platform/index.ts'
import { recordUsable } from './failures.ts'
import type { ManagedInstance, PoolMemory } from './memory.ts'
import type { PoolRecord } from './records.ts'
import { callDeadlines, type PoolRun, problemOf, reportProblem } from './run.ts'

/** Throws nothing: an error is kept as the pool's problem. Returns whether there was an answer. */
export async function readDemand(run: PoolRun): Promise<boolean> {
  const { deps, memory } = run
  try {
    const read = (signal: AbortSignal) => deps.demand.read(deps.pool, signal)
    const { view: demand, took } = await viewWithin(deps.clock, callDeadlines.demand, 'the master', read)
    const joined = observeDemand(memory, demand, run.now())
    if (memory.demandAt === demand.at) memory.demandTook = took
    memory.problems.delete('master')
    if (joined.length > 0) run.emit({ kind: 'joined', ids: joined.map(({ id }) => id) })
    for (const track of joined) welcome(run, track)
    rememberJoined(run, joined)
    return true
  } catch (error) {
    reportProblem(run, 'master', problemOf(error, 'INTERNAL', 'the master could not be read'))
    return false
  }
}

/** An agent that joined proves its user data, and closes the breaker if it has the promised slots. */
function welcome({ memory, deps }: PoolRun, track: ManagedInstance): void {
  const { slots } = memory.agents.get(track.id)!
  const seconds = (track.joinedAt! - track.knownSince) / 1000
  deps.metrics.observe('join_seconds', seconds, { pool: deps.pool, stage: 'joined' })
  if (track.sha256) memory.proven.add(track.sha256)
  if (slots >= (track.slots ?? 0)) recordUsable(memory.breaker)
}

/** Written at once: this process may die, and the instance may be the one that closed the breaker. */
function rememberJoined(run: PoolRun, joined: readonly ManagedInstance[]): void {
  if (joined.length === 0) return
  const { breaker, proven } = run.memory
  const ids = joined.map(({ id }) => id)
  const record: PoolRecord = {
    at: run.now(),
    kind: 'joined',
    ids,
    breaker: { ...breaker },
    proven: [...proven],
  }
  run.background(() => run.write(record).catch(() => {}))
}

/** How long the master may still show the agent of a VM that is gone. */
const ghostTime = 5 * 60_000

/** Applies a newer answer; returns the VMs whose agents joined for the first time. */
export function observeDemand(memory: PoolMemory, demand: Demand, now: number): ManagedInstance[] {
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
 * `idleSince` is never before our own observation, and never in the future: the source's clock may be wrong. Unchanged
 * agents stay the same object: of ten thousand agents few change between two polls.
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
    a.disabledByPerson === b.disabledByPerson &&
    a.getsNoWork === b.getsNoWork &&
    a.busy === b.busy &&
    a.freeSlots === b.freeSlots &&
    a.slots === b.slots
  )
}

/** Few of many jobs change between two views, so their records stay, and only those that are gone are looked for. */
function rememberPending(memory: PoolMemory, demand: Demand, now: number): void {
  const { firstSeen } = memory
  const view = ++memory.views
  let ids = 0
  memory.pending = demand.pending.map((work) => {
    const seen = firstSeen.get(work.id)
    if (seen?.view !== view) ids++
    if (!seen) firstSeen.set(work.id, { since: now, view })
    else seen.view = view
    return { ...work, since: seen?.since ?? now }
  })
  if (firstSeen.size > ids) for (const [id, seen] of firstSeen) if (seen.view !== view) firstSeen.delete(id)
  for (const id of memory.unplaced.keys()) if (!firstSeen.has(id)) memory.unplaced.delete(id)
}

function rememberJoins(memory: PoolMemory, now: number): ManagedInstance[] {
  const joined: ManagedInstance[] = []
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
    if (agent) noticeDrain(track, agent, memory.demandAt!)
    if (agent && isTakenBack(track, agent, memory.demandAt!)) {
      delete track.drainedAt
      delete track.undrainDoubt
      track.undrainedAt = now
    }
  }
  return joined
}

/**
 * Milliseconds in which the master may still carry out a drain without an answer: who sent it may have been suspended between
 * its last check and the call.
 */
const drainEffectTime = 600_000

/**
 * A drain took effect although it had no answer. It counts from this view on: a termination needs a newer one. The doubt
 * stays, because several may be under way.
 */
function noticeDrain(track: ManagedInstance, agent: AgentState, demandAt: number): void {
  const { drainDoubtAt } = track
  if (drainDoubtAt === undefined || demandAt <= drainDoubtAt) return
  if (demandAt > drainDoubtAt + drainEffectTime) delete track.drainDoubtAt
  else if (agent.draining) track.drainedAt ??= demandAt
}

/** A person enabled an agent that we had drained. */
function isTakenBack({ drainedAt }: ManagedInstance, agent: AgentState, demandAt: number): boolean {
  return (
    drainedAt !== undefined && demandAt > drainedAt && agent.connected && agent.enabled && !agent.draining
  )
}
