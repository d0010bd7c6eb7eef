// The join proofs that EC2 instances can make, as far as they are known without a network.

import type { JoinConfig } from '../../config/index.ts'
import { type Problem, problem } from '../../problems/index.ts'

export const stsKind = 'aws-sts'
export const documentKind = 'aws-identity-document'

/** Every EC2 instance has an identity role, so only what has no effect is a problem. */
export function joinProblems({ proofs, identity_certificates }: JoinConfig): Problem[] {
  if (identity_certificates === undefined || proofs?.includes(documentKind)) return []
  return [
    problem(
      'CONFIG_UNUSED',
      `join.identity_certificates has no effect without ${documentKind} in join.proofs`,
      { remedy: `Add ${documentKind} to join.proofs, or remove join.identity_certificates.` },
    ),
  ]
}
