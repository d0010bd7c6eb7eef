// The public library: docs/library.md.

export { lastStage, type Stage, type UserData } from './agent-setup/index.ts'
export type { JsonSchema, MasterConfig } from './config/index.ts'
export {
  type Block,
  type CommonProviderConfig,
  commonRules,
  note,
  type Partially,
  type ProviderBlock,
  providerBlock,
  providerSchema,
  type StandardSchema,
  standardProviderBlock,
  z,
} from './config/index.ts'
export type { DemandSource } from './demand/index.ts'
export type { FleetRow } from './http/index.ts'
export type { TrustPlan } from './pki/index.ts'
export type { AgentState, Demand, Instance, Offering, PendingAllocation } from './planner/index.ts'
export { type Clock, checkMayAct, type Logger, type MayAct } from './platform/index.ts'
export { type Problem, ProvisionError, problem, problemCodes } from './problems/index.ts'
export type { AnyProvider, ProviderDefinition } from './providers/index.ts'
export {
  type CheckItem,
  type ClusterContext,
  type ClusterProvider,
  type Intent,
  type JoinProofContext,
  type JoinProofVerifier,
  type LaunchFailure,
  type LaunchOrder,
  type LaunchRequest,
  type LaunchResult,
  type Listing,
  type Location,
  type Ownership,
  ownerTags,
  ownerTagsOf,
  type ProofInstance,
  type ProofRequest,
  type Provider,
  type ProviderContext,
  type RequestInput,
  type TerminateResult,
} from './providers/index.ts'
export {
  type CreateProvisionerOptions,
  type CreatePushDemandOptions,
  createProvisioner,
  createPushDemand,
  type DryRunPool,
  dryRunPool,
  type FleetEvent,
  isReady,
  loadConfig,
  type NotChecked,
  type PoolPlan,
  type PoolStatus,
  type PoolsStatus,
  type Provisioner,
  type PushDemand,
  type PushedAgent,
  type PushedDemand,
  type PushedWork,
  prepareAll,
  type ReadyPlan,
  type ValidateOptions,
  type Validation,
  validateConfig,
} from './provisioner/index.ts'
