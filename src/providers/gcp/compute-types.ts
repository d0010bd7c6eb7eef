// The part of Compute Engine's v1 API that requests are made of, in its own words. Not taken from the client's types, in
// which anything may be null and a dry run would depend on the client. A test compares every field with its descriptor.

/** Every field of `InstanceProperties` that is not named here is passed on as `base_config` has it. */
export interface InstanceProperties {
  machineType?: string
  disks?: Disk[]
  guestAccelerators?: Accelerator[]
  networkInterfaces?: NetworkInterface[]
  scheduling?: Scheduling
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
  accessConfigs?: { name?: string; type?: string; networkTier?: string }[]
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
