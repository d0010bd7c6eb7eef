// `base_config`: the fields of Compute Engine's `InstanceProperties`. Google's client silently drops unknown fields, and
// silently converts values of another type.
import { orList, shown } from '../../config/index.ts'
import { nearest } from '../../platform/index.ts'
import { type Problem, problem } from '../../problems/index.ts'
import fields from './instance-fields.json' with { type: 'json' }

/**
 * Every field of API version v1 by message: its type, which a test compares with the client's descriptors (`bool`,
 * `int32`, `int64`, `string`, a message; `[]` is a list, `{}` a map), or the values of an enum.
 */
const messages: Record<string, Record<string, string | string[]>> = fields

export interface BaseFault {
  /** Relative to `base_config`. */
  path: (string | number)[]
  /** Whether the key itself is wrong, or its value. */
  part: 'key' | 'value'
  message: string
  remedy?: string
}

/** All unknown fields and values of another type, at any depth. */
export function baseFaults(baseConfig: object): BaseFault[] {
  return inMessage('InstanceProperties', baseConfig, ['base_config'])
}

/** The same as problems without a location in a file. */
export function baseProblems(baseConfig: object): Problem[] {
  return baseFaults(baseConfig).map(({ message, remedy }) =>
    problem('REQUEST_BASE_CONFIG', message, remedy ? { remedy } : {}),
  )
}

type Path = BaseFault['path']

function inMessage(message: string, value: unknown, path: Path): BaseFault[] {
  if (!isMapping(value)) return [wrong(path, value, 'a mapping')]
  const known = messages[message]!
  return Object.entries(value).flatMap(([name, content]) => {
    const at = [...path, name]
    const type = Object.hasOwn(known, name) ? known[name] : undefined
    return type === undefined ? [unknownField(at, Object.keys(known))] : inField(type, content, at)
  })
}

function inField(type: string | string[], value: unknown, path: Path): BaseFault[] {
  if (Array.isArray(type))
    return typeof value === 'string' && type.includes(value)
      ? []
      : [wrong(path, value, `one of ${type.join(', ')}`)]
  if (type.endsWith('[]'))
    return Array.isArray(value)
      ? value.flatMap((one, index) => inField(type.slice(0, -2), one, [...path, index]))
      : [wrong(path, value, 'a list')]
  if (type.endsWith('{}'))
    return isMapping(value)
      ? Object.entries(value).flatMap(([name, one]) => inField(type.slice(0, -2), one, [...path, name]))
      : [wrong(path, value, 'a mapping')]
  const scalar = scalars[type]
  if (!scalar) return inMessage(type, value, path)
  return scalar.takes(value) ? [] : [wrong(path, value, scalar.noun, scalar.remedy)]
}

const int64 = 2n ** 63n

const scalars: Record<string, { noun: string; takes(value: unknown): boolean; remedy?: string }> = {
  bool: {
    noun: 'a boolean',
    takes: (value) => typeof value === 'boolean',
    remedy: 'Write true or false, without quotes.',
  },
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
  string: {
    noun: 'a string',
    takes: (value) => typeof value === 'string',
    remedy: 'Write it in quotes.',
  },
}

const correct =
  'Correct the field; https://cloud.google.com/compute/docs/reference/rest/v1/instances/bulkInsert lists all.'

function wrong(path: Path, value: unknown, noun: string, remedy?: string): BaseFault {
  const message = `${named(path)} must be ${noun}, but is ${shown(value, path.at(-1))}`
  const isEmpty = value === null || value === undefined
  const kind = isEmpty
    ? 'Write its value, or remove the field.'
    : typeof value === 'object'
      ? correct
      : remedy
  return { path, part: 'value', message, remedy: kind ?? correct }
}

function unknownField(path: Path, known: string[]): BaseFault {
  const meant = nearest(String(path.at(-1)), known)
  return {
    path,
    part: 'key',
    message: `${named(path)} is not a field of the Compute Engine API`,
    remedy: meant ? `Did you mean ${orList([meant])}?` : correct,
  }
}

/** `base_config.disks[1].boot` */
function named(path: Path): string {
  return path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : index ? `.${part}` : part))
    .join('')
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
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
