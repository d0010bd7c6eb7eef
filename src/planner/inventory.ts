// The phase of each VM: capacity now, capacity soon, out of reach, faulty, leaving or gone.
import type { ReasonCode } from './decision.ts'
import { type OutdatedCode, outdatedBy } from './outdated.ts'
import { endsSoon, hasNeverJoined, isLive, isShortOfSlots } from './rules.ts'
import type { KnownAgent, KnownInstance, Policy, Snapshot } from './snapshot.ts'

/**
 * - `coming`: its agent has not joined yet, but still may
 * - `ready`: its agent can take jobs (also while it may still reconnect)
 * - `away`: it lost its connection, or somebody else drained it
 * - `faulty`: to be removed, see `fault`
 * - `leaving`: the cloud was asked to terminate it; it may still bill
 * - `gone`: it no longer exists, or is stopping by itself
 */
type Phase = 'coming' | 'ready' | 'away' | 'faulty' | 'leaving' | 'gone'

export interface Member {
  instance: KnownInstance
  agent: KnownAgent | undefined
  phase: Phase
  fault?: ReasonCode
  /** It should be replaced, and may stay until it is. */
  outdated?: OutdatedCode
}

export interface Inventory {
  /** All but those that are gone. */
  members: Member[]
  /** Agents of the pool on unmanaged machines that the master schedules jobs on. */
  foreignAgents: KnownAgent[]
  /** VMs that can run and bill: what max_instances counts, with the launches in flight. */
  live: number
  /** VMs that are neither faulty nor leaving: what min_instances counts. */
  lasting: number
  /**
   * Other such VMs that the newest listing does not show: none is terminated because of them, and none bought to
   * replace them.
   */
  doubtful: number
  coming: number
  inFlight: number
}

export function takeInventory(snapshot: Snapshot, policy: Policy, now: number): Inventory {
  const { paired, unpaired } = pair(snapshot)
  const inventory: Inventory = {
    members: [],
    foreignAgents: [],
    live: 0,
    lasting: 0,
    doubtful: 0,
    coming: 0,
    inFlight: 0,
  }
  for (const member of paired) {
    // A VM is not judged by what the master has not reported since.
    judge(member, policy, Math.min(now, snapshot.demandAt ?? now))
    if (member.phase === 'gone') continue
    const outdated = outdatedBy(member.instance, policy, now)
    if (outdated) member.outdated = outdated
    inventory.members.push(member)
    if (isLive(member.instance)) inventory.live++
    if (member.phase === 'coming') inventory.coming++
    if (member.phase === 'faulty' || member.phase === 'leaving') continue
    if (isShown(member.instance)) inventory.lasting++
    else if (member.phase !== 'away' || member.agent?.connected) inventory.doubtful++
  }
  for (const agent of unpaired)
    if (agent.connected && isOpen(agent) && !agent.getsNoWork) inventory.foreignAgents.push(agent)
  for (const launch of snapshot.inFlight) inventory.inFlight += launch.missing
  return inventory
}

/** Instances with their agents. Lists in the same order are paired in one pass; only the rest is looked up. */
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
  else if (instance.state === 'stopped') markFailed(member, 'STOPPED')
  else if (instance.ordered) markFailed(member, 'ORDERED')
  else if (instance.interruptedAt !== undefined) markFailed(member, 'SPOT_INTERRUPTED')
  else if (endsSoon(instance, now)) markFailed(member, 'TIME_LIMIT')
  else if (agent?.connected) judgeConnected(member, agent, policy, now)
  else judgeUnconnected(member, policy, now)
  // Where there is another reason, that one stays.
  if (instance.condemned && !instance.ending && !member.fault) markFailed(member, 'CONDEMNED')
}

function judgeConnected(member: Member, agent: KnownAgent, policy: Policy, now: number): void {
  const { drainedAt } = member.instance
  // Determined shows an agent whose connection broke as disabled and draining until the wait is over.
  const may = isOpen(agent) || drainedAt !== undefined || agent.settledSince + policy.reconnectWait > now
  member.phase = may && !isDisabledByPerson(agent) && !agent.getsNoWork ? 'ready' : 'away'
  if (isShortOfSlots(member.instance, agent, policy, now)) markFailed(member, 'SHORT_OF_SLOTS')
}

function judgeUnconnected(member: Member, policy: Policy, now: number): void {
  const { joinedAt, lostSince = now } = member.instance
  if (hasNeverJoined(member.instance, policy, now)) markFailed(member, 'NEVER_JOINED')
  else if (joinedAt === undefined) member.phase = 'coming'
  else if (lostSince + policy.reconnectWait > now) member.phase = member.agent ? 'ready' : 'coming'
  else if (lostSince + Math.max(policy.maxDisconnected, policy.reconnectWait) > now) member.phase = 'away'
  else markFailed(member, 'LONG_DISCONNECTED')
}

export function markFailed(member: Member, fault: ReasonCode): void {
  member.phase = 'faulty'
  member.fault = fault
}

/** Listings show it, as far as they are complete: only such instances make others superfluous. */
export function isShown({ missingSince, unshownSince }: Member['instance']): boolean {
  return missingSince === undefined && unshownSince === undefined
}

export function isOpen(agent: KnownAgent): boolean {
  return agent.enabled && !agent.draining
}

/** No capacity until that person enables it again. Our own drains and lost connections look different. */
export function isDisabledByPerson(agent: KnownAgent): boolean {
  return agent.disabledByPerson === true || (!agent.enabled && !agent.draining)
}
