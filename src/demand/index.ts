// Sources of demand: the built-in master, a Determined master, a program that pushes it.
// Imports problems, platform, planner, pki, config and agent-setup.
// Start with source.ts, the contract.
export { builtInDemand } from './built-in.ts'
export { type Endpoint, endpointOf } from './determined/connections.ts'
export { wantsPlaceholders, warningsFor } from './determined/refusals.ts'
export { type DeterminedDemand, determinedDemand } from './determined/source.ts'
export { placeholderId } from './determined/view.ts'
export {
  createDrainList,
  createPushDemand,
  createPushSource,
  type DrainOrders,
  type PushDemand,
  type PushedAgent,
  type PushedDemand,
  type PushedWork,
  type ReadDemand,
  readPush,
} from './push.ts'
export type { DemandSource } from './source.ts'
