// Clouds behind one contract: each has a definition with everything that is known about it.
// Imports problems, platform, planner, pki, config and agent-setup; an SDK only behind open().
// Start with definition.ts, the static facts of a cloud, and contract.ts, the operations of an opened one.
import { aws } from './aws/definition.ts'
import type { AnyProvider } from './definition.ts'
import { gcp } from './gcp/definition.ts'
import { local } from './local/definition.ts'

export {
  type CheckItem,
  type ClusterContext,
  type ClusterProvider,
  type Intent,
  type LaunchFailure,
  type LaunchOrder,
  type LaunchRequest,
  type LaunchResult,
  type Listing,
  type Location,
  type Ownership,
  ownerTags,
  ownerTagsOf,
  type Provider,
  type ProviderContext,
  type RequestInput,
  type TerminateResult,
} from './contract.ts'
export {
  type AnyProvider,
  type ChosenBy,
  definitionOf,
  machineOf,
  type ProviderDefinition,
  type ResourcePoolFacts,
  resolveHost,
  withProviders,
} from './definition.ts'
export type {
  JoinProofContext,
  JoinProofVerifier,
  ProofInstance,
  ProofRequest,
} from './join-proof.ts'
export {
  listDeadline,
  listingRetry,
  type SharedCluster,
  shareCluster,
  type TimedListing,
} from './shared-cluster.ts'

export const builtInProviders: readonly AnyProvider[] = [aws, gcp, local]
