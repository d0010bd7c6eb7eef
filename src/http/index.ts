// HTTP servers and clients: listeners, access, endpoints, and one schema for what both exchange.
// Imports every room up to fleet.
// Start with router.ts; the files named *-view.ts are the schemas.
export { accessHandler, bearer, loadToken, sameToken } from './access.ts'
export type { AgentView } from './agent-view.ts'
export { type Client, createClient, createLocalClient, type MasterClient } from './client.ts'
export {
  type ClientCaName,
  type ClientCaTexts,
  type ClientCertificate,
  clientCertificateOf,
} from './client-cas.ts'
export type { Elsewhere, OrderPlace } from './elsewhere.ts'
export {
  adoptOrphans,
  adoptPool,
  agentList,
  drainInstances,
  fleetStatus,
  instanceList,
  launchInstances,
  listEvents,
  listOrphans,
  pausePool,
  pauseRollout,
  poolStatus,
  restartRollout,
  resumePool,
  terminateInstances,
  undrainInstances,
} from './fleet-client.ts'
export type { FleetControl, FleetOrders, FleetRow, PoolAgents } from './fleet-control.ts'
export { controlHandler } from './fleet-endpoints.ts'
export { carryOut, failure, type Order, orderSchema } from './fleet-orders.ts'
export type { InstanceView } from './instance-view.ts'
export { followJob, isNoAnswer, killJob, listJobs, logsOf, showJob, submitJob } from './job-client.ts'
export {
  type AllJobs,
  type Failure,
  isOver,
  type JobLogs,
  type JobOrder,
  type JobView,
  jobOrderSchema,
  type LogLine,
  type OneJob,
  type ResourcePool,
  type WaitingView,
} from './job-view.ts'
export { type Listener, type ListenOptions, listen, listenLocally } from './listen.ts'
export type { Removed } from './order-view.ts'
export { type OrphanView, orphansView } from './orphan-view.ts'
export {
  type FleetStatus,
  failedSummary,
  type PoolOverview,
  type PoolPlace,
  type ProcessView,
  poolSummary,
  standbySummary,
  unavailable,
} from './pool-view.ts'
export { openPushEndpoint } from './push-endpoint.ts'
export { type LeaderView, type ProblemView, problemView, type ReasonView } from './reason-view.ts'
export {
  answerRoutes,
  anyOf,
  ok,
  pathOf,
  queryOf,
  type Reply,
  type Route,
  readJson,
  refuseUpgrade,
  type StreamReply,
  sendJson,
} from './router.ts'
export { createSessions } from './sessions.ts'
export { sharedOrders } from './shared-orders.ts'
export {
  orphansSummary,
  readOrphans,
  readOrphansSummary,
  readSharedPool,
  readSharedSummary,
  type SharedPool,
  sharedPool,
} from './shared-view.ts'
export {
  healthHandler,
  type Info,
  infoHandler,
  infoView,
  metricsHandler,
  openFault,
  productName,
  readyHandler,
} from './status-endpoints.ts'
export { type Target, type TrustMemory, targetByConfig, targetByUrl } from './target.ts'
export {
  probeTrust,
  type TrustedMaster,
  trustedMasters,
  type UntrustedServer,
  untrustedProblem,
} from './untrusted-server.ts'
export { hashPassword, leastPassword, readUsers, userNamePattern, writeUsers } from './users.ts'
export type { Written } from './view.ts'
