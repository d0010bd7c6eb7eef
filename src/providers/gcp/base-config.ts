// `base_config`: the fields that Compute Engine knows, because its client drops the others without a word.
import { type Problem, problem } from '../../problems/index.ts'
import type { GcpConfig } from './rules.ts'

/** Fields of `InstanceProperties`, API version v1; a test compares them with the client's own descriptor. */
export const instanceProperties = [
  'advancedMachineFeatures',
  'canIpForward',
  'confidentialInstanceConfig',
  'description',
  'disks',
  'guestAccelerators',
  'keyRevocationActionType',
  'labels',
  'localSsdEncryptionMode',
  'machineType',
  'metadata',
  'minCpuPlatform',
  'networkInterfaces',
  'networkPerformanceConfig',
  'privateIpv6GoogleAccess',
  'reservationAffinity',
  'resourceManagerTags',
  'resourcePolicies',
  'scheduling',
  'serviceAccounts',
  'shieldedInstanceConfig',
  'tags',
  'workloadIdentityConfig',
] as const

export function baseProperties({ base_config }: GcpConfig): {
  base: InstanceProperties
  problems: Problem[]
} {
  const unknown = Object.keys(base_config).filter(
    (field) => !instanceProperties.some((known) => known === field),
  )
  return {
    base: base_config,
    problems: unknown.map((field) =>
      problem(
        'REQUEST_BASE_CONFIG',
        `base_config.${field} is not a field of Compute Engine's instance properties`,
      ),
    ),
  }
}

// Fields of `base_config`, at any depth, that Compute Engine's API does not have: its client drops them without a word.

/** All of them in one problem; none when every field is known. */
export function strangeFields(baseConfig: object, messages: Namespace): Problem[] {
  const found = within(baseConfig, 'InstanceProperties', 'base_config', messages)
  if (!found.length) return []
  const verb = found.length > 1 ? 'are no fields' : 'is no field'
  return [problem('REQUEST_BASE_CONFIG', `${found.join(', ')} ${verb} of Compute Engine's API`)]
}

function within(value: unknown, type: string, path: string, messages: Namespace): string[] {
  const message = messages[type.split('.').at(-1) ?? type]
  if (typeof value !== 'object' || value === null || !message || !('fields' in message)) return []
  if (Array.isArray(value))
    return value.flatMap((one, index) => within(one, type, `${path}.${index}`, messages))
  return Object.entries(value).flatMap(([name, content]) => {
    const field = message.fields?.[name]
    const at = `${path}.${name}`
    if (!field) return [at]
    if (!field.keyType) return within(content, field.type, at, messages)
    return Object.entries(content ?? {}).flatMap(([key, one]) =>
      within(one, field.type, `${at}.${key}`, messages),
    )
  })
}

// Cuts the client's descriptors down to the calls made here: building types for all of Compute Engine, in three
// versions, takes a second and 200 MiB (npm run bench gcp).

interface Message {
  fields?: Record<string, { type: string; keyType?: string }>
}

interface ServiceDescriptor {
  options?: object
  methods: Record<string, { requestType: string; responseType: string }>
}

export type Namespace = Record<string, Message | ServiceDescriptor>

/** The part of protobuf.js's JSON descriptor (https://protobufjs.github.io/protobuf.js/) that is walked here. */
export interface Descriptors {
  nested: {
    google: { nested: { cloud: { nested: { compute: { nested: { v1: { nested: Namespace } } } } } } }
  }
}

/**
 * The same descriptors with nothing but `calls` (`{Instances: ['Get', …]}`) and the messages these are made of. The
 * input is left as it is, because a program that embeds us may use the client, too.
 */
export function pruneDescriptors<D extends Descriptors>(descriptors: D, calls: Record<string, string[]>): D {
  const { google } = descriptors.nested
  const { cloud } = google.nested
  const all = cloud.nested.compute.nested.v1.nested
  const kept: Namespace = {}
  for (const [name, wanted] of Object.entries(calls)) {
    const service = all[name] as ServiceDescriptor
    const methods = Object.entries(service.methods).filter(([method]) => wanted.includes(method))
    kept[name] = { ...service, methods: Object.fromEntries(methods) }
    for (const [, { requestType, responseType }] of methods) {
      keep(requestType)
      keep(responseType)
    }
  }

  /** Enums are nested in the messages that use them. */
  function keep(type: string): void {
    const name = type.split('.').at(-1) ?? type
    const message = all[name] as Message | undefined
    if (!message || kept[name]) return
    kept[name] = message
    for (const field of Object.values(message.fields ?? {})) keep(field.type)
  }

  const compute = { nested: { v1: { nested: kept } } }
  const pruned = { ...google, nested: { ...google.nested, cloud: { ...cloud, nested: { compute } } } }
  return { ...descriptors, nested: { ...descriptors.nested, google: pruned } }
}

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
