// `base_config`: the fields of Compute Engine's `InstanceProperties`. Google's client silently drops unknown fields, and
// silently converts values of another type.
import { type Problem, problem } from '../../problems/index.ts'
import { type ApiModel, commonScalars, type FieldFault, fieldFaults } from '../api-fields.ts'
import fields from './instance-fields.json' with { type: 'json' }

const int64 = 2n ** 63n

/** Version v1 of the API, with the types of the client's descriptors; a test compares it with those. */
const model: ApiModel = {
  structures: fields,
  scalars: {
    bool: commonScalars.boolean,
    string: commonScalars.string,
    int32: {
      noun: 'an integer',
      takes: (value) => Number.isInteger(value) && Math.abs(Number(value)) < 2 ** 31,
      remedy: 'Write an integer, without quotes.',
    },
    // A string in the JSON of Google's APIs; a number is accepted if it is exact.
    int64: {
      noun: 'a 64-bit integer',
      takes: (value) =>
        Number.isSafeInteger(value) ||
        (typeof value === 'string' &&
          /^-?(?:0|[1-9]\d{0,18})$/.test(value) &&
          BigInt(value) < int64 &&
          BigInt(value) >= -int64),
      remedy: 'Write an integer, such as 60 or "60".',
    },
  },
  fieldOf: 'a field of the Compute Engine API',
  correct:
    'Correct the field; https://cloud.google.com/compute/docs/reference/rest/v1/instances/bulkInsert lists all.',
}

/** All unknown fields and values of another type, at any depth. */
export function baseFaults(baseConfig: object): FieldFault[] {
  return fieldFaults(model, 'InstanceProperties', baseConfig)
}

/** The same as problems without a location in a file. */
export function baseProblems(baseConfig: object): Problem[] {
  return baseFaults(baseConfig).map(({ message, remedy }) =>
    problem('REQUEST_BASE_CONFIG', message, remedy ? { remedy } : {}),
  )
}

// The part of Compute Engine's v1 API that requests consist of, with its own names. The client's types are not used,
// because anything in them may be null and a dry run would depend on the client. A test compares every field with its
// descriptor.

/** A field of `InstanceProperties` that is not listed here is passed on as it is in `base_config`. */
export interface InstanceProperties {
  machineType?: string
  minCpuPlatform?: string
  disks?: Disk[]
  guestAccelerators?: Accelerator[]
  networkInterfaces?: NetworkInterface[]
  scheduling?: Scheduling
  reservationAffinity?: { consumeReservationType?: string; key?: string; values?: string[] }
  serviceAccounts?: { email: string; scopes: string[] }[]
  tags?: { items?: string[] }
  labels?: Record<string, string>
  metadata?: { items?: MetadataItem[] }
  [field: string]: unknown
}

export interface Disk {
  boot?: boolean
  autoDelete?: boolean
  initializeParams?: { sourceImage?: string; diskSizeGb?: number | string; diskType?: string }
  [field: string]: unknown
}

export interface Accelerator {
  acceleratorType?: string
  acceleratorCount?: number
}

export interface NetworkInterface {
  network?: string
  subnetwork?: string
  accessConfigs?: { name?: string; type?: string; networkTier?: string; natIP?: string }[]
  [field: string]: unknown
}

export interface Scheduling {
  provisioningModel?: string
  preemptible?: boolean
  instanceTerminationAction?: string
  automaticRestart?: boolean
  onHostMaintenance?: string
  [field: string]: unknown
}

export interface MetadataItem {
  key?: string
  value?: string
}

export interface BulkInsertResource {
  count: number
  minCount: number
  perInstanceProperties: Record<string, object>
  instanceProperties: InstanceProperties
  locationPolicy?: { targetShape: string; locations: Record<string, { preference: string }> }
}

export interface BulkInsert {
  project: string
  requestId: string
  bulkInsertInstanceResourceResource: BulkInsertResource
}

export type ZonalBulkInsert = BulkInsert & { zone: string }
export type RegionalBulkInsert = BulkInsert & { region: string }
