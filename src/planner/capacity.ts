// The census as room for work: agents at hand, agents we drained, VMs on their way.

import { type Kind, type Tier, tiers } from './bins.ts'
import { type Census, isOpen, type Member } from './inventory.ts'
import type { Policy } from './policy.ts'
import type { KnownAgent, Snapshot } from './snapshot.ts'

export function capacityOf(census: Census, snapshot: Snapshot, policy: Policy, now: number): Kind[] {
  const kinds = new Map<number, Kind>()
  const firstSlots = snapshot.offerings[0]?.slots ?? 0
  const settledAt = now - policy.placementGrace

  function add(tier: Tier, settled: boolean, size: number, free: number, count: number, aux: number): Kind {
    // Slots of one agent are far below 4096; the key only has to tell kinds apart quickly.
    const key = ((tiers[tier] * 2 + (settled ? 1 : 0)) * 4096 + size) * 4096 + free
    let kind = kinds.get(key)
    if (!kind) {
      kind = { tier, settled, size, free, members: [], count: 0, used: 0, filled: 0, aux: 0, filledAux: 0 }
      kinds.set(key, kind)
    }
    kind.count += count
    kind.aux += aux
    return kind
  }

  for (const member of census.members) {
    const { phase, agent, instance } = member
    if (phase === 'coming') {
      const slots = instance.slots ?? firstSlots
      add('coming', false, slots, slots, 1, policy.maxAuxPerAgent)
    } else if (phase === 'ready' && agent) {
      const drained = instance.drainedAt !== undefined
      const settled = agent.settledSince <= settledAt
      const aux = auxRoom(agent, policy)
      const kind = add(drained ? 'drained' : 'ready', settled, agent.slots, agent.freeSlots, 1, aux)
      if (!agent.busy) kind.members.push(member)
    }
  }
  for (const agent of census.guests) {
    const settled = agent.settledSince <= settledAt
    add('ready', settled, agent.slots, agent.freeSlots, 1, auxRoom(agent, policy))
  }
  for (const { offerings, missing } of snapshot.inFlight) {
    const slots = offerings[0]?.slots ?? firstSlots
    if (missing > 0) add('coming', false, slots, slots, missing, missing * policy.maxAuxPerAgent)
  }
  return [...kinds.values()]
}

function auxRoom(agent: KnownAgent, { maxAuxPerAgent }: Policy): number {
  return agent.freeAux ?? maxAuxPerAgent
}

/** Members in the order in which they are kept: what became idle last is kept first, so that the oldest idle go. */
export function keepOrder(a: Member, b: Member): number {
  const [left, right] = [a.agent?.idleSince, b.agent?.idleSince]
  return (right ?? -1) - (left ?? -1) || (a.instance.id < b.instance.id ? -1 : 1)
}

/** Idle members of the kind that work was put on, in `keepOrder`: as many as if the busy ones got none of it. */
export function usedMembers({ members, used }: Kind): Member[] {
  if (used === 0) return []
  return used < members.length ? members.sort(keepOrder).slice(0, used) : members
}

/** Ids of agents of such kinds that are idle and settled, and that no other work is meant for. */
export function idleLeft(kinds: readonly Kind[], suits: (kind: Kind) => boolean): string[] {
  return kinds
    .filter((kind) => kind.tier === 'ready' && kind.settled && suits(kind))
    .flatMap(({ members, used }) => (used > 0 ? members.sort(keepOrder).slice(used) : members))
    .filter(({ agent }) => agent?.connected && isOpen(agent))
    .map(({ instance }) => instance.id)
}
