// Whether the demand a provisioner has read is met by what is there: a second opinion, simpler than the planner's.
import type { Demand } from '../model/demand.ts'
import { isOf, type Seen } from './seen.ts'
import type { World } from './world.ts'

/** Work that waits for longer than this may have been refused by the agents that are free. */
const freshFor = 25_000
const marginBeforeTimeout = 60_000

/** True only if it is certain: all of the work is fresh and has a place, each piece on one agent or VM to come. */
export function isMet(world: World, seen: Seen, demand: Demand): boolean {
  const now = world.clock.now()
  if (demand.pending.some(({ since }) => now - since > freshFor)) return false
  const free = roomOf(world, seen, demand)
  const work = demand.pending.filter(({ slots }) => slots > 0).sort((a, b) => b.slots - a.slots)
  for (const { slots } of work) {
    const fits = free.filter((room) => room >= slots).sort((a, b) => a - b)[0]
    if (fits === undefined) return false
    free.splice(free.indexOf(fits), 1, fits - slots)
  }
  const aux = demand.pending.length - work.length
  return (
    aux === 0 ||
    demand.agents.some((agent) => agent.connected && !agent.draining && (agent.freeAux ?? 0) >= aux)
  )
}

function roomOf({ cloud, clock, policy, invariants }: World, seen: Seen, demand: Demand): number[] {
  const now = clock.now()
  const room: number[] = []
  const agents = new Map(demand.agents.map((agent) => [agent.id, agent]))
  for (const vm of cloud.vms.values()) {
    const { instance, endedAt, createdAt, slots } = vm
    const isDoomed = instance.interruptedAt !== undefined || invariants.orders.has(instance.id)
    if (!isOf(seen, vm) || endedAt !== undefined || isDoomed) continue
    const agent = agents.get(instance.id)
    if (agent) {
      const isOpen = agent.connected && agent.enabled && !agent.draining && agent.slots === slots
      if (isOpen && !seen.reasons.has(instance.id)) room.push(agent.freeSlots)
    } else if (
      seen.starts.length === 1 &&
      !seen.joined.has(instance.id) &&
      createdAt + policy.bootTimeout - marginBeforeTimeout > now
    )
      room.push(slots)
  }
  return room
}
