// Promise 21: an instance is drifted exactly if it was made from something else than its pool launches now. In a world only the
// certificate of the master changes, and each instance knows which one it was launched with.

import type { ManagedInstance } from '../fleet/index.ts'
import { isLive } from '../planner/index.ts'
import type { LaunchedNow } from '../rollout/index.ts'
import type { Compared, Comparing, Observations, ObservedWorld } from './observations.ts'

const rootKey = 'TLS_ROOT'

export function launchedWith(sha256: string): LaunchedNow {
  return { generation: { id: `made with ${sha256}`, version: 1, keys: { [rootKey]: sha256 } }, chosenBy: {} }
}

/** Called at the start of each turn, before instances are compared: checks the comparison of the turn before. */
export function checkDrift(world: ObservedWorld, seen: Observations, fleet: Comparing): void {
  const { userData } = world
  const instances = fleet.status().instances.filter(isLive)
  const before = seen.compared.get(fleet)
  if (before) for (const instance of instances) checkInstance(world, seen, before, instance)
  for (const { id, generation } of instances) if (generation !== undefined) seen.made.add(id)
  // The first call is that of the start, which only reads what the journal has.
  const live = before ? instances.map(({ id }) => id) : []
  seen.compared.set(fleet, { sha256: userData.sha256, live: new Set(live) })
}

function checkInstance(
  { cloud, invariants }: ObservedWorld,
  { made }: Observations,
  { sha256, live }: Compared,
  { id, generation, drifted }: ManagedInstance,
): void {
  const truly = cloud.instances.get(id)?.sha256
  if (truly === undefined || !live.has(id)) return
  if (made.has(id) && generation === undefined)
    invariants.violated(21, `what ${id} was made from is forgotten`)
  if (drifted && truly === sha256) invariants.violated(21, `${id} is drifted, but carries ${truly}`)
  if (!drifted && generation !== undefined && truly !== sha256)
    invariants.violated(21, `${id} is not drifted, but carries ${truly} while ${sha256} is launched`)
}
