// Who may join: the agents' CA, the endpoint at which instances prove what they are, and the key that each of them joined with.
// Imports problems, platform, pki, providers (the port of the proofs), state and http.
// Start with service.ts, the endpoint, and decide.ts, the rules; issuer.ts makes certificates, rotation.ts is for people.
export { idPattern } from './csr.ts'
export type { LaunchedInstance } from './decide.ts'
export {
  type AgentsCa,
  type CaFiles,
  type CurrentCa,
  ensureCa,
  expiryOf,
  idOf,
  instanceIn,
  issueTo,
  openAgentsCa,
} from './issuer.ts'
export { defaultLimits, type JoinLimits } from './limits.ts'
export type { JoinOutcome } from './reports.ts'
export {
  activateNext,
  allowReissue,
  bundleFile,
  createCa,
  finishRotation,
  nextStep,
  startRotation,
  writeBundle,
} from './rotation.ts'
export { type JoinPool, type JoinService, type JoinServiceOptions, joinService } from './service.ts'
