// What each VM is good for: capacity now, capacity soon, out of reach, faulty, or as good as gone.

import type { ReasonCode } from './decision.ts'
import { hasNeverJoined, isLive, isShortOfSlots } from './rules.ts'
import type { KnownAgent, KnownInstance, Policy, Snapshot } from './snapshot.ts'

/**
 * - `coming`: its agent has not joined yet, and may still
 * - `ready`: its agent can take work (also while it may still reconnect)
 * - `away`: lost its connection, or somebody else drained it
 * - `faulty`: to be removed, see `fault`
 * - `leaving`: the cloud was told to end it; it may still bill
 * - `gone`: no longer there, or on its way out by itself
 */
type Phase = 'coming' | 'ready' | 'away' | 'faulty' | 'leaving' | 'gone'

export interface Member {
  instance: KnownInstance
  agent: KnownAgent | undefined
  phase: Phase
  fault?: ReasonCode
}

export interface Census {
  /** All but those that are gone. */
  members: Member[]
  /** Agents of the pool on machines that are not ours. */
  guests: KnownAgent[]
  /** VMs that can run and bill: what max_instances counts, with the launches in flight. */
  live: number
  /** VMs that are neither faulty nor leaving: what min_instances counts. */
  lasting: number
  /** Others like them that the newest listing does not show: none is ended for them, and none bought in their place. */
  doubtful: number
  coming: number
  inFlight: number
}

export function takeCensus(snapshot: Snapshot, policy: Policy, now: number): Census {
  const { paired, unpaired } = pair(snapshot)
  const census: Census = { members: [], guests: [], live: 0, lasting: 0, doubtful: 0, coming: 0, inFlight: 0 }
  for (const member of paired) {
    // What the master has not told since is not held against a VM.
    judge(member, policy, Math.min(now, snapshot.demandAt ?? now))
    if (member.phase === 'gone') continue
    census.members.push(member)
    if (isLive(member.instance)) census.live++
    if (member.phase === 'coming') census.coming++
    if (member.phase === 'faulty' || member.phase === 'leaving') continue
    if (member.instance.missingSince === undefined) census.lasting++
    else if (member.phase !== 'away') census.doubtful++
  }
  for (const agent of unpaired) if (agent.connected && isOpen(agent)) census.guests.push(agent)
  for (const launch of snapshot.inFlight) census.inFlight += launch.missing
  return census
}

/** Instances with their agents. Lists in the same order are paired as they go by; only the rest is looked up. */
function pair({ instances, agents }: Snapshot): { paired: Member[]; unpaired: Iterable<KnownAgent> } {
  let next = 0
  const paired = instances.map((instance): Member => {
    const agent = agents[next]?.id === instance.id ? agents[next++] : undefined
    return { instance, agent, phase: 'gone' }
  })
  const rest = new Map<string, KnownAgent>()
  for (; next < agents.length; next++) rest.set(agents[next]!.id, agents[next]!)
  if (rest.size > 0)
    for (const member of paired) {
      const { id } = member.instance
      member.agent ??= rest.get(id)
      rest.delete(id)
    }
  return { paired, unpaired: rest.values() }
}

function judge(member: Member, policy: Policy, now: number): void {
  const { instance, agent } = member
  if (instance.state === 'terminated' || instance.state === 'stopping') return
  if (instance.ending) member.phase = 'leaving'
  else if (instance.state === 'stopped') blame(member, 'STOPPED')
  else if (instance.ordered) blame(member, 'ORDERED')
  else if (instance.interruptedAt !== undefined) blame(member, 'SPOT_INTERRUPTED')
  else if (agent?.connected) judgeConnected(member, agent, policy, now)
  else judgeUnconnected(member, policy, now)
}

function judgeConnected(member: Member, agent: KnownAgent, policy: Policy, now: number): void {
  const { drainedAt } = member.instance
  // Determined shows an agent whose connection broke as disabled and draining until the wait is over.
  const may = isOpen(agent) || drainedAt !== undefined || agent.settledSince + policy.reconnectWait > now
  member.phase = may ? 'ready' : 'away'
  if (isShortOfSlots(member.instance, agent, policy, now)) blame(member, 'SHORT_OF_SLOTS')
}

function judgeUnconnected(member: Member, policy: Policy, now: number): void {
  const { joinedAt, lostSince = now } = member.instance
  if (hasNeverJoined(member.instance, policy, now)) blame(member, 'NEVER_JOINED')
  else if (joinedAt === undefined) member.phase = 'coming'
  else if (lostSince + policy.reconnectWait > now) member.phase = member.agent ? 'ready' : 'coming'
  else if (lostSince + Math.max(policy.maxDisconnected, policy.reconnectWait) > now) member.phase = 'away'
  else blame(member, 'LONG_DISCONNECTED')
}

function blame(member: Member, fault: ReasonCode): void {
  member.phase = 'faulty'
  member.fault = fault
}

export function isOpen(agent: KnownAgent): boolean {
  return agent.enabled && !agent.draining
}
