// Promise 14: agents that run on no managed VM get no jobs, and the planner does not count their slots.

import { foreignRoom } from '../planner/index.ts'
import type { ObservedWorld } from './observations.ts'
import { mainName } from './scenario.ts'
import type { Work } from './scheduler.ts'

export function checkPlaced({ master, invariants }: ObservedWorld, { id, agents }: Work): void {
  for (const agent of agents)
    if (master.agents.get(agent)?.foreign) invariants.violated(14, `${id} was placed on ${agent}`)
}

/** The agents on unmanaged machines that the last plan of the main provisioner counted as room. */
export function checkRoom({ master, clock, policy, provisioners, invariants }: ObservedWorld): void {
  if (!someForeign(master.agents)) return
  const main = provisioners.get(mainName)
  const { snapshot } = main?.life.alive ? main.fleet.status() : {}
  if (!snapshot) return
  const counted = foreignRoom(snapshot, policy, clock.now()).filter((id) => master.agents.get(id)?.foreign)
  if (counted.length > 0) invariants.violated(14, `slots of ${counted.join(', ')} count as free`)
}

function someForeign(agents: ObservedWorld['master']['agents']): boolean {
  for (const { foreign } of agents.values()) if (foreign) return true
  return false
}
