// What the program needs from its machine: clock, files, locks, processes, log, metrics.
// Every room but problems and planner may import it. It imports problems.
// Start with ports.ts: the interfaces that tests and the simulation replace.

export { delayAfter, type Growth, retry } from './backoff.ts'
export { bootMark } from './boot.ts'
export { systemClock, wallTime } from './clock.ts'
export { derivedName, derivedUuid } from './derived-id.ts'
export { formatDuration, parseDuration } from './duration.ts'
export {
  contentsFingerprint,
  fileNameOf,
  removeTemporaries,
  replaceFile,
  writeFileAtomic,
} from './files.ts'
export { type KernelLock, takeKernelLock, withFlock } from './flock.ts'
export { type Fetch, fetchWhileHeard, readAll, reasonOf, timedOut } from './http-client.ts'
export { canonicalAddress, ipVersion } from './ip-address.ts'
export {
  createWakeup,
  type Limiter,
  limit,
  orAborted,
  type Pace,
  pace,
  viewWithin,
  withDeadline,
} from './limit.ts'
export { hasExited, type Lock, lockHeld, type ProcessMark, takeLock, thisProcess } from './locks.ts'
export {
  createLogger,
  groupedLog,
  type LogFormat,
  type LogLevel,
  redact,
  shortIds,
  tellProblems,
} from './log.ts'
export { checkMayAct, type MayAct, notSent, notSentIn } from './may-act.ts'
export { askMetadata, type MetadataOptions, neededValue, unavailable } from './metadata-server.ts'
export { createPrometheusMetrics, type PrometheusMetrics } from './metrics.ts'
export { completed, nearest, snakeCase } from './nearest.ts'
export {
  assertOwnFolder,
  openPlainFile,
  readPlainFile,
  syncFolderOf,
  trustedUsers,
} from './own-files.ts'
export type {
  BootMark,
  Clock,
  Handler,
  Journal,
  JournalRecord,
  LogFields,
  Logger,
  Metrics,
  UpgradeHandler,
} from './ports.ts'
export { printable } from './printable.ts'
export {
  type GatedProcess,
  type ProcessEnd,
  processesWith,
  processGroup,
  processStart,
  sendSignal,
  startGated,
} from './processes.ts'
export {
  authorityOf,
  destinationOf,
  type Environment,
  masterProxyRemedy,
  proxyErrorCode,
  proxyFor,
  shownProxy,
} from './proxy.ts'
export {
  failing,
  type Opened,
  openTunnel,
  outgoingAgents,
  outgoingFetch,
  type Route,
  refusedForward,
  routeTo,
} from './proxy-route.ts'
export { createSchedule, type Schedule, windowFault } from './schedule.ts'
export { firstWrong } from './schema-words.ts'
export { isSecretName } from './secret-names.ts'
export { findSecrets } from './secret-shapes.ts'
export { SecretText } from './secret-text.ts'
export { dropIdle } from './silent-sockets.ts'
export { together } from './together.ts'
export { turns } from './turns.ts'
export { type Loaded, watchAndReport } from './watch.ts'
export { readXml, XmlReadError, xmlDate, xmlFields, xmlList, xmlText } from './xml-reader.ts'
