// The right to lead, as long as it lasts: what is done for a pool asks it first.
import type { Epoch } from '../state/index.ts'

export interface Term {
  /** Of the lease. */
  readonly name: string
  /** Under which the store accepts writes; undefined where one process has the whole store. */
  epoch(): Epoch | undefined
  /** Whether this process may still act at this moment. Ask right before acting. */
  isCurrent(): boolean
}

/** Of a process that has the whole store. */
export const wholeTerm: Term = { name: '', epoch: () => undefined, isCurrent: () => true }
