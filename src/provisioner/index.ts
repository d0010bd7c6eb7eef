// The running program: prepares, opens, watches, reloads and closes what the configuration names.
// Imports every room but simulator and cli.
// Start with provisioner.ts, which composes, and prepare.ts, which a dry run shares.

export { checkAll, checkSurroundings } from './check.ts'
export { type CheckResult, type CheckRow, exitOfRows } from './check-rows.ts'
export { runDaemon } from './daemon.ts'
export { createLeading, type Leading, type Unit } from './leading.ts'
export { leastRights } from './least-rights.ts'
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
  prepareAll,
  validateConfig,
} from './library.ts'
export {
  choosePool,
  type DryRunPool,
  dryRunPool,
  isReady,
  type PoolPlan,
  planAll,
  type ReadyPlan,
} from './prepare.ts'
export { poolSettings } from './running-pool.ts'
export { type Explanation, explainSnapshot } from './snapshot-file.ts'
export type { Term } from './term.ts'
export { type NotChecked, once, type ValidateOptions, type Validation, validateAll } from './validate.ts'
