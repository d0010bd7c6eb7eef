// What a demand source must provide so that the contract can be run on it: a master behind it that tests can control.
import type { DemandSource } from '../../src/demand/source.ts'

/**
 * - `tells_changes`: the source detects changes by itself and does not have to be polled
 * - `unreachable`: the master behind it can be out of reach
 * - `disconnects`: it can distinguish an agent that is disconnected for a moment from one that is gone
 * - `other_pools`: the master can have a second pool
 * - `knows_whose_drain`: it can distinguish our drain from a person's, also after a restart of the provisioner
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
  /** Over a master with one pool, no agents and no jobs. */
  source: DemandSource
  pool: string
  /** A second source over the same master: as after a restart of the provisioner. */
  open(): Promise<DemandSource>
  /** Submits a job that waits until it is placed; returns its id. */
  submit(slots: number, pool?: string): Promise<string>
  /** An idle agent joins. */
  join(agentId: string, slots: number, pool?: string): Promise<void>
  /** The master assigns the job to the agent. If the master decides by itself, waits until it has. */
  place(workId: string, agentId: string): Promise<void>
  /** The job ends, wherever it runs. */
  finish(workId: string): Promise<void>
  /** A person takes the agent out of service: its jobs end, or may finish. */
  disable(agentId: string, how: 'at_once' | 'when_done'): Promise<void>
  /** A person enables it again, whoever disabled it. */
  enable(agentId: string): Promise<void>
  /** The agent is gone for good. */
  remove(agentId: string): Promise<void>
  dispose(): Promise<void>

  /** Its connection breaks; it may reconnect. */
  disconnect?(agentId: string): Promise<void>
  becomeUnreachable?(): Promise<void>
  otherPool?: string
}

export interface DemandSubject {
  can: readonly DemandAbility[]
  open(): Promise<DemandHarness>
}
