// Who may join: the agents' CA, the endpoint at which instances prove what they are, and the key that each of them joined with.
// Imports problems, platform, pki, providers (the port of the proofs), state and http.
// Start with service.ts, the endpoint, and decide.ts, the rules; issuer.ts makes certificates, rotation.ts is what the commands do.
export type { LaunchedInstance } from './decide.ts'
export {
  type AgentsCa,
  type CaFiles,
  type CaInForce,
  type CurrentCa,
  caFilesOf,
  caInForce,
  ensureCa,
  idOf,
  instanceIn,
  issueTo,
  openAgentsCa,
} from './issuer.ts'
export { createLeftovers } from './leftovers.ts'
export type { JoinLimits } from './limits.ts'
export type { JoinOutcome } from './reports.ts'
export {
  activateNext,
  allowReissue,
  assertNoFiles,
  createCa,
  finishRotation,
  nextStep,
  startRotation,
  writeBundle,
} from './rotation.ts'
export { type JoinOptions, type JoinPool, joinHandler } from './service.ts'
