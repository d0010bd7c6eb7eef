// Certificates: whether every verifier accepts a chain, whether agents can join a master, and a development CA.
// Imports problems and platform.
// Start with chain.ts and checks.ts, which check files; preflight.ts dials.
export { type Certificate, certificateFacts } from './certificate.ts'
export {
  type CaKey,
  caKeyOf,
  certificateSkew,
  loadCertificateWriter,
  newKey,
  spkiOf,
  writeCertificate,
} from './certificate-writer.ts'
export { nearIssuerProblem, readCertificates } from './chain.ts'
export {
  authoritiesIn,
  type ClientAuthorities,
  isSignedByOneOf,
  isValidAt,
  presentedBy,
} from './client-signer.ts'
export {
  isLoneSelfSigned,
  keepsTrust,
  loadTlsCredentials,
  namedBy,
  pathFacts,
  readTextFile,
  servedPair,
  type TlsCredentials,
} from './credentials.ts'
export {
  type Der,
  DerError,
  derBitString,
  derContent,
  derOid,
  derSequence,
  derSmallInteger,
  derTag,
  readDer,
} from './der.ts'
export { createDevelopmentChain, developmentFiles, writeDevelopmentChain } from './development-ca.ts'
export { type AgentDialOptions, connectAsAgent, type DialTrust, dialOptions } from './dial-options.ts'
export { showName } from './distinguished-name.ts'
export { checkBelowRoot } from './go-verify.ts'
export { canonicalName, covers, isHostname, underWildcard, usableNames } from './names.ts'
export { decodeText, readPem } from './pem.ts'
export { applyPreflight, type PreflightOrder, type PreflightResult, preflight } from './preflight.ts'
export { type MasterInfo, probeId, proofProbeId } from './preflight-answer.ts'
export { type DemandFinding, probeDemand } from './preflight-demand.ts'
export {
  classify,
  type DialOutcome,
  dialMaster,
  faultText,
  isCertificateCode,
  type PreflightCode,
  rootFault,
  withTlsCode,
} from './preflight-dial.ts'
export { describe, endsInRoot, type PresentedCertificate, presentedFacts } from './presented.ts'
export {
  bundledRoots,
  findWellKnownRoot,
  loadTrustAnchors,
  type RootSource,
  type TrustAnchors,
} from './trust-anchors.ts'
export {
  anchorsOf,
  type CertificateFacts,
  type HostAlias,
  type MasterAddress,
  type MasterScheme,
  masterUrl,
  preflightModes,
  preflightProofs,
  rootsOf,
  type TrustMode,
  type TrustPlan,
  trustModes,
} from './trust-plan.ts'
export {
  type PlaceVariables,
  pairs,
  parseFingerprint,
  type TrustStore,
  trustStore,
  trustStoreFile,
} from './trust-store.ts'
