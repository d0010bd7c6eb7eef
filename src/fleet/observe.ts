// What the master's answer teaches: who joined, who was lost, and since when things are as they are, by our clock.
import type { AgentState, Demand } from '../planner/demand.ts'
import type { KnownAgent } from '../planner/snapshot.ts'
import type { PoolMemory, Track } from './memory.ts'

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
