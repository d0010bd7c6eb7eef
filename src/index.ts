// The public library: docs/library.md.
export { type DryRunPool, dryRunPool } from './app/dry-run.ts'
export {
  type CreateProvisionerOptions,
  type CreatePushDemandOptions,
  createProvisioner,
  createPushDemand,
  type FleetEvent,
  loadConfig,
  type PoolStatus,
  type PoolsStatus,
  type Provisioner,
  type PushDemand,
  type PushedAgent,
  type PushedDemand,
  type PushedWork,
} from './app/library.ts'
export { prepareAll } from './app/prepare-all.ts'
export type { DemandSource } from './demand/demand.ts'
export type { AgentState, Demand, PendingAllocation } from './model/demand.ts'
export type { FleetRow } from './model/fleet-row.ts'
export type { Instance, Offering } from './model/instance.ts'
export type { LaunchOrder, LaunchResult, Listing, TerminateResult } from './model/launch.ts'
export type { MasterConfig } from './model/master-config.ts'
export type { Logger } from './model/ports.ts'
export { type Problem, ProvisionError } from './model/problem.ts'
export { problemCodes } from './model/problem-codes.ts'
export type { TrustPlan } from './model/trust-plan.ts'
export type { UserData } from './model/user-data.ts'
export type { Provider } from './providers/provider.ts'
