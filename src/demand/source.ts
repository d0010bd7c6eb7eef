// The contract of every demand source, tested by test/contract/demand-contract.ts.
import type { Demand } from '../planner/index.ts'
import type { MayAct } from '../platform/index.ts'

export interface DemandSource {
  /** Short name for status and messages: `built-in`, `determined`, `push`, or one of your own. */
  readonly kind: string

  /** The newest known demand of a pool; throws a ProvisionError when the master cannot be read. */
  read(pool: string, signal?: AbortSignal): Promise<Demand>

  /** Calls back within 50 ms of a change, if the source can detect it; returns the function that stops it. */
  onChange(listener: (pool: string) => void): () => void

  /**
   * Stops new jobs from being placed on an agent. Idempotent; false when the agent is unknown. `mayAct`: whether this process may
   * still change something; a source that asks a master over a network asks it right before each request that does, with
   * `checkMayAct`, which throws.
   */
  drain(agentId: string, signal?: AbortSignal, mayAct?: MayAct): Promise<boolean>

  /** Undoes `drain`. Idempotent; false when the agent is unknown. */
  undrain(agentId: string, signal?: AbortSignal, mayAct?: MayAct): Promise<boolean>

  close(): Promise<void>
}
