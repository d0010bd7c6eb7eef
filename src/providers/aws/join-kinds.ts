// The join proofs that EC2 instances can make, as far as they are known without a network.

import { type Problem, problem } from '../../problems/index.ts'
import type { JoinProofKind, JoinProofSettings } from '../join-proof.ts'

export const stsKind = 'aws-sts'
export const documentKind = 'aws-identity-document'

/** An identity document can be used again by whoever has read it, so it counts only where a pool names it. */
export const joinProofKinds: readonly JoinProofKind[] = [
  { kind: stsKind, isDefault: true },
  { kind: documentKind, isDefault: false },
]

/** Every EC2 instance has an identity role, so only what has no effect is a problem. */
export function joinProblems({ proofs, identity_certificates }: JoinProofSettings): Problem[] {
  if (identity_certificates === undefined || proofs?.includes(documentKind)) return []
  return [
    problem(
      'CONFIG_UNUSED',
      `join.identity_certificates has no effect without ${documentKind} in join.proofs`,
      { remedy: `Add ${documentKind} to join.proofs, or remove join.identity_certificates.` },
    ),
  ]
}
