// The right to write, proved in the statement of each write by a row of `leases`: that of the whole state, which one process
// has alone, or that of one journal. The row alone decides; no lock of a session is needed, not even as a hint.
import { type Problem, ProvisionError, problem } from '../../problems/index.ts'
import type { Epoch } from '../leases/port.ts'

/** Parameters of `heldRow`: name, number and nonce of the row. */
export type Proof = readonly [name: string, number: number, nonce: string]

export interface Right {
  /** Throws STATE_RIGHT_LOST when there is none. */
  proof(): Proof
  /** Why nothing can be written. */
  fault(): Problem | undefined
  /** What is lost without it, for messages: `the right to …`. */
  readonly to: string
}

/**
 * The condition of every write, for `WITH held AS (…)`: its parameters are $1 to $3. The row stays as it is until the write
 * is committed, because who takes it changes a key of it.
 */
export function heldRow(schema: string): string {
  return `SELECT epoch, nonce FROM ${schema}.leases WHERE name = $1 AND epoch = $2 AND nonce = $3 FOR KEY SHARE`
}

export function rightLost(to: string): ProvisionError {
  return new ProvisionError(
    problem('STATE_RIGHT_LOST', `this process no longer has the right to ${to}: nothing was written`),
  )
}

/** The row of a process that has the whole state. */
export const aloneRow = 'provisioner'

/** The row of a lease: no pool can have the name of `aloneRow`. */
export function rowOf(lease: string): string {
  return lease.startsWith('@') ? lease : `${poolRow}${lease}`
}

/** The inverse of `rowOf`. */
export function leaseIn(row: string): string {
  return row.startsWith(poolRow) ? row.slice(poolRow.length) : row
}

const poolRow = 'pool/'

export function proofOf(lease: string, { number, nonce }: Epoch): Proof {
  return [rowOf(lease), number, nonce]
}

/** The sequence of epochs' numbers, in a literal: they never come back, although rows are removed. */
export function numbersOf(schema: string): string {
  return `${schema}.epochs`.replaceAll("'", "''")
}
