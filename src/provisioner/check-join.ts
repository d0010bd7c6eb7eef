// The row of `provision check` about a pool that requires join proofs: does its master demand them?
import { type DemandFinding, probeDemand } from '../pki/index.ts'
import type { Clock } from '../platform/index.ts'
import { type CheckRow, rowsOf } from './check-rows.ts'
import { dialTimeoutMs, preflightAddress } from './preflight-gate.ts'
import type { PoolPlan } from './prepare.ts'

const what = 'join proof'

export interface JoinCheckInput {
  clock: Clock
  /** A certificate of the agents' CA for the id of the probe (`proofProbeId`), PEM; undefined: there is no CA yet. */
  certificate?: { cert: string; key: string }
  signal?: AbortSignal
}

/**
 * Dials the master three times. Call it for pools with `join: {proof: required}`.
 * @param plan undefined when the certificate is refused
 */
export async function checkJoinProof(
  subject: string,
  plan: PoolPlan | undefined,
  { clock, certificate, signal }: JoinCheckInput,
): Promise<CheckRow[]> {
  const { passed, notChecked, of } = rowsOf(subject)
  if (!plan?.setup) return [notChecked(what, 'fix what failed first')]
  if (!certificate) return [notChecked(what, "there is no agents' CA yet")]
  const { pool, setup } = plan
  const found: DemandFinding = await probeDemand({
    ...preflightAddress(pool, setup),
    timeoutMs: dialTimeoutMs,
    clock,
    signal,
    joinProof: { pool: pool.pool_name, certificate },
  })
  if (found.problems.length > 0) return found.problems.map((problem) => of(what, problem))
  if (found.unknown !== undefined) return [notChecked(what, found.unknown)]
  return [passed(what, "the master accepts certificates of the agents' CA only")]
}
