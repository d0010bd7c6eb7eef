// `base_config` of an AWS pool: fields of RunInstances that no key of the pool sets. They are checked against the SDK's
// model, and merged over the request that the provisioner makes.
import { shown } from '../../config/index.ts'
import { nearest } from '../../platform/index.ts'
import { type Problem, problem } from '../../problems/index.ts'
import { ownedReason } from './base-config-owned.ts'
import model from './instance-fields.json' with { type: 'json' }

/**
 * Every field of RunInstances by structure: `string`, `boolean`, `number`, a structure; `[]` is a list; or the values of
 * an enum. A test compares it with the SDK.
 */
const structures: Record<string, Record<string, string | string[]>> = model.structures
const runInstancesOnly: readonly string[] = model.runInstancesOnly

export interface BaseFault {
  /** Below the provider block. */
  path: (string | number)[]
  /** Whether the key itself is wrong, or its value. */
  part: 'key' | 'value'
  message: string
  remedy?: string
}

/**
 * All unknown fields, values of another type, and fields that the provisioner sets itself, at any depth.
 * @param usesTemplates whether the pool launches through fleets, whose launch templates lack some fields
 */
export function baseFaults(baseConfig: object, usesTemplates: boolean): BaseFault[] {
  return inStructure('RunInstancesRequest', baseConfig, { path: ['base_config'], name: '', usesTemplates })
}

interface Place {
  path: BaseFault['path']
  /** The field's name in the model, such as `NetworkInterfaces[].Groups`. */
  name: string
  usesTemplates: boolean
}

function inStructure(structure: string, value: unknown, place: Place): BaseFault[] {
  if (!isMapping(value)) return [wrong(place, value, 'a mapping')]
  const known = structures[structure]!
  return Object.entries(value).flatMap(([field, content]) => {
    const name = place.name ? `${place.name}.${field}` : field
    const at = { ...place, path: [...place.path, field], name }
    const type = Object.hasOwn(known, field) ? known[field] : undefined
    if (type === undefined) return [unknownField(at, Object.keys(known))]
    const owned = ownedReason(name, content)
    if (owned)
      return [{ path: at.path, part: 'key', ...owned, message: `${named(at.path)} ${owned.message}` }]
    if (place.usesTemplates && runInstancesOnly.some((only) => only === name || only === `${name}[]`))
      return [notInTemplates(at)]
    return inField(type, content, at)
  })
}

function inField(type: string | string[], value: unknown, place: Place): BaseFault[] {
  if (Array.isArray(type))
    return typeof value === 'string' && type.includes(value)
      ? []
      : [wrong(place, value, `one of ${type.join(', ')}`)]
  if (type.endsWith('[]')) {
    if (!Array.isArray(value)) return [wrong(place, value, 'a list')]
    const items = { ...place, name: `${place.name}[]` }
    return value.flatMap((one, index) =>
      inField(type.slice(0, -2), one, { ...items, path: [...place.path, index] }),
    )
  }
  const scalar = scalars[type]
  if (!scalar) return inStructure(type, value, place)
  return scalar.takes(value) ? [] : [wrong(place, value, scalar.noun, scalar.remedy)]
}

const scalars: Record<string, { noun: string; takes(value: unknown): boolean; remedy: string }> = {
  boolean: {
    noun: 'a boolean',
    takes: (value) => typeof value === 'boolean',
    remedy: 'Write true or false, without quotes.',
  },
  // EC2 has no fractions in these requests.
  number: {
    noun: 'an integer',
    takes: (value) => Number.isSafeInteger(value),
    remedy: 'Write an integer, without quotes.',
  },
  string: {
    noun: 'a string',
    takes: (value) => typeof value === 'string',
    remedy: 'Write it in quotes.',
  },
}

const correct =
  'Correct the field; https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html lists all.'

function wrong({ path }: Place, value: unknown, noun: string, remedy?: string): BaseFault {
  const message = `${named(path)} must be ${noun}, but is ${shown(value, path.at(-1))}`
  const isEmpty = value === null || value === undefined
  const kind = isEmpty
    ? 'Write its value, or remove the field.'
    : typeof value === 'object'
      ? correct
      : remedy
  return { path, part: 'value', message, remedy: kind ?? correct }
}

