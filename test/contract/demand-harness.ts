// What a source of demand has to bring so that the contract can be run on it: a master behind it that tests can play with.
import type { DemandSource } from '../../src/demand/source.ts'

/**
 * - `tells_changes`: the source hears of changes by itself, and does not have to be asked
 * - `unreachable`: the master behind it can be out of reach
 * - `disconnects`: it can tell an agent that is away for a moment from one that is gone
 * - `other_pools`: the master can have a second pool
 * - `knows_whose_drain`: it can tell our drain from that of a person, also after a restart of ours
 */
export const demandAbilities = [
  'tells_changes',
  'unreachable',
  'disconnects',
  'other_pools',
  'knows_whose_drain',
] as const
export type DemandAbility = (typeof demandAbilities)[number]

/** Members named after an ability are needed only by harnesses that claim it. */
export interface DemandHarness {
  /** Over a master with one pool, no agents and no work. */
  source: DemandSource
  pool: string
  /** A second source over the same master: as after a restart of the provisioner. */
  open(): Promise<DemandSource>
  /** Work that waits until it is placed; tells its id. */
  submit(slots: number, pool?: string): Promise<string>
  /** An agent joins, with nothing to do. */
  join(agentId: string, slots: number, pool?: string): Promise<void>
  /** The master gives the work to the agent. Where the master decides that itself, waits until it has. */
  place(workId: string, agentId: string): Promise<void>
  /** The work ends, wherever it is. */
  finish(workId: string): Promise<void>
  /** A person takes the agent out of service: its work ends, or may end by itself. */
  disable(agentId: string, how: 'at_once' | 'when_done'): Promise<void>
  /** A person gives it back, whoever took it out. */
  enable(agentId: string): Promise<void>
  /** The agent is gone for good. */
  remove(agentId: string): Promise<void>
  dispose(): Promise<void>

  /** Its connection breaks; it may come back. */
  disconnect?(agentId: string): Promise<void>
  becomeUnreachable?(): Promise<void>
  otherPool?: string
}

export interface DemandSubject {
  can: readonly DemandAbility[]
  open(): Promise<DemandHarness>
}
