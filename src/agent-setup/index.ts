// What an agent needs to join: trust plan, certificate name, agent configuration; template, script, bytes.
// Pure: the same setup gives the same bytes. Imports problems, platform, pki and config.
// Start with trust.ts, then render.ts and pack.ts.
export { blockAt, checkAgentOptions, mergeAgentConfig } from './agent-config.ts'
export { packUserData, type UserData, unpackUserData } from './pack.ts'
export { renderScript } from './render.ts'
export {
  type AgentConfig,
  type AgentFacts,
  type AgentSetup,
  agentSetupOf,
  type Machine,
  type SlotType,
} from './setup.ts'
export { type FailureStage, failureStages, isFailureStage, lastStage, type Stage } from './stages.ts'
export { type ProvidedPool, placeOf, planTrust, poolTrust } from './trust.ts'
export type { UserTemplate } from './user-template.ts'