function unknownField({ path }: Place, known: string[]): BaseFault {
  const meant = nearest(String(path.at(-1)), known)
  return {
    path,
    part: 'key',
    message: `${named(path)} is not a field of EC2's RunInstances`,
    remedy: meant ? `Did you mean "${meant}"?` : correct,
  }
}

function notInTemplates({ path }: Place): BaseFault {
  return {
    path,
    part: 'key',
    message: `${named(path)} cannot be used in this pool: launch templates, which launch spot instances and pools of several types or subnets, do not have it`,
    remedy: 'Remove it, or use one instance type in one subnet on demand.',
  }
}

/** `base_config.NetworkInterfaces[1].Groups` */
function named(path: BaseFault['path']): string {
  return path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : index ? `.${part}` : part))
    .join('')
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Volumes of `base_config` that EC2 could not make: with a device that is not the root device, and without a size or
 * snapshot. They were meant for the root volume.
 * @param rootDevice of the image, or a placeholder in `<>` while it is unknown
 */
export function volumeProblems(baseConfig: Record<string, unknown>, rootDevice: string): Problem[] {
  const { BlockDeviceMappings: devices } = baseConfig
  if (!Array.isArray(devices) || rootDevice.startsWith('<')) return []
  return devices.flatMap(({ DeviceName, Ebs }: { DeviceName?: string; Ebs?: object }) => {
    if (!Ebs || !DeviceName || DeviceName === rootDevice) return []
    if ('VolumeSize' in Ebs || 'SnapshotId' in Ebs) return []
    const message = `base_config.BlockDeviceMappings: ${DeviceName} is not the root device of the image, which is ${rootDevice}, and has neither VolumeSize nor SnapshotId`
    const remedy = 'Remove DeviceName to set the root volume, or add VolumeSize.'
    return [problem('REQUEST_BASE_CONFIG', message, { remedy })]
  })
}

// Merging: mappings field by field, two lists entry by entry, every other value as a whole.

/** How the entries of a list are told apart. */
export const entryKeys = {
  /** Without a name it is the root volume. */
  BlockDeviceMappings: ({ DeviceName }, rootDevice) => String(DeviceName ?? rootDevice),
  NetworkInterfaces: ({ NetworkCardIndex = 0, DeviceIndex = 0 }) => `${NetworkCardIndex}/${DeviceIndex}`,
} satisfies Record<string, (entry: Entry, rootDevice: string) => string>

type Entry = Record<string, unknown>

/**
 * The request with `baseConfig` merged over it. Block devices are merged by `DeviceName`, network interfaces by
 * `NetworkCardIndex` and `DeviceIndex`, of which each is 0 if it is not given; other lists replace ours.
 */
export function withBase<T extends object>(request: T, baseConfig: object, rootDevice: string): T {
  const merged: Record<string, unknown> = Object.fromEntries(Object.entries(request))
  for (const [field, value] of Object.entries(baseConfig)) {
    const ours = merged[field]
    const keyOf = field in entryKeys ? entryKeys[field as keyof typeof entryKeys] : undefined
    if (keyOf && Array.isArray(ours) && Array.isArray(value))
      merged[field] = mergedEntries(ours, value, (entry) => keyOf(entry, rootDevice))
    else merged[field] = mergedValue(ours, value)
  }
  return merged as T
}

function mergedValue(ours: unknown, value: unknown): unknown {
  if (!isMapping(ours) || !isMapping(value)) return value
  const merged = { ...ours }
  for (const [field, inner] of Object.entries(value)) merged[field] = mergedValue(ours[field], inner)
  return merged
}

function mergedEntries(ours: Entry[], theirs: Entry[], keyOf: (entry: Entry) => string): unknown[] {
  const result = new Map(ours.map((entry) => [keyOf(entry), entry as unknown]))
  for (const entry of theirs) {
    const key = keyOf(entry)
    result.set(key, mergedValue(result.get(key), entry))
  }
  return [...result.values()]
}
