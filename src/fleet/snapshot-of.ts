// The memory as the planner sees it.
import { offeringKey } from '../planner/instance.ts'
import type { KnownOffering, Snapshot } from '../planner/snapshot.ts'
import { breakerView } from './breaker.ts'
import { holdsOf } from './holds.ts'
import { missingOf } from './intents.ts'
import { launchedLastHour } from './launch-rate.ts'
import type { PoolMemory } from './memory.ts'
import type { LaunchMaterial, PoolSettings } from './settings.ts'

export function snapshotOf(
  pool: string,
  memory: PoolMemory,
  settings: PoolSettings,
  material: LaunchMaterial,
  now: number,
): Snapshot {
  return {
    pool,
    listing: memory.listing,
    demandAt: memory.demandAt,
    instances: [...memory.tracks.values()],
    agents: [...memory.agents.values()],
    pending: memory.pending,
    unplaced: memory.unplaced,
    inFlight: [...memory.intents.values()].map((intent) => ({
      intentId: intent.id,
      offerings: intent.offerings,
      missing: missingOf(intent),
    })),
    offerings: settings.offerings.map((offering): KnownOffering => {
      const refused = memory.offerings.get(offeringKey(offering))
      return refused ? { ...offering, refused } : offering
    }),
    breaker: breakerView(memory.breaker, now),
    probe: material.kind === 'ready' && material.probe && !memory.proven.has(material.userData.sha256),
    launchedLastHour: launchedLastHour(memory.launches, now),
    holds: holdsOf(memory, settings, material, now),
  }
}
