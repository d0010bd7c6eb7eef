// The Compute Engine calls this provider makes, and no others: what a fake has to answer, and what permissions are
// needed for. Only the fields that are read are named.
import type { RegionalBulkInsert, ZonalBulkInsert } from './compute-types.ts'

/** Rejects with a `GceError`, or with the reason of `signal` once that is aborted. */
export type GceCall<Request, Result> = (request: Request, signal?: AbortSignal) => Promise<Result>

export interface GceInstance {
  name?: string
  zone?: string
  machineType?: string
  status?: string
  statusMessage?: string
  creationTimestamp?: string
  lastStopTimestamp?: string
  labels?: Record<string, string>
  scheduling?: { provisioningModel?: string; preemptible?: boolean }
}

export interface GceOperation {
  name?: string
  operationType?: string
  operationGroupId?: string
  status?: string
  insertTime?: string
  /** URLs, of which one says where the operation is kept. */
  zone?: string
  region?: string
  targetLink?: string
  error?: { errors?: { code?: string; message?: string }[] }
  instancesBulkInsertOperationMetadata?: {
    perLocationStatus?: Record<string, { targetVmCount?: number; createdVmCount?: number }>
  }
}

export interface InstancePage {
  /** By `zones/us-central1-a`. */
  items?: Record<string, { instances?: GceInstance[]; warning?: { code?: string; message?: string } }>
  unreachables?: string[]
  nextPageToken?: string
}

export interface MachineType {
  guestCpus?: number
  accelerators?: { guestAcceleratorType?: string; guestAcceleratorCount?: number }[]
}

export interface Region {
  /** URLs. */
  zones?: string[]
  quotas?: { metric?: string; limit?: number; usage?: number }[]
}

interface InZone {
  project: string
  zone: string
}

export interface GceApi {
  /** Sent once each: the provider repeats them itself. */
  bulkInsert: GceCall<ZonalBulkInsert, GceOperation>
  bulkInsertInRegion: GceCall<RegionalBulkInsert, GceOperation>

  /** Answers when the operation is done, or after two minutes as it is then. */
  waitInZone: GceCall<InZone & { operation: string }, GceOperation>
  waitInRegion: GceCall<{ project: string; region: string; operation: string }, GceOperation>
  listOperations: GceCall<
    InZone & { filter: string; pageToken?: string },
    { items?: GceOperation[]; nextPageToken?: string }
  >
  listInstances: GceCall<{ project: string; filter: string; pageToken?: string }, InstancePage>
  getInstance: GceCall<InZone & { instance: string }, GceInstance>
  deleteInstance: GceCall<InZone & { instance: string; requestId: string }, GceOperation>
  getSerialPortOutput: GceCall<
    InZone & { instance: string; port: number; start: string },
    { contents?: string }
  >
  getMachineType: GceCall<InZone & { machineType: string }, MachineType>
  getRegion: GceCall<{ project: string; region: string }, Region>
  close(): void
}
