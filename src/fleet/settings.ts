// What a pool is run by, and what it is run with. Settings may change while it runs; the rest may not.

import type { UserData } from '../agent-setup/user-data.ts'
import type { DemandSource } from '../demand/source.ts'
import type { Policy } from '../planner/policy.ts'
import type { KnownOffering } from '../planner/snapshot.ts'
import type { Clock, Journal, Logger, Metrics } from '../platform/ports.ts'
import type { Problem } from '../problems/problem.ts'
import type { Provider } from '../providers/contract.ts'
import type { Ownership } from '../providers/ownership.ts'
import type { FleetEvent } from './events.ts'
import type { LaunchErrorRules } from './launch-error.ts'

export interface PoolSettings {
  policy: Policy
  /** Without `refused`: that is the fleet's own memory. */
  offerings: Omit<KnownOffering, 'refused'>[]
  launchError: LaunchErrorRules
  /** How long a new VM may be missing from complete listings, in milliseconds; 0 where a listing shows all there is. */
  visibility: number
}

/** What a launch would carry now, or why there must be none. */
export type LaunchMaterial =
  | {
      kind: 'ready'
      userData: UserData
      /** The same as long as everything else in the request is: a request is repeated only under the same version. */
      version: string
      /** Nobody could check that an agent can join: launch one VM and see. */
      probe: boolean
    }
  | { kind: 'refused'; problem: Problem }

export interface PoolDeps {
  pool: string
  owner: Ownership
  provider: Provider
  demand: DemandSource
  clock: Clock
  /** This pool's own. */
  journal: Journal
  /** What the journal tells may not be all of it: listings must show first what there is. */
  journalDamaged?: boolean
  /** From 0 up to 1. */
  random: () => number
  /** A new UUID each time. */
  newId: () => string
  /** The preflight's last answer and the user data that goes with it; called often, so it only looks. */
  material: () => LaunchMaterial
  logger: Logger
  metrics: Metrics
  onEvent?: (event: FleetEvent) => void
}

/** Milliseconds a call may take before its outcome is unknown. GCE launches last as long as their operation. */
export const callDeadlines = {
  list: 60_000,
  launch: 360_000,
  terminate: 120_000,
  master: 15_000,
  console: 10_000,
}
