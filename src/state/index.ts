// What outlives the process: identity, journals, decisions, and the right to work with them. A port and its adapters.
// Imports problems, platform, pki and config.
// Start with store.ts, the port, and open.ts, which chooses the adapter.

export {
  type Adoption,
  type ClusterLocation,
  type ClusterNotes,
  keyOf,
  type StoredCluster,
  withAdopted,
  withDrained,
  withLocation,
  withoutDrained,
} from './cluster.ts'
export { copyBetween, tablesBack } from './commands.ts'
export { packed, unpacked } from './exchange/pack.ts'
export type { Exchange, NewView, StoredBody, StoredView } from './exchange/port.ts'
export { createLeadership, type Leadership } from './leases/leadership.ts'
export { type MemoryLeases, memoryLeases } from './leases/memory-leases.ts'
export { type Candidate, type Epoch, isSameEpoch, type LeaseStore, type LeaseView } from './leases/port.ts'
export { checkDatabase, identityHere, openStateReader, openStateStore } from './open.ts'
export type { OutputHead, OutputLine, OutputStore } from './output.ts'
export type {
  IdentityPart,
  JournalLease,
  JournalOptions,
  JournalOwner,
  OpenedJournal,
  StateStore,
  StoredIdentity,
  Trace,
} from './store.ts'
export { leaseOfPool } from './store.ts'
