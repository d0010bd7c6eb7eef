// Whether the demand a provisioner has read is met by what is there: a second opinion, simpler than the planner's.
import type { Demand } from '../planner/demand.ts'
import { isOf, type Seen } from './seen.ts'
import type { World } from './world.ts'

/** Work that waits for longer than this may have been refused by the agents that are free. */
const freshFor = 25_000
const marginBeforeTimeout = 60_000

interface Room {
  slots: number
  aux: number
}

/** True only if it is certain: all of the work is fresh and has a place, each piece on one agent or VM to come. */
export function isMet(world: World, seen: Seen, demand: Demand): boolean {
  const now = world.clock.now()
  if (demand.pending.some(({ since }) => now - since > freshFor)) return false
  const rooms = roomsOf(world, seen, demand)
  const work = demand.pending.filter(({ slots }) => slots > 0).sort((a, b) => b.slots - a.slots)
  for (const { slots } of work) {
    const room = rooms.filter((each) => each.slots >= slots).sort((a, b) => a.slots - b.slots)[0]
    if (!room) return false
    room.slots -= slots
  }
  return demand.pending.length - work.length <= rooms.reduce((sum, { aux }) => sum + aux, 0)
}

/** Sound agents by the master's word, and VMs that still have time to join. */
function roomsOf({ cloud, clock, policy, invariants }: World, seen: Seen, demand: Demand): Room[] {
  const now = clock.now()
  const rooms: Room[] = []
  const agents = new Map(demand.agents.map((agent) => [agent.id, agent]))
  for (const vm of cloud.vms.values()) {
    const { instance, endedAt, createdAt, slots } = vm
    const isDoomed = instance.interruptedAt !== undefined || invariants.orders.has(instance.id)
    if (!isOf(seen, vm) || endedAt !== undefined || isDoomed) continue
    const agent = agents.get(instance.id)
    if (agent) {
      const isOpen = agent.connected && agent.enabled && !agent.draining && agent.slots === slots
      if (isOpen && !seen.reasons.has(instance.id))
        rooms.push({ slots: agent.freeSlots, aux: agent.freeAux ?? 0 })
      continue
    }
    const mayJoin =
      createdAt + policy.bootTimeout - marginBeforeTimeout > now && !seen.joined.has(instance.id)
    if (mayJoin && seen.starts.length === 1) rooms.push({ slots, aux: policy.maxAuxPerAgent })
  }
  return rooms
}
