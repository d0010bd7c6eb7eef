// The join proofs that Compute Engine instances can make, as far as they are known without a network.

import { type Problem, problem } from '../../problems/index.ts'
import { serviceAccountsOf } from './properties.ts'
import type { GcpConfig } from './rules.ts'

export const tokenKind = 'gcp-identity-token'

/**
 * The metadata server makes identity tokens of a service account
 * (https://cloud.google.com/compute/docs/instances/verifying-instance-identity); an instance has none unless it is given one.
 */
export function joinProblems(config: GcpConfig): Problem[] {
  const accounts = serviceAccountsOf(config, config.base_config['serviceAccounts'])
  if (Array.isArray(accounts) && accounts.length > 0) return []
  return [
    problem(
      'JOIN_PROOF_UNAVAILABLE',
      'join.proof is required, but the instances have no service account, so that they get no identity token',
      {
        remedy:
          'Add `service_account: {email: NAME@PROJECT.iam.gserviceaccount.com}` to the provider block (or `base_config: {serviceAccounts: [{email: NAME@PROJECT.iam.gserviceaccount.com, scopes: [https://www.googleapis.com/auth/userinfo.email]}]}`); an account without any role is enough.',
      },
    ),
  ]
}
