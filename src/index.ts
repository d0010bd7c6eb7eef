// The public library: docs/library.md.

export type { UserData } from './agent-setup/pack.ts'
export { lastStage, type Stage } from './agent-setup/stages.ts'
export type { JsonSchema } from './config/json-schema.ts'
export type { MasterConfig } from './config/master-config.ts'
export { type ProviderBlock, providerBlock, providerSchema } from './config/provider.ts'
export { type CommonProviderConfig, commonRules } from './config/provider-keys.ts'
export { type Block, note, type Partially } from './config/read-block.ts'
export { type StandardSchema, standardProviderBlock } from './config/standard-block.ts'
export * as z from './config/words.ts'
export type { DemandSource } from './demand/source.ts'
export type { FleetRow } from './http/fleet-control.ts'
export type { TrustPlan } from './pki/trust-plan.ts'
export type { AgentState, Demand, PendingAllocation } from './planner/demand.ts'
export type { Instance, Offering } from './planner/instance.ts'
export type { Clock, Logger } from './platform/ports.ts'
export { problemCodes } from './problems/codes.ts'
export { type Problem, ProvisionError, problem } from './problems/problem.ts'
export {
  type CheckItem,
  type Intent,
  type LaunchFailure,
  type LaunchOrder,
  type LaunchRequest,
  type LaunchResult,
  type Listing,
  type Ownership,
  ownerTags,
  ownerTagsOf,
  type Provider,
  type ProviderContext,
  type RequestInput,
  type TerminateResult,
} from './providers/contract.ts'
export type { AnyProvider, ProviderDefinition } from './providers/definition.ts'
export {
  type CreateProvisionerOptions,
  type CreatePushDemandOptions,
  createProvisioner,
  createPushDemand,
  type DryRunPool,
  dryRunPool,
  type FleetEvent,
  loadConfig,
  type PoolPlan,
  type PoolStatus,
  type PoolsStatus,
  type Provisioner,
  type PushDemand,
  type PushedAgent,
  type PushedDemand,
  type PushedWork,
  prepareAll,
} from './provisioner/library.ts'
